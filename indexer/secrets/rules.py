"""What secrets look like: known formats, names of secret values, and placeholders.

Data and small judgements of single values; ``secrets`` searches text with them. The formats are those the services
document. Kingfisher's rules, which ``masking`` uses as well, know many more services but are tuned to report only
what is certain (half of our planted secrets); for an index the other mistake is the worse one.
"""

import math
import re
from collections import Counter
from functools import lru_cache

# (literals of which one must occur, what the secret looks like). All characters of a match belong to WORD.
_FORMATS: tuple[tuple[str, str], ...] = (
    ("AKIA ASIA ABIA ACCA", r"(?<![A-Z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Z0-9])"),
    ("ABSK", r"ABSK[A-Za-z0-9+/]{100,}={0,2}"),
    ("ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9]{36,251}"),
    ("github_pat_", r"github_pat_[A-Za-z0-9_]{40,}"),
    (
        "glpat- gldt- glrt- glft- glsoat- glcbt- glimt- glptt- glagent- gloas- glffct-",
        r"gl(?:pat|dt|rt|ft|soat|cbt|imt|ptt|agent|oas|ffct)-[A-Za-z0-9_.-]{20,}",
    ),
    ("GR1348941", r"GR1348941[A-Za-z0-9_-]{20,}"),
    ("AIza", r"AIza[A-Za-z0-9_-]{35}"),
    ("GOCSPX-", r"GOCSPX-[A-Za-z0-9_-]{28}"),
    ("ya29.", r"ya29\.[A-Za-z0-9_.-]{30,}"),
    ("1//0", r"(?<![A-Za-z0-9])1//0[A-Za-z0-9_-]{40,}"),
    ("xox", r"xox[abeoprs]-(?:[A-Za-z0-9]+-)*[A-Za-z0-9]{10,}"),
    ("xapp-", r"xapp-\d-[A-Z0-9]+-\d+-[a-z0-9]+"),
    ("hooks.slack.com/", r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{20,}"),
    (".webhook.office.com/", r"[a-z0-9]+\.webhook\.office\.com/webhookb2/[A-Za-z0-9@/-]{60,}"),
    ("/api/webhooks/", r"discord(?:app)?\.com/api/webhooks/\d{17,20}/[A-Za-z0-9_-]{60,}"),
    (
        "sk_live_ rk_live_ sk_test_ rk_test_ whsec_",
        r"(?:[sr]k_(?:live|test)_[A-Za-z0-9]{20,}|whsec_[A-Za-z0-9+/=]{24,})",
    ),
    ("SG.", r"(?<![A-Za-z0-9])SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}"),
    ("-us", r"(?<![A-Za-z0-9])[0-9a-f]{32}-us\d{1,2}(?![A-Za-z0-9])"),
    ("key-", r"(?<![A-Za-z0-9])key-[0-9a-f]{32}(?![A-Za-z0-9])"),
    ("xkeysib-", r"xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}"),
    ("AC", r"(?<![A-Za-z0-9])AC[0-9a-f]{32}(?![A-Za-z0-9])"),
    ("SK", r"(?<![A-Za-z0-9])SK[0-9a-f]{32}(?![A-Za-z0-9])"),
    ("npm_", r"npm_[A-Za-z0-9]{36}"),
    ("pypi-", r"pypi-[A-Za-z0-9_-]{50,}"),
    ("rubygems_", r"rubygems_[0-9a-f]{48}"),
    ("oy2", r"(?<![A-Za-z0-9])oy2[a-z0-9]{43}(?![A-Za-z0-9])"),
    ("dckr_", r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{24,}"),
    ("eyJ", r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,}\.(?:eyJ)?[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*){1,3}"),
    ("T3BlbkFJ", r"sk-[A-Za-z0-9_-]*T3BlbkFJ[A-Za-z0-9_-]{16,}"),
    ("sk-", r"(?<![A-Za-z0-9])sk-(?:proj|ant|svcacct|admin|or|lf)-[A-Za-z0-9_-]{20,}"),
    ("sk-", r"(?<![A-Za-z0-9])sk-(?=[a-z]*[0-9A-Z])[A-Za-z0-9]{32,64}(?![A-Za-z0-9])"),
    ("hf_ api_org_", r"(?<![A-Za-z0-9])(?:hf|api_org)_[A-Za-z]{34}(?![A-Za-z0-9])"),
    (
        "gsk_ xai- pplx- r8_ nvapi- fw_",
        r"(?<![A-Za-z0-9])(?:gsk_[A-Za-z0-9]{40,}|xai-[A-Za-z0-9]{60,}|pplx-[A-Za-z0-9]{40,}|r8_[A-Za-z0-9]{37}"
        r"|nvapi-[A-Za-z0-9_-]{50,}|fw_[A-Za-z0-9]{24})(?![A-Za-z0-9])",
    ),
    ("dop_v1_ doo_v1_ dor_v1_", r"do[por]_v1_[0-9a-f]{64}"),
    ("shpat_ shpca_ shppa_ shpss_", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    ("sq0", r"sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{22,43}"),
    ("EAAA", r"(?<![A-Za-z0-9+/])EAAA[A-Za-z0-9_-]{60}(?![A-Za-z0-9+/])"),
    ("dapi", r"(?<![A-Za-z0-9])dapi[0-9a-f]{32}(?:-\d)?"),
    ("hvs. hvb. hvr.", r"(?<![A-Za-z0-9])hv[sbr]\.[A-Za-z0-9_-]{24,}"),
    ("atlasv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,}"),
    ("ATATT3 ATCTT3 ATBB", r"(?:AT[AC]TT3[A-Za-z0-9_=-]{50,}|(?<![A-Za-z0-9+/])ATBB[A-Za-z0-9]{32}(?![A-Za-z0-9]))"),
    ("AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    (":AA", r"(?<![A-Za-z0-9])\d{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])"),
    (".", r"(?<![A-Za-z0-9_./-])[MNO][A-Za-z0-9]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}(?![A-Za-z0-9_-])"),
    ("mfa.", r"(?<![A-Za-z0-9])mfa\.[A-Za-z0-9_-]{80,}"),
    ("NRAK- NRII- NRJS-", r"NR(?:AK-[A-Z0-9]{27}|II-[A-Za-z0-9_-]{32}|JS-[0-9a-f]{19})"),
    (
        "glsa_ glc_ eyJrIjoi",
        r"(?:glsa_[A-Za-z0-9]{32}_[0-9a-fA-F]{8}|glc_[A-Za-z0-9+/]{32,}={0,2}|eyJrIjoi[A-Za-z0-9]{60,}={0,2})",
    ),
    ("dp.", r"(?<![A-Za-z0-9])dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}"),
    ("Q~", r"(?<![A-Za-z0-9_~.-])[A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{31,34}(?![A-Za-z0-9_~.-])"),
    ("PMAK-", r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    (
        "figd_ lin_api_ lin_oauth_ sntrys_ sntryu_ sbp_ ntn_ pul- tfp_ phc_ phx_ rpa_ sgp_",
        r"(?<![A-Za-z0-9])(?:figd_[A-Za-z0-9_-]{40,}|lin_(?:api|oauth)_[A-Za-z0-9]{40,}|sntrys_[A-Za-z0-9+/=_-]{60,}"
        r"|sntryu_[0-9a-f]{64}|sbp_[0-9a-f]{40}|ntn_[A-Za-z0-9]{40,}|pul-[0-9a-f]{40}|tfp_[A-Za-z0-9_]{59}"
        r"|ph[cx]_[A-Za-z0-9]{40,}|rpa_[A-Z0-9]{40,}|sgp_[A-Za-z0-9_]{40,})",
    ),
    (
        "CFPAT- secret_ ops_eyJ A3-",
        r"(?<![A-Za-z0-9])(?:CFPAT-[A-Za-z0-9_-]{43}|secret_[A-Za-z0-9]{43}|ops_eyJ[A-Za-z0-9+/=]{100,}"
        r"|A3-[A-Z0-9]{6}-[A-Z0-9-]{20,32})(?![A-Za-z0-9])",
    ),
    ("sig=", r"(?<=[?&]sig=)[A-Za-z0-9%+/=]{30,}"),
    ("LS0tLS1CRUdJTi", r"LS0tLS1CRUdJTi(?!BDRVJU)[A-Za-z0-9+/]{60,}={0,2}"),
)

# Characters of which words are made; a format's match never holds another one.
ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
WORD = ALNUM + "_-+/=.:@%~&?"
# The shortest format is an AWS key id, 20 characters.
SHORTEST_WORD = 20

FORMATS: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = tuple(
    (tuple(literals.split()), re.compile(pattern)) for literals, pattern in _FORMATS
)

# Parts of names, in lower case, by which names of secrets are found.
NAME_STEMS = ("pass", "pwd", "secret", "token", "key", "auth", "cred", "비밀번호", "암호")
_PASSWORD_NAME = re.compile(
    r"passw|passphrase|pwd|passcode|비밀번호|암호|^pass$"
    r"|(?:^|[_.-])(?:db|sql|mysql|pg|redis|smtp|mail|ftp|ssh|http|proxy|root|admin|user|login|my)[_-]?pass$"
)
_STRICT_NAME = re.compile(
    r"secret|token|credential|(?:^|[_.-])auth$|authori[sz]ation"
    r"|(?:api|app|access|account|auth|service|client|consumer|private|priv|signing|sign|encrypt(?:ion)?|crypto|cipher"
    r"|master|shared|storage|admin|root|db|database|jwt|session|bearer|hmac|ssh|deploy|license|licence|subscription"
    r"|webhook|cookie|salt|aes|rsa|des|kms|vault|functions?|host|registration|integration|project|write|read)[_.-]?key"
)
# A name that ends so names something about a secret, not the secret.
_ABOUT_NAME = re.compile(
    r"(?:name|names|id|ids|type|kind|url|uri|path|file|dir|field|length|len|size|param|parameter|header|prefix|suffix"
    r"|policy|label|hint|error|message|msg|text|title|regex|pattern|format|class|selector|column|table|env|var|arn"
    r"|algorithm|alg|method|mode|scheme|provider|endpoint|page|view|route|form|input|element|button|icon|version"
    r"|pem|crt|cert|csr|json|txt|expiry|expires|expired|ttl|count|limit|index|style|color|ref|fingerprint|exchange|map|set|list|event)$"
)

# Placeholders for a secret.
_STAND_IN = re.compile(
    r"example|sample|dummy|placeholder|your|change.?me|replace|insert|redacted|xxxx|\*\*\*|\.\.\.|todo|fixme|deadbeef"
    r"|12345678|abcdefgh|abcd1234|aaaaa|00000000|11111111|<\w+>|\$\{|\{\{|\{[a-z_]*\}|%\(\w+\)|^\$|#\{|\benv\b|getenv"
    r"|undefined|^\w{0,6}(?:password|passwd|secret)\d{0,4}!?$|^test\w{0,4}$|^(?:my|foo|bar)[a-z_-]*\d{0,4}$"
    r"|^(?:user|admin|root)\d*$",
    re.IGNORECASE,
)
# Marks of code inside a value; a long random value may hold them by chance.
_CODE = re.compile(r"%[0-9.]*l{0,2}[sdxuif]\b|\\[abfnrtuvx0]|->")
_TECHNICAL = re.compile(
    r"^(?:sha-?\d+\w*|md5|oauth2?\w*|base(?:32|58|64)\w*|utf-?\d+|aes-?\d+\w*|rs\d+|hs\d+|es\d+|ps\d+|ed25519|x509|x25519"
    r"|pkcs\d+\w*|pbkdf2\w*|bcrypt\w*|argon2\w*|scrypt\w*|rsa-?\d*|ecdsa\w*|hmac-?\w*|p-?256|secp\d+\w\d|http[s2]?|ipv[46]"
    r"|v\d{1,2}(?:\.\d+)*|win32|x86\w*|k8s|s3|ec2|i18n|l10n)$",
    re.IGNORECASE,
)
_PART = re.compile(r"[A-Za-z]{1,24}\d{0,4}|v?\d{1,2}")
_BETWEEN_PARTS = re.compile(r"[_./: -]+")
# Text without quotes that is code.
_EXPRESSION = re.compile(r"[:.*~|!+^-]*[A-Za-z_$][\w$]*(?:(?:::|\.|->)[A-Za-z_$]?[\w$]*)*")
_CLASS = re.compile(r"[a-z]+|[A-Z]+|[0-9]+|[^a-zA-Z0-9]+")
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


# So much of a value is looked at; text of nothing but long values would otherwise take minutes per megabyte.
_JUDGED = 80


@lru_cache(maxsize=10_000)
def kind_of_name(name: str) -> str | None:
    """``"password"`` or ``"strict"`` if a variable, field or header of this name holds a secret, else None."""
    lowered = name.lower().strip("_-. $")
    if _ABOUT_NAME.search(lowered):
        return None
    if _PASSWORD_NAME.search(lowered):
        return "password"
    return "strict" if _STRICT_NAME.search(lowered) else None


def is_secret_value(value: str, kind: str, least: int = 16) -> bool:
    """Whether ``value``, assigned to a name of this kind, is a secret rather than a placeholder or an identifier.

    :param least: the least number of characters of a random value.
    """
    value = value[:_JUDGED]
    if len(value) < 6 or is_stand_in(value) or _TECHNICAL.match(value):
        return False
    if len(value) < 32 and _CODE.search(value):
        return False
    if kind == "password":
        digits = sum(character.isdigit() for character in value)
        signs = sum(not character.isalnum() and character not in "_-./: " for character in value)
        letters = len(value) - digits - signs
        if letters and (digits or signs) and not is_words(value) and not re.search(r"[\s(){}\[\]<>]", value):
            return True
    return looks_random(value, least)


def is_stand_in(value: str) -> bool:
    """Whether ``value`` holds a placeholder that does not stand there by chance."""
    return any(not _is_by_chance(match.group(0), value) for match in _STAND_IN.finditer(value))


def _is_by_chance(word: str, value: str) -> bool:
    """Whether random letters spell a placeholder: ``yOuR``, ``todO``, or ``todo`` in 36 other random characters.

    About one random value of 40 characters in 10,000 holds one of the short words in some case.
    """
    if not word.isalpha():
        return False
    if len(word) >= 8:
        return len(_CLASS.findall(word)) > len(word) / 2
    tail = word[1:]
    return not (tail.islower() or word.isupper()) or (len(word) < 6 and looks_random(value.replace(word, "", 1), 24))


def is_unquoted_secret(value: str, kind: str, attached: bool) -> bool:
    """The same for a value without quotes outside configuration files, where it is more likely code.

    :param attached: whether the value follows the assignment sign directly.
    """
    sure = attached and (kind == "password" or sum(c.isdigit() for c in value) >= 2)
    if "**" in value or (_EXPRESSION.fullmatch(value) and not sure):
        return False
    return is_secret_value(value, "strict", least=10 if kind == "password" else 16)


def is_password_in_address(value: str) -> bool:
    """Whether the part between ``user:`` and ``@`` is a password: more than one lower-case word, and no placeholder."""
    if is_stand_in(value) or re.fullmatch(r"[a-z]{1,12}|\d{1,5}|[A-Z_]+", value):
        return False
    return not re.search(r"[$%]?[{}()\[\]]", value)


def looks_random(value: str, least: int = 16) -> bool:
    """Whether ``value`` looks random: at least ``least`` characters that change their class often.

    Words of a language keep to one class for some five letters; random letters and digits change every 1.6.
    """
    if len(value) < least:
        return False
    if _UUID.fullmatch(value):
        return True
    if _HEX.fullmatch(value):
        return len(set(value)) >= 8 and any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    if is_words(value):
        return False
    least_runs = 0.42 if value.isalpha() else 0.3  # AbstractBasicAuthHandler changes every third letter
    return (
        len(_CLASS.findall(value)) >= len(value) * least_runs
        and len(set(value)) >= min(len(value) * 0.4, 16)
        and entropy(value) >= 3.0
    )


def is_words(value: str) -> bool:
    """Whether ``value`` is words joined by signs, perhaps numbered: an identifier, a path, a key of a translation."""
    if value.startswith(("/", "./", "../")):
        value = value.replace("#", "/")
    parts = _BETWEEN_PARTS.split(value.strip("#./@:$_-="))
    if len(parts) < 2 or not all(_PART.fullmatch(part) for part in parts):
        return False
    # camelCase changes its class every third letter or so, random letters every second one
    return all(len(_CLASS.findall(part)) <= len(part) / 2.5 + 1 for part in parts if len(part) > 4)


def entropy(value: str) -> float:
    """Shannon entropy of the characters of ``value``, in bits per character."""
    size = len(value)
    return -sum(count / size * math.log2(count / size) for count in Counter(value).values())
