"""Finds secrets on the line of a name of a secret, in whatever way the two are joined.

``assignments`` reads the usual ways to give a value to a name. Here is every other way: comparisons with the value
first, further arguments of a call, options of commands, defaults of variables, other languages, sentences. To stand on
one line is weak evidence, so the value itself must look like a secret (``rules.is_sure_secret``).
"""

import re
from collections.abc import Iterator
from typing import Final

from indexer.secrets import rules
from indexer.secrets.cover import Span

BEFORE: Final = 160
"""Characters before a name that are looked at."""

BEHIND: Final = 300
"""Characters behind a name that are looked at; as many as a long line has."""

WORDS: Final = 4
"""Words without quotes behind a name that are looked at."""

_QUOTED = re.compile(
    r"(?P<quote>\\{0,3}\"|\\{0,3}'|`)(?P<value>(?:(?!(?P=quote))[^\s\\]){6,256}+)(?:\\+[rn])?(?P=quote)"
)
_WORD = re.compile(r"[^\s\"'`,;(){}\[\]<>|=]{8,256}+")
_NUMBER = re.compile(
    r"(?<![\w'/@#\[.-])(?:(?:0[xX]|\d{0,4}'[sS]?[hH] ?|[xX]\")[0-9a-fA-F_]{16,}+|[0-9a-fA-F]{32,}+)(?![\w-])"
)
# Keys of 256 bits in hexadecimal, of 160 bits and more in base 32.
_KEY = re.compile(r"0x[0-9a-fA-F]{64}|(?=\w*[2-7])[A-Z2-7]{32,}")
_OPEN_END = re.compile(r"[=:({\[,>|][ \t\\\"'`]*\r?\Z|\"\"\"\r?\Z")
# What a value is given to, where something stands between it and the name of the secret.
_RECEIVER = re.compile(r"([\w$-]+)[\"'`]?[ \t]*(?:=>|[:!=]?={1,3}|:)[ \t]*[\"'`]?\Z")
_SENTENCE = re.compile(r"(?: [A-Za-z]+)* ")
_NEUTRAL = re.compile(
    r"(?:.*[._-])?(?:value|val|default|text|string|str|content|data|literal|initial|example|varchar2?|char|u8|bytes?|is)",
    re.IGNORECASE,
)
# Words of English that are also names of secrets.
_VERB = re.compile(r"pass|key|salt|clave", re.IGNORECASE)
_VALUE_ABOVE = re.compile(r"[ \t{-]*[\"']?(?i:value)[\"']?[ \t]*[:=]")

_CALLS: Final = (
    "getconnection( mysqli( mysqli_connect( pdo( mysqldb.connect( pymysql.connect( wifi.begin( addap( softap( hmac.new("
    " createhmac( createcipheriv( hmacsha256( jwt.sign( jwt.encode( jwt.verify( jwt.decode( signwith( from_secret("
    " fernet( totp( secretkeyspec( aes.new( wallet( dbi->connect( simple_bind ks.load( keystore.load( smbconnection("
    " connect_s3( securitykey( :auth( accounts: pgp_sym_encrypt( pgp_sym_decrypt( convertto-securestring"
)
_TAKERS: Final = (*_CALLS.split(), "jwt.encode ", "jwt.decode ")
"""What takes a secret among its arguments, in lower case."""

_QUOTED_ALONE = r"(?:b|\[\]byte\()?(?P<quote>[\"'])(?P<value>(?:(?!(?P=quote))[^\s\\]){6,128})(?P=quote)"
_HASHING: Final = (
    "hash::make( bcrypt( bcrypt. bcryptjs. argon2. password_hash( make_password( hashpassword( hash_password( hashpw("
    " generatefrompassword( pwd_context. passwordencoder. pbekeyspec( passwordprotection( passwordauthentication("
    " password.create("
)
_HASHES: Final = re.compile(
    r"(?:\b(?:Hash::make|bcrypt|password_hash|generate_password_hash|make_password|hash_?[pP]assword|hashpw"
    r"|GenerateFromPassword|(?:bcrypt|argon2|pwd_context|bcryptjs|passwordEncoder)\.(?:hash|hashSync|encode|generate)"
    r"|PBEKeySpec|PasswordProtection|PasswordAuthentication\([^()\n]{1,60},)\s?\(?|Password\.create\()\s{0,20}"
    rf"{_QUOTED_ALONE}"
)
_OPENS: Final = re.compile(
    r"\.(?:load|init|getKey|getEntry|setKeyEntry|loadKeyMaterial|loadTrustMaterial)\([^;\n]{0,160}?"
    rf"{_QUOTED_ALONE}\.toCharArray\("
)
_FTP: Final = re.compile(
    rf"(?:\bFTP(?:_TLS)?\([^\n,]{{1,80}},|->connect\([\"']dbi:[^\n,]{{1,80}},)\s{{0,9}}[^\n,]{{1,60}},\s{{0,9}}{_QUOTED_ALONE}"
)
_LOGIN: Final = re.compile(
    r"(?:getConnection|new PDO|create_(?:super)?user)\([^\n;]{3,200}?,\s{0,20}(?P<quote>[\"'])"
    r"(?P<value>(?:(?!(?P=quote))[^\s\\]){6,128})(?P=quote)\s{0,20}\)"
)
_TAKING: Final = (
    (tuple(_HASHING.split()), _HASHES),  # Hash::make("value")
    (("tochararray(",), _OPENS),  # keys.load(in, "value".toCharArray())
    (("ftp(", "ftp_tls(", "->connect("), _FTP),  # FTP(host, "user", "value")
    (("getconnection(", "new pdo(", "user("), _LOGIN),  # getConnection(url, "user", "value")
)
"""Calls that take a password: words of which one must stand in the text, in lower case, and the pattern."""


def taken(text: str, lowered: str) -> Iterator[Span]:
    """Yield the secrets among the quoted arguments of calls that take one.

    :param lowered: the text in lower case, of the same length.
    """
    for taker in _TAKERS:
        position = lowered.find(taker)
        while position >= 0:
            position += len(taker)
            _, last = _region(text, position, position)
            for match in _QUOTED.finditer(text, position, last):
                if rules.is_sure_secret(match["value"], "password") or _KEY.fullmatch(match["value"]):
                    yield match.span("value")
            position = lowered.find(taker, position)
    for anchors, pattern in _TAKING:
        if any(anchor in lowered for anchor in anchors):
            for match in pattern.finditer(text):
                if rules.is_secret_value(match["value"], "password"):
                    yield match.span("value")


def nearby(text: str, start: int, end: int, kind: str) -> Iterator[Span]:
    """Yield the secrets near the name at ``[start, end)``, which is of this kind."""
    if _VERB.fullmatch(text, start, end) and text[end : end + 1] not in (":", "=", *"\"'`"):
        return
    first, last = _region(text, start, end)
    for match in _QUOTED.finditer(text, first, last):
        left, right = match.span("value")
        if (
            (right <= start or end <= left)
            and _may_belong(text, end, left)
            and rules.is_sure_secret(match["value"], kind)
        ):
            yield left, right
    for match in _NUMBER.finditer(text, end, last):
        if _may_belong(text, end, match.start()) and rules.is_key_digits(match[0], kind):
            yield match.span()
    for number, match in enumerate(_WORD.finditer(text, end, last)):
        if number == WORDS:
            return
        left, right = match.span()
        if left == end or text[right : right + 1] == "(":
            continue  # the rest of a longer word: an address, a reference; or the name of a call
        while right > left and text[right - 1] in ".,:*_?":
            right -= 1
        value = text[left:right].lstrip("*_:@$+-")
        if _may_belong(text, end, left) and rules.is_sure_secret(value, kind) and rules.is_unquoted_sure(value):
            yield right - len(value), right


def _may_belong(text: str, end: int, start: int) -> bool:
    """Whether the value at ``start`` is given to no other name than the one that ends at ``end``.

    It may be given to none, to ``value``, to a type, or to the last word of a sentence with the name.
    """
    receiver = _RECEIVER.search(text, max(0, start - 60), start)
    if receiver is None or _NEUTRAL.fullmatch(receiver[1]) or rules.kind_of_name(receiver[1]) is not None:
        return True
    return end < receiver.start() and bool(_SENTENCE.fullmatch(text, end, receiver.start()))


def _region(text: str, start: int, end: int) -> Span:
    """The line of a name, with the next one if this one ends openly, and the one above if it says ``value:``."""
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", end)
    last = len(text) if last < 0 else last
    if first and _VALUE_ABOVE.match(text, above := text.rfind("\n", 0, first - 1) + 1):
        first = above
    if last < len(text) and _OPEN_END.search(text, max(end, last - 20), last):
        following = text.find("\n", last + 1)
        last = len(text) if following < 0 else following
    return max(first, start - BEFORE), min(last, end + BEHIND)
