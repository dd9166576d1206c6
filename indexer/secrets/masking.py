"""Masks secrets in text, so that no index, data set, prompt, log or completion holds one.

Four detectors, from the certain to the probable: armoured private keys; formats with a known prefix
(``rules.FORMATS``, also inside base64 and in strings joined by ``+``); values whose name, header or address says that
they are secret; and Kingfisher, a detector with some 490 rules, which runs only if a file holds a random word.
Kingfisher can also verify a key with its service; that function is never called.

Cheap checks come first: most text is only split into words, and only the few long words are examined (about 1 s for
40 MB of code). Masking keeps the number of lines.
"""

import base64
import binascii
import bisect
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

from indexer.data_layout import secret_rules_cache_directory
from indexer.errors import UserError
from indexer.secrets import rules

PLACEHOLDER = "REDACTED"

Span = tuple[int, int]


def _only(alphabet: str) -> bytes:
    """A byte translation that keeps ``alphabet`` and turns every other byte into a space."""
    return bytes(code if chr(code) in alphabet else 0x20 for code in range(256))


_WORD_BYTES = _only(rules.WORD)
_ALNUM_BYTES = _only(rules.ALNUM)
_BASE64_BYTES = _only(rules.ALNUM + "+/=")
_LINE_END = re.compile(r"\r\n|\r|\n")

_ARMOUR = re.compile(r"-{4,5} ?BEGIN ([A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_ARMOUR_END = re.compile(r"-{4,5} ?END (?:[A-Z0-9]+ )*PRIVATE KEY")
_ARMOUR_LIMIT = 20_000
_BASE64_RUN = re.compile(r"[A-Za-z0-9+/=]{16,}")
_KEY_LINE = re.compile(
    r"[^\n]{0,24}?[A-Za-z0-9+/=]{16,}[^\n]{0,24}(?:\n|\Z)|[ \t#*+>\"'-]*(?:[A-Z][A-Za-z-]+: [^\n]*)?\n"
)
_PUTTY = re.compile(r"Private-Lines: ?\d+\r?\n((?:[^\n]{0,12}[A-Za-z0-9+/=]+[^\n]{0,12}\n?){1,100})")

# Where a string is joined to the next one in the middle of a word: "a" + "b", also over a line end.
_SEAM = re.compile(
    r"[\"'](?<=[\w+/=.~-].)[ \t]*(?:(?:\+|\.\.?|<<)[ \t]*(?:\r?\n[ \t]*)?|\\?\r?\n[ \t]*(?:(?:\+|\.\.?)[ \t]*)?)"
    r"[rbfuL@$]{0,2}[\"'](?=[\w+/=.~-])"
)

# From the stem of a name to the value: rest of the name, closing signs, type, assignment, opening quote.
_ASSIGNED = re.compile(
    r"(?P<rest>[\w$.-]{0,40})(?P<mark>[\"'`]?\]?)[ \t]{0,20}(?:\[\d{0,6}\])?[ \t]{0,20}"
    r"(?:(?P<sign>:[ \t]{0,4}[A-Za-z][\w\[\]<>.*&?| ]{0,40}=|[!=]={1,2}|=>|:=|\?\?=|[:=])|(?P<comma>,)|(?P<call>\())"
    r"\s{0,20}(?P<prefix>[A-Za-z@$]{0,2})(?:(?P<quote>[\"'`])(?P<quoted>[^\s\"'`]{6,512})(?P=quote)"
    r"|(?P<bare>[^\s\"'`,;&(){}\[\]<>=]{6,512}+={0,2})(?![(\[{>=]))"
)
# The same in a file of settings: the value goes on to the next space.
_SETTING = re.compile(
    r"(?P<rest>[\w$.-]{0,40})[ \t]{0,20}(?:[:=]|=>|[ \t])[ \t]{0,20}(?P<bare>[^\s\"'`]{6,512}+)(?!\S)"
)
_NAME_HEAD = re.compile(r"[\w$.-]{0,60}\Z")
_XML = re.compile(r"(?P<rest>[\w.:-]{0,40})>\s{0,20}(?P<bare>[^\s<>]{6,512})\s{0,20}</")

_URL = re.compile(r"://[^\s:/@\"'`<>?#]{0,64}:([^\s/@\"'`<>]{3,128})@(?=[\w\[{$%])")
_SCHEMES = ("Bearer ", "bearer ", "Basic ", "basic ", "Token ", "token ")
_CREDENTIALS = re.compile(r"[ \t]*([A-Za-z0-9._~+/=-]{16,})")
_SIGN_IN_VALUE = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}\Z")

_SETTINGS_NAMES = re.compile(
    r"(?:^|/)(?:dockerfile[^/]*|\.env[^/]*|[^/]*\.(?:ya?ml|ini|cfg|conf|config|properties|toml|env|sh|bash|zsh|tf|tfvars"
    r"|hcl|dockerfile|service|plist))$"
)


def mask(text: str, path: str = "") -> tuple[str, int]:
    """Replace every secret in ``text`` by ``REDACTED``; the number of lines stays the same.

    :param path: the path of the text; in configuration files a value counts also without quotes.
    :returns: the masked text and the number of masked spans.
    """
    spans = find(text, path)
    if not spans:
        return text, 0
    parts: list[str] = []
    position = 0
    for start, end in spans:
        parts += [text[position:start], PLACEHOLDER, *_LINE_END.findall(text, start, end)]
        position = end
    parts.append(text[position:])
    return "".join(parts), len(spans)


def prepare() -> None:
    """Load what :func:`mask` may need, so that no later call waits for it; other threads run meanwhile."""
    _kingfisher("")


def find(text: str, path: str = "") -> list[Span]:
    """The spans of the secrets in ``text``: offsets ``[start, end)``, sorted, not overlapping."""
    spans = _find(text, path)
    for start, end, seams in _joined_strings(text):
        spans += _find_across(text, path, start, end, seams)
    return _merged(spans)


def _find(text: str, path: str) -> list[Span]:
    spans: list[Span] = []
    if "PRIVATE KEY" in text:
        spans += _armoured(text)
    if "Private-Lines:" in text:
        spans += [match.span(1) for match in _PUTTY.finditer(text)]
    words = _long_words(text)
    if words:
        values = _announced(words)
        if _kingfisher_is_worth_asking(words):
            values |= _kingfisher(text)
        spans += _places(text, values)
    spans += _named(text, path)
    spans += _in_addresses(text)
    return spans


def _long_words(text: str) -> bytes:
    """The words of at least 20 characters, one per line, each once; splitting 40 MB takes a quarter of a second."""
    words = text.encode("utf-8", "surrogatepass").translate(_WORD_BYTES).split()
    return b"\n".join({word for word in words if len(word) >= rules.SHORTEST_WORD})


def _announced(words: bytes) -> set[str]:
    """Values among ``words`` in a known format, plain or inside base64."""
    values: set[str] = set()
    lines = words.decode("ascii")
    for literals, pattern in rules.FORMATS:
        for literal in literals:
            if literal in lines:
                values.update(match.group(0) for match in pattern.finditer(lines))
                break
    for run in words.translate(_BASE64_BYTES).split():
        if len(run) >= 24 and not run.islower() and _hides_secret(word := run.decode("ascii")):
            values.add(word)
    return values


def _hides_secret(word: str) -> bool:
    """Whether base64 text decodes to ASCII that holds a known format, or a name with a secret value."""
    try:
        inner = base64.b64decode(word.rstrip("=") + "=" * (-len(word.rstrip("=")) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        return False
    if not inner.isprintable() and not inner.replace("\n", "").replace("\r", "").replace("\t", "").isprintable():
        return False
    return bool(_armoured(inner) or any(pattern.search(inner) for _, pattern in rules.FORMATS) or _named(inner, ".env"))


def _places(text: str, values: set[str]) -> Iterator[Span]:
    for value in values:
        start = text.find(value)
        while start >= 0:
            yield start, start + len(value)
            start = text.find(value, start + len(value))


def _armoured(text: str) -> list[Span]:
    """The bodies of private keys, whole or cut off; code that only mentions the armour has no body."""
    spans: list[Span] = []
    begins = [match.span() for match in _ARMOUR.finditer(text)]
    for number, (_, start) in enumerate(begins):
        following = begins[number + 1][0] if number + 1 < len(begins) else len(text)
        limit = min(following, start + _ARMOUR_LIMIT)
        end = _ARMOUR_END.search(text, start, limit)
        if end is not None and _is_key_body(text[start : end.start()]):
            spans.append((start, end.start()))
            continue
        stop = text.find("\n", start, limit) + 1
        while stop and (line := _KEY_LINE.match(text, stop, limit)) and line.end() > stop:
            stop = line.end()
        if stop and _is_key_body(text[start:stop]):
            spans.append((start, stop))
    return spans


def _is_key_body(body: str) -> bool:
    """Mostly base64: at least 40 characters of it and half of all that is not space."""
    secret = sum(len(run) for run in _BASE64_RUN.findall(body))
    return secret >= 40 and secret >= 0.5 * len("".join(body.split()))


def _named(text: str, path: str) -> list[Span]:
    """Values whose name says that they are secret."""
    spans: list[Span] = []
    lowered = text.lower()
    if len(lowered) != len(text):  # a few letters grow when lowered, and offsets must agree
        lowered = "".join(c.lower() if c < "\x80" else c for c in text)
    settings = bool(_SETTINGS_NAMES.search(path.lower()))
    for stem in rules.NAME_STEMS:
        position = lowered.find(stem)
        while position >= 0:
            after = position + len(stem)
            span = _assigned(text, position, after, settings)
            if span is not None:
                spans.append(span)
                after = span[1]
            position = lowered.find(stem, after)
    return spans


def _assigned(text: str, position: int, after: int, settings: bool) -> Span | None:
    """The secret assigned to the name whose stem is at ``[position, after)``, or None."""
    match = _ASSIGNED.match(text, after)
    if match is not None and match["quoted"] is not None:
        if match["comma"] and not (match["mark"] and _is_quoted_name(text, position)):
            return None  # f(password, "value"): the second argument is not the first one's value
        kind = _kind(text, position, match.end("rest"))
        return match.span("quoted") if kind and rules.is_secret_value(match["quoted"], kind) else None
    if settings and (line := _SETTING.match(text, after)):
        kind = _kind(text, position, line.end("rest"))
        return line.span("bare") if kind and rules.is_secret_value(line["bare"], kind) else None
    if match is not None and match["sign"]:
        kind = _kind(text, position, match.end("rest"))
        start = match.start("prefix")
        value = text[start : match.end("bare")]
        if kind and rules.is_unquoted_secret(value, kind, match.end("sign") == start):
            return start, match.end("bare")
    elif match is None and (element := _XML.match(text, after)):
        kind = _kind(text, position, element.end("rest"))
        return element.span("bare") if kind and rules.is_secret_value(element["bare"], kind) else None
    return None


def _is_quoted_name(text: str, position: int) -> bool:
    """Whether the name around ``position`` begins right after a quote: "password", "value"."""
    head = _NAME_HEAD.search(text, max(0, position - 60), position)
    start = head.start() if head else position
    return start > 0 and text[start - 1] in "\"'`"


def _kind(text: str, position: int, end: int) -> str | None:
    """The kind of value that the name around ``position``, which ends at ``end``, announces."""
    head = _NAME_HEAD.search(text, max(0, position - 60), position)
    return rules.kind_of_name(text[head.start() if head else position : end])


def _in_addresses(text: str) -> list[Span]:
    """Passwords in addresses, and what follows ``Bearer`` or ``Basic``."""
    spans: list[Span] = []
    if "://" in text:
        for match in _URL.finditer(text):
            if rules.is_password_in_address(match.group(1)):
                spans.append(match.span(1))
    for scheme in _SCHEMES:
        position = text.find(scheme)
        while position >= 0:
            position += len(scheme)
            value = _CREDENTIALS.match(text, position)
            if value and (
                rules.looks_random(value.group(1)) or (scheme[1:] == "asic " and _SIGN_IN_VALUE.match(value.group(1)))
            ):
                spans.append(value.span(1))
            position = text.find(scheme, position)
    return spans


def _joined_strings(text: str) -> Iterator[tuple[int, int, list[Span]]]:
    """Runs of strings joined in the source: from the start of the first line to the end of the last, and the seams."""
    seams: list[Span] = []
    end = -1
    for match in _SEAM.finditer(text):
        if seams and match.start() > end:
            yield text.rfind("\n", 0, seams[0][0]) + 1, end, seams
            seams = []
        seams.append(match.span())
        end = text.find("\n", match.end())
        end = len(text) if end < 0 else end
    if seams:
        yield text.rfind("\n", 0, seams[0][0]) + 1, end, seams


def _find_across(text: str, path: str, begin: int, stop: int, seams: list[Span]) -> list[Span]:
    """Secrets in joined strings: found in the text without its seams, masked piece by piece."""
    joined: list[str] = []
    starts: list[int] = []  # where each piece begins in the joined text
    moves: list[int] = []  # what to add there to come back to the source
    length = 0
    for start, end in zip([begin, *(end for _, end in seams)], [*(start for start, _ in seams), stop], strict=True):
        joined.append(text[start:end])
        starts.append(length)
        moves.append(start - length)
        length += end - start
    starts.append(length)
    spans: list[Span] = []
    for start, end in _find("".join(joined), path):
        for piece in range(bisect.bisect_right(starts, start) - 1, bisect.bisect_left(starts, end)):
            left, right = max(start, starts[piece]), min(end, starts[piece + 1])
            if left < right:
                spans.append((left + moves[piece], right + moves[piece]))
    return spans


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        elif start < end:
            merged.append((start, end))
    return merged


def _kingfisher_is_worth_asking(words: bytes) -> bool:
    """Whether the words hold a random run of letters and digits, as nearly all of Kingfisher's rules require."""
    for run in words.translate(_ALNUM_BYTES).split():
        if len(run) >= 16 and not run.isalpha() and not run.isdigit() and rules.looks_random(run.decode("ascii")):
            return True
    return False


_scan: Callable[[bytes], Any] | None = None
_loading = threading.Lock()


def _kingfisher(text: str) -> set[str]:
    """The secrets that Kingfisher reports. Loading it takes 0.3 s with its compiled rules cached, 3 s without."""
    global _scan
    with _loading:
        if _scan is None:
            _scan = _load_kingfisher()
    return {
        finding.secret
        for finding in _scan(text.encode("utf-8", "replace"))
        # This module finds armoured keys and passwords in addresses itself, with more exact ends.
        if finding.visible
        and len(finding.secret) >= 12
        and "PRIVATE KEY" not in finding.secret
        and not finding.rule_id.endswith("generic-credential-uri")
    }


def _load_kingfisher() -> Callable[[bytes], Any]:
    try:
        from kingfisher_sdk import Rules, Scanner
    except ImportError as error:
        raise UserError(
            f"the secret detector cannot be loaded ({error})", "run: pip install kingfisher-secret-scanner"
        ) from error
    return Scanner(Rules(confidence="medium", cache_dir=str(secret_rules_cache_directory()))).scan
