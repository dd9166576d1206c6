"""The formats of secrets whose value says what it is: tokens of services, password hashes, resident numbers.

Data only. The formats are those that the services document.
"""

import re
from typing import Final

# (literals of which one must occur, what the secret looks like). All characters of a match belong to WORD.
_FORMATS: Final[tuple[tuple[str, str], ...]] = (
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
    ("LTAI AKID", r"(?<![A-Za-z0-9])(?:LTAI[A-Za-z0-9]{12,26}|AKID[A-Za-z0-9]{32})(?![A-Za-z0-9])"),
    (
        "AQVN YCAJE YCM t1.9",
        r"(?<![A-Za-z0-9])(?:AQVN[A-Za-z0-9_-]{35,38}|YCAJE[A-Za-z0-9_-]{20}|YCM[A-Za-z0-9_-]{37})",
    ),
    ("SCW", r"(?<![A-Za-z0-9])SCW[A-Z0-9]{17}(?![A-Za-z0-9])"),
    ("EAA", r"(?<![A-Za-z0-9+/])EAA[A-Za-z0-9]{40,}"),
    ("sk.eyJ pk.eyJ", r"(?<![A-Za-z0-9])[sp]k\.eyJ[A-Za-z0-9_-]{40,}\.[A-Za-z0-9_-]{16,}"),
    ("v1.0-", r"(?<![A-Za-z0-9])v1\.0-[0-9a-f]{24}-[0-9a-f]{100,}"),
    ("HRKU- CCIPAT_ CCIPRJ_ bkua_", r"(?:HRKU-[A-Za-z0-9_-]{36,}|CCIP(?:AT|RJ)_[A-Za-z0-9_]{40,}|bkua_[0-9a-f]{40})"),
    (
        "aio_ pscale_ tskey- rdme_",
        r"(?<![A-Za-z0-9])(?:aio_[A-Za-z0-9]{28}|pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_=.-]{32,}"
        r"|tskey-(?:api|auth|client|scim|webhook)-[A-Za-z0-9]{8,}-[A-Za-z0-9]{16,}|rdme_[a-z0-9]{70})",
    ),
    ("pat", r"(?<![A-Za-z0-9])pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    ("dt0c01.", r"dt0c01\.[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    ("EZAK EZTK FLWSECK", r"(?<![A-Za-z0-9])(?:EZ[AT]K[A-Za-z0-9]{54}|FLWSECK[_-][A-Za-z0-9_-]{12,})"),
    ("sha256~", r"sha256~[A-Za-z0-9_-]{43}"),
    (
        "duffel_ shippo_ CLOJARS_ pnu_ ico- sb_secret_",
        r"(?<![A-Za-z0-9])(?:duffel_(?:test|live)_[A-Za-z0-9_=-]{43}"
        r"|shippo_(?:live|test)_[0-9a-f]{40}|CLOJARS_[a-z0-9]{60}|pnu_[A-Za-z0-9]{36}|ico-[A-Za-z0-9]{32}"
        r"|sb_secret_[A-Za-z0-9_-]{20,})",
    ),
    ("sdk- mob- api-", r"(?<![A-Za-z0-9])(?:sdk|mob|api)-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![A-Za-z0-9])"),
    ("AKCp cmVmdGtu", r"(?<![A-Za-z0-9+/])(?:AKCp[A-Za-z0-9]{60,}|cmVmdGtu[A-Za-z0-9]{40,})"),
    ("hooks.zapier.com/", r"hooks\.zapier\.com/hooks/catch/[0-9]+/[A-Za-z0-9]{5,}"),
    ("sl.", r"(?<![A-Za-z0-9_.])sl\.(?:[A-Z]\.)?[A-Za-z0-9_-]{100,}"),
    ("csk- tgp_v1_", r"(?<![A-Za-z0-9])(?:csk-[a-z0-9]{48}|tgp_v1_[A-Za-z0-9_-]{43})(?![A-Za-z0-9])"),
)

ALNUM: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
WORD: Final = ALNUM + "_-+/=.:@%~&?"
"""Characters of which words are made; a match of ``FORMATS`` never holds another one."""

SHORTEST_WORD: Final = 20
"""The shortest format is an AWS key id, 20 characters."""

FORMATS: Final[tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]] = tuple(
    (tuple(literals.split()), re.compile(pattern)) for literals, pattern in _FORMATS
)


MARKED: Final[tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]] = (
    (("$2a$", "$2b$", "$2y$", "$2x$"), re.compile(r"\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}")),
    (
        ("$1$", "$5$", "$6$", "$apr1$"),
        re.compile(r"\$(?:1|5|6|apr1)\$(?:rounds=\d+\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{22,86}"),
    ),
    (("$y$", "$7$", "$gy$"), re.compile(r"\$(?:y|7|gy)\$[./A-Za-z0-9]{2,}\$[./A-Za-z0-9]{8,}\$[./A-Za-z0-9]{30,}")),
    (("$argon2",), re.compile(r"\$argon2(?:id?|d)\$v=\d+\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]{8,}\$[A-Za-z0-9+/]{16,}")),
    (
        ("pbkdf2_sha", "bcrypt_sha256$", "scrypt$"),
        re.compile(r"\b(?:pbkdf2_sha\d+\$\d+|bcrypt_sha256\$|scrypt\$\d+)\$[./A-Za-z0-9+=$-]{30,}"),
    ),
    (("{SSHA", "{SHA", "{MD5", "{SMD5"), re.compile(r"\{S?(?:SHA(?:256|384|512)?|MD5)\}[A-Za-z0-9+/]{20,}={0,2}")),
)
"""(literals of which one must occur, format) of values with signs that no word holds."""
