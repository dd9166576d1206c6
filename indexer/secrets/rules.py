"""Judges single names and values: does a name announce a secret, and is a value one or a placeholder?

Other modules of this folder search text with these judgements. Kingfisher's rules, which ``masking`` uses as well, know
many more services but are tuned to report only what is certain (half of our planted secrets); for an index the other
mistake is the worse one.
"""

import math
import re
from collections import Counter
from functools import lru_cache
from itertools import pairwise

# Parts of names, in lower case, by which names of secrets are found.
_STEMS = (
    "pass pw secret token key auth cred psk salt 비밀번호 암호 비번 패스워드 인증키 비밀키 개인키 토큰"
    " パスワード 暗証 秘密鍵 密码 密碼 口令 密钥 密鑰 пароль contrase clave senha kennwort wachtwoord haslo hasło"
    " heslo jelszo jelszó lösenord losenord salasana şifre sifre"
)
NAME_STEMS = tuple(_STEMS.split())
_PASSWORD_NAME = re.compile(
    r"passw|passphrase|pwd(?!ata|n$|th|own)|passcode|비밀번호|암호|비번|패스워드|^pass$|(?:^|[_.-])psk$|mot_?de_?passe?$"
    r"|パスワード|暗証|密码|密碼|口令|пароль|contrase[nñ]a|^(?:la_)?clave$|senha$|kennwort|wachtwoord|has[lł]o$|heslo|jelsz[oó]"
    r"|l[oö]senord|salasana|[sş]ifre|(?:^|[_.-])pw$|(?:root|user|bind|admin|ldap|db|wifi|login|my|ssh|ftp)_?pw$"
    r"|(?:^|[_.-])(?:db|sql|mysql|pg|redis|smtp|mail|ftp|ssh|http|proxy|root|admin|user|login|my|become|ansible|vault|sudo|su"
    r"|key|cert|git|svn|ldap|bind|wifi|wlan|mongo|rabbit|rabbitmq|amqp|mq|kafka|es|elastic|jmx|ipmi|bmc|snmp|imap|pop3|rpc"
    r"|rpcuser|service|svc|master|replication|repl|backup|enable|radius|nexus|registry|docker|sonar|jenkins|oracle|sa|dba|os"
    r"|vpn|store|keystore|truststore|trust|database|postgres|email|zip|p12|pfx|pem"
    r"|default|require|sasl|host|guest|remote|web|ap|sta|ssid|wpa|device)[_.-]?pass$"
    r"|[a-z](?:Pass|Pwd|Pw)$"
)
_STRICT_NAME = re.compile(
    r"secret|token|credential|(?:^|[_.-])_?auth$|authori[sz]ation|인증키|비밀키|개인키|토큰$"
    r"|密钥|密鑰|秘密鍵|clave_(?:api|secreta|privada|de_api)|(?:auth|logged_?in|nonce|cookie|password|secret|hash)_?salt$"
    r"|(?:api|app|access|account|auth|service|client|consumer|private|priv|signing|sign|encrypt(?:ion)?|crypto|cipher"
    r"|master|shared|storage|admin|root|db|database|jwt|session|bearer|hmac|ssh|deploy|license|licence|subscription"
    r"|webhook|cookie|salt|aes|aes128|aes192|aes256|rsa|ecc|ecdsa|ed25519|des|3des|kms|vault|functions?|host|registration"
    r"|integration|project|write|read|otp|efuse|fuse|boot|unlock|debug|wifi|network|device|firmware|fw|chacha|chacha20|hkdf|mac"
    r"|secure|security|attestation|root_of_trust|hmac256|hmac512|wrapping|wrap|symmetric|secretbox|fernet)[_.-]?(?:pass)?key"
)
# A list of bytes with such a name is a key.
_BYTES_NAME = re.compile(
    r"(?:^|[^a-z])k?_?(?:key|psk)(?:[_-]?(?:bytes|data|buf|raw|\d{1,3}))?$|[a-z0-9](?:Key|KEY)(?:Bytes|Data)?$"
)
BYTES = "bytes"
"""The kind of a name that announces a key only if its value is a list of bytes or a long number."""

# A name that ends so names something about a secret, not the secret.
_ABOUT_NAME = re.compile(
    r"(?:public_?key_?token|identifier|name|names|id|ids|type|kind|url|uri|path|file|dir|field|length|len|size|param|parameter|header|prefix|suffix"
    r"|policy|label|hint|error|message|msg|text|title|regex|pattern|format|class|selector|column|table|env|var|arn"
    r"|algorithm|alg|method|mode|scheme|provider|endpoint|page|view|route|form|input|element|button|icon|version"
    r"|pem|crt|cert|csr|json|txt|expiry|expires|expired|expires_at|created_at|updated_at|lookup|extractor|ttl|count|limit|index|style|color|ref|fingerprint|exchange|map|set|list|event)$"
)

# Placeholders for a secret.
_STAND_IN = re.compile(
    r"example|sample|dummy|placeholder|your|change.?me|replace|insert|redacted|xxxx|\*\*\*|\.\.\.|todo|fixme|deadbeef"
    r"|12345678|abcdefgh|abcd1234|aaaaa|00000000|11111111|<\w+>|\$\{|\{\{|\{[a-z_]*\}|%\(\w+\)|^\$|#\{|\benv\b|getenv"
    r"|undefined|^\w{0,6}(?:password|passwd|secret)\d{0,4}!?$|^test\w{0,4}$|^(?:my|foo|bar)[a-z_-]*\d{0,4}$"
    r"|^(?:user|admin|root)\d*$|^(?:true|false|null|none|nil)\W*$"
    r"|://|process\.env|os\.environ|@[~^]?\d+\.\d|\ba-z|A-Z0-9"
    r"|X{8}|^\d{4}-\d\d-\d\d(?:[T ]|$)|^[\w.+-]+@(?:[\w-]+\.)+[a-z]{2,}\.?$|^[a-z.]+@[a-z-]+$|%[A-Z_]{3,}%|/\d{8}/"
    r"|(?:^|\|)(?:required|nullable|confirmed|sometimes|min:\d+)(?:\||$)"
    r"|a-zA-Z|a-z0-9|0-9a-[fz]|%7B.*%7D|^\w*\[[\w-]+\W?=|^\^.*\$$|[\U0001f300-\U0001faff]|^0x[0-9a-f]{1,15}u?l{0,2}$|(?-i:^/[a-z]+\d?[a-z]*(?:/[a-z\d-]+)*$)",
    re.IGNORECASE,
)
# Marks of code inside a value; a long random value may hold them by chance.
_CODE = re.compile(r"%(?:0\d|[1-9])?(?:\.\d+)?l{0,2}[sdxuif]\b|%\.\*s|\\[abfnrtuvx0]|->")
_TECHNICAL = re.compile(
    r"^(?:sha-?\d+\w*|md5|oauth2?\w*|base(?:32|58|64)\w*|utf-?\d+|aes-?\d+\w*|rs\d+|hs\d+|es\d+|ps\d+|ed25519|x509|x25519"
    r"|pkcs\d+\w*|pbkdf2\w*|bcrypt\w*|argon2\w*|scrypt\w*|rsa-?\d*|ecdsa\w*|hmac-?\w*|p-?256|secp\d+\w\d|http[s2]?|ipv[46]"
    r"|(?:text|image|audio|video|font|application|multipart|message|model)/(?:\*|[\w.+-]+)"
    r"|(?:[a-z]\w*\.)*(?:b|base)_?(?:16|32|58|64|85)_?(?:en|de)code\w*"
    r"|v\d{1,2}(?:\.\d+)*|win32|x86\w*|k8s|s3|ec2|i18n|l10n|ghsa-[\w-]+|cve-\d+-\d+)$",
    re.IGNORECASE,
)
_PART = re.compile(r"[A-Za-z]{1,24}\d{0,4}|v?\d{1,2}")
_BETWEEN_PARTS = re.compile(r"[_./: -]+")
# Text without quotes that is code.
_EXPRESSION = re.compile(r"[:.*~|!+^-]*[A-Za-z_$][\w$]*(?:(?:::|\.|->)[A-Za-z_$]?[\w$]*)*")
_PATH_PARTS = re.compile(r"(?<![A-Za-z0-9])[A-Z]?[a-z]{3,}\d?(?=[/$.:_-]|$)")
_CODE_SIGNS = re.compile(
    r"^-|[=,]|://|^\.{0,2}/[a-z]|\$[@({]|@\{|%2F|-\d+:|^\d+\*|\*\*|\*\d+(?:-|$)|^@?0x[0-9a-fA-F]{1,15}$"
    r"|^[`$A-Za-z_]\w*(?:\.[A-Za-z_]\w*){2,}$"
)
# The begin of a call or of an index: get_session(conn, conn.cookies[@name], :crypto.hash(
_ACCESS = re.compile(r"[:@&$!]{0,2}[A-Za-z_]\w{2,}[!?]?(?:(?:\.|::|->)[A-Za-z_]\w*[!?]?)*[(\[](?=[\w:@&$\"'\])]|\Z)")
_BRACKETS = re.compile(r"[\s(){}\[\]<>]")
# Signs within references of documentation and addresses: Class#method, user@host, path?query.
_REFERENCE = re.compile(
    r"^\W*[A-Z]?\w*(?:\.\w+)*#[a-z_]\w*$|@[a-z][\w-]*(?:\.|$)|/|\\|\?\w+=|::|^[#.@][A-Za-z-]+\d?$|\*\*|\+\+"
)
# Letters that are spelt as digits, as in S3cur3; a dollar before digits.
_SPELT = re.compile(r"[A-Za-z]\d[a-z]+\d|[a-z]\$\d")
# Signs that are frequent in passwords and rare between the operands of an expression.
_SIGNS = re.compile(r"[#!%@^*?~]")
# A password of people: a word, four digits or more, a letter or two. Methods of cryptography end so as well.
_WORD_AND_YEAR = re.compile(r"[A-Z]?[a-z]{3,12}\d{4,8}[A-Za-z]{0,2}")
_NUMBERED_METHOD = re.compile(r"curve|windows|chacha|poly|salsa|version|latin|issue|rfc|iso|port|secp", re.IGNORECASE)
_SYLLABLES = re.compile(r"[a-z]{4}|[A-Z]{5}")
_DIGITS = re.compile(r"\d+")
_VARIABLE = re.compile(r"\$?\{[^{}]*\}|\{\{.*\}\}|<[^<>]*>|%\w+%|\[[\w .-]*\]|__\w+__|@\w+@|\$\(.*\)|\$\w+")
# A member of something indexed, as in Terraform: random_password.db[0].result. The value may be cut off.
_INDEXED = re.compile(
    r"(?=[^\[]*\[)(?:\w{2,20}\(){0,2}[A-Za-z_][\w-]*(?:\[[\w.*-]*\])*(?:\.(?:[A-Za-z_][\w-]*|\*)?(?:\[[\w.*-]*\])*)+"
    r"(?:\[[\w.*-]*|\){1,2})?"
)
_QUOTED_VARIABLE = re.compile(r"(\\?[\"'])\$(?:[a-z_]+|[A-Z_]+)\1")
# A reference inside of a longer value. A dollar sign alone is none: passwords hold it.
_REFERRED = re.compile(r"[$#]\{[\w.]*\}|[$\\]\([\w.]+\)|\{\{[ \w.]*\}\}")
_ESCAPED_BYTES = re.compile(r"(?:\\x[0-9a-fA-F]{2}){8,}")
_CLASS = re.compile(r"[a-z]+|[A-Z]+|[0-9]+|[^a-zA-Z0-9]+")
_CAMEL_WORD = re.compile(r"[A-Z]?[a-z]{3,}")
# SetFromBuffer, LaTeX-related
_JOINED_WORDS = re.compile(r"[A-Z]?[a-z]{2,}(?:[A-Z][a-z]{2,})+|[A-Za-z]{1,12}-[a-z]{5,}")
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


# So much of a value is looked at; text of nothing but long values would otherwise take minutes per megabyte.
_JUDGED = 80


@lru_cache(maxsize=10_000)
def kind_of_name(name: str) -> str | None:
    """The kind of secret that a variable, field or header of this name holds, or None.

    It is ``password``, ``strict`` or ``bytes``.
    """
    stripped = name.strip("_-. $")
    if name.startswith("-D") and stripped.isupper():
        stripped = stripped[1:]  # an option of compilers: -DWIFI_PASS="..."
    lowered = stripped.lower()
    if _ABOUT_NAME.search(lowered):
        return None
    if _PASSWORD_NAME.search(lowered) or _PASSWORD_NAME.search(stripped):
        return "password"
    if lowered.endswith(("secret", "credentials")):
        return "password"  # people choose them as they choose passwords
    if _STRICT_NAME.search(lowered):
        return "strict"
    return BYTES if _BYTES_NAME.search(lowered) or _BYTES_NAME.search(stripped) else None


def is_secret_value(value: str, kind: str, least: int = 16) -> bool:
    """Whether ``value``, assigned to a name of this kind, is a secret rather than a placeholder or an identifier.

    :param least: the least number of characters of a random value.
    """
    value = value.rstrip(",;")[:_JUDGED]
    if len(value) < 6 or is_stand_in(value) or _TECHNICAL.match(value):
        return False
    if (code := _CODE.findall(value)) and (len(value) < 32 or len(code) > 1):
        return False
    if kind == "password":
        digits = sum(character.isdigit() for character in value)
        signs = sum(not character.isalnum() and character not in "_-./: " for character in value)
        letters = len(value) - digits - signs
        if letters and (digits or signs) and not is_words(value) and not _BRACKETS.search(value):
            return True
        if digits and not re.search(r"\s", value) and _is_mixed(value) and looks_random(value, 8):
            return True
    return looks_random(value, least) and not _is_secrets_name(value)


def _is_secrets_name(value: str) -> bool:
    """Whether a text is the name of a secret, as tests and tables give it to a field of that name."""
    return value.isidentifier() and len(_DIGITS.findall(value)) < 2 and kind_of_name(value) is not None


def is_sure_secret(value: str, kind: str) -> bool:
    """Whether a value that only stands near a name of this kind is a secret."""
    if not is_secret_value(value, kind) and not is_secret_value(value, "password"):
        return False
    numbers = len(_DIGITS.findall(value))
    if len(value) < 8 or not numbers or _BRACKETS.search(value) or _CODE_SIGNS.search(value.rstrip("=")):
        return False
    several = numbers > 1 or (len(value) >= 28 and _is_mixed(value))
    if several and looks_random(value, 20 if kind == "password" else 16) and len(_PATH_PARTS.findall(value)) < 2:
        return True
    if _REFERENCE.search(value):
        return False
    return _is_mixed(value) and bool(_SIGNS.search(value) or _SPELT.search(value) or _is_no_word(value))


def is_long_key(value: str) -> bool:
    """Whether a quoted value whose name is only ``key`` is one: long, and random in all its parts."""
    return 32 <= len(value) <= 128 and _is_no_name(value) and _is_mixed(value) and is_sure_secret(value, "strict")


def is_noted_secret(value: str, kind: str, sign: bool = True) -> bool:
    """Whether one word behind a name in a comment or in prose is a secret: w8Jm2nQz, Summer2024x, qwer1234!.

    :param sign: whether a colon or an equals sign stands before it; else only a value with special signs counts.
    """
    numbers = len(_DIGITS.findall(value))
    if len(value) < 8 or not numbers or not any(map(str.isalpha, value)) or not value.isascii():
        return False
    if not is_secret_value(value, kind) or _CODE_SIGNS.search(value) or _REFERENCE.search(value):
        return False
    if kind != "password" or (is_sure_secret(value, kind) and is_unquoted_sure(value)):
        return is_sure_secret(value, kind)
    if re.search(r"[#!@%^*?~$]", value) and not re.match(r"[$@%*]", value):
        return True
    if not sign or not value.isalnum():
        return False
    if numbers >= 2 and _is_mixed(value):
        return looks_random(value, 8) or not _SYLLABLES.search(value)
    return numbers == 1 and bool(_WORD_AND_YEAR.fullmatch(value)) and not _NUMBERED_METHOD.match(value)


def is_unquoted_sure(value: str) -> bool:
    """Whether text without quotes that may be a secret is none of the code around it."""
    return not _EXPRESSION.fullmatch(value) or _is_no_name(value) or bool(_SPELT.search(value))


def _is_mixed(value: str) -> bool:
    return value.lower() != value and value.upper() != value


def _is_no_word(value: str) -> bool:
    """Whether short text is no identifier: its classes change often."""
    return len(_DIGITS.findall(value)) >= 2 and not _SYLLABLES.search(value) and not is_words(value)


def is_key_digits(number: str, kind: str) -> bool:
    """Whether a long number, written in hexadecimal as in C, Verilog or VHDL, is a key."""
    digits = re.sub(r"^(?:0[xX]|\d*'[sS]?[hH] ?|[xX]\")|[_\"]", "", number).lower()
    return _is_random_hex(digits, 16 if kind != BYTES else 32)


def is_key_list(digits: list[str], decimal: list[int], kind: str) -> bool:
    """Whether a list of numbers is a key.

    :param digits: the hexadecimal ones, without their sign. :param decimal: the others.
    """
    if digits and len(decimal) <= len(digits) // 4:
        joined = "".join(digits).lower()
        steps = {int(b, 16) - int(a, 16) for a, b in pairwise(digits)}
        return len(digits) >= 2 and len(steps) > 2 and _is_random_hex(joined, 16)
    if kind == BYTES or len(decimal) not in (16, 20, 24, 28, 32, 48, 64) or max(decimal) > 255:
        return False
    return (
        max(decimal) > 127
        and len(set(decimal)) >= len(decimal) * 0.6
        and len({b - a for a, b in pairwise(decimal)}) > 6
    )


def is_key_bytes_text(value: str) -> bool:
    r"""Whether a string is bytes of a key: ``\x2b\x7e...``."""
    found = _ESCAPED_BYTES.fullmatch(value)
    return found is not None and is_key_list(re.findall(r"\\x([0-9a-fA-F]{2})", value), [], BYTES)


def _is_random_hex(digits: str, least: int) -> bool:
    if len(digits) < least or len(set(digits)) < 7 or "0123456789" in digits or "deadbeef" in digits:
        return False
    steps = Counter((int(b, 16) - int(a, 16)) % 16 for a, b in pairwise(digits))
    return max(Counter(digits).values()) <= len(digits) * 0.45 and max(steps.values()) <= len(digits) * 0.5


def is_stand_in(value: str) -> bool:
    """Whether ``value`` holds a placeholder that does not stand there by chance."""
    if _VARIABLE.fullmatch(value) or _QUOTED_VARIABLE.fullmatch(value) or _INDEXED.fullmatch(value):
        return True
    written, references = _REFERRED.subn("", value)
    if references and sum(map(str.isalnum, written)) < 6:
        return True  # ${DIRECTORY}/id_${KIND}: what is written there is too little for a secret
    return any(not _is_by_chance(match.group(0), value) for match in _STAND_IN.finditer(value))


def _is_by_chance(word: str, value: str) -> bool:
    """Whether random letters spell a placeholder: ``yOuR``, ``todO``, or ``todo`` in 36 other random characters.

    About one random value of 40 characters in 10,000 holds one of the short words in some case.
    """
    if not word.isalpha():
        return len(word) <= 4 and len(value) >= 32 and looks_random(value.replace(word, "", 1), 24)
    if len(word) >= 8:
        return len(_CLASS.findall(word)) > len(word) / 2
    tail = word[1:]
    return not (tail.islower() or word.isupper()) or (len(word) < 6 and looks_random(value.replace(word, "", 1), 24))


def is_unquoted_secret(value: str, kind: str, attached: bool) -> bool:
    """The same for a value without quotes outside configuration files, where it is more likely code.

    :param attached: whether the value follows the assignment sign directly.
    """
    if value.startswith(("+", "-", "?")):
        return False  # ${NAME:+value} of shells
    digits = sum(c.isdigit() for c in value)
    sure = (attached and (kind == "password" or digits >= 2)) or _is_no_name(value)
    if attached and kind == "password" and len(value) >= 8 and _SIGNS.search(value) and is_secret_value(value, kind):
        return True
    if kind == "password" and digits >= 2 and re.search(r"\w[#!@$]", value) and is_sure_secret(value.title(), kind):
        return True
    if "**" in value or (_EXPRESSION.fullmatch(value) and not sure) or is_words(re.sub(r"[+*]", "_", value)):
        return False
    return is_secret_value(value, "strict", least=10 if kind == "password" else 16)


def is_access(value: str) -> bool:
    """Whether text without quotes is a call or an index of words, as a file of an unknown language writes its code."""
    if not _ACCESS.match(value):
        return False
    return all(_PART.fullmatch(part) and _is_word(part) for part in re.findall(r"[A-Za-z0-9]+", value))


def _is_no_name(value: str) -> bool:
    """Whether text that could be an identifier is random: numbers in several places, and no words."""
    numbers = len(_DIGITS.findall(value))
    return (numbers >= 3 or (numbers == 2 and not _SYLLABLES.search(value))) and looks_random(value, 20)


def is_password_in_address(value: str) -> bool:
    """Whether the part between ``user:`` and ``@`` is a password: more than one lower-case word, and no placeholder."""
    if is_stand_in(value) or re.fullmatch(r"[a-z]{1,12}|\d{1,5}|[A-Z_]+", value):
        return False
    return not re.search(r"[$%]?[{}()\[\]?]", value)


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
    if is_words(value) or _is_dotted_name(value) or _JOINED_WORDS.fullmatch(value):
        return False
    # AbstractBasicAuthHandler changes every third letter, but most of its letters are in words.
    least_runs = 0.42 if value.isalpha() and not _lacks_words(value) else 0.3
    return (
        len(_CLASS.findall(value)) >= len(value) * least_runs
        and len(set(value)) >= min(len(value) * 0.4, 16)
        and entropy(value) >= 3.0
    )


def _is_dotted_name(value: str) -> bool:
    """Whether text is names joined by dots, with at most two digits: ``OAuth1Authenticator.ForRequestToken``."""
    letters, digits = sum(map(str.isalpha, value)), sum(map(str.isdigit, value))
    if "." not in value or digits > 2 or letters < 16 or not value.replace(".", "_").isidentifier():
        return False
    return sum(map(len, _CAMEL_WORD.findall(value))) >= 0.75 * letters


def _lacks_words(letters: str) -> bool:
    """Whether too few of 24 letters or more are in words of three or more small ones, for a name in camel case.

    Of 4,000 random values of 40 letters 38 count as names so, and 393 by the changes of class alone.
    """
    return len(letters) >= 24 and sum(map(len, _CAMEL_WORD.findall(letters))) < 0.65 * len(letters)


def is_words(value: str) -> bool:
    """Whether ``value`` is words joined by signs, perhaps numbered: an identifier, a path, a key of a translation."""
    if value.startswith(("/", "./", "../")):
        value = value.replace("#", "/")
    parts = _BETWEEN_PARTS.split(value.strip("#./@:$_-="))
    if len(parts) < 2 or not all(_PART.fullmatch(part) for part in parts):
        return False
    return all(map(_is_word, parts))


def _is_word(part: str) -> bool:
    """Whether letters and digits may be a word: camelCase changes its class every third letter or so, random letters
    every second one."""
    return len(part) <= 4 or len(_CLASS.findall(part)) <= len(part) / 2.5 + 1


def entropy(value: str) -> float:
    """Shannon entropy of the characters of ``value``, in bits per character."""
    size = len(value)
    return -sum(count / size * math.log2(count / size) for count in Counter(value).values())
