"""Masks the secrets of a document, so that no index, data set, prompt, log or completion holds one.

Masking looks at a whole document with its path: a line alone does not show that it is part of a key, or a value below
``kind: Secret``. The detectors, from the certain to the probable: private keys over several lines (``key_blocks``);
formats that a service documents (``formats``, also inside base64 and in strings joined by ``+``); values whose name
(``assignments``), surroundings (``credentials``) or table (``structures``) say that they are secret; and Kingfisher, a
detector with some 490 rules, which runs only if a text holds a random word. Kingfisher can also verify a key with its
service; that function is never called.

Cheap checks come first: most text is only split into words, and only the few long words are examined. Masking keeps the
number of lines. An editor's document is masked with each key by ``documents``, which uses :func:`find_near`.
"""

import base64
import binascii
import bisect
import contextlib
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from indexer import lock
from indexer.data_layout import secret_rules_cache_directory
from indexer.errors import OndolError, UserError
from indexer.secrets import formats, rules
from indexer.secrets.assignments import named
from indexer.secrets.columns import FINDERS
from indexer.secrets.cover import COVER, Span, covered, merged, shortened
from indexer.secrets.credentials import credentials
from indexer.secrets.key_blocks import LITERALS, key_blocks
from indexer.secrets.structures import secret_data, table_cells

LEAST_SPREAD: Final = 8
"""A secret with this number of characters or more is masked wherever it stands in its document as a word."""

LEAST_WITHIN: Final = 12
"""A secret with this number of characters or more is masked within longer words as well.

Kingfisher's shortest values have this length. What it finds is masked wherever it stands in the text that it searched,
so masking after a key, which searches a part of the document, has to mask the rest of the document in the same way.
"""


def _only(alphabet: str) -> bytes:
    """A byte translation that keeps ``alphabet`` and turns every other byte into a space."""
    return bytes(code if chr(code) in alphabet else 0x20 for code in range(256))


_WORD_BYTES = _only(formats.WORD)
_ALNUM_BYTES = _only(formats.ALNUM)
_BASE64_BYTES = _only(formats.ALNUM + "+/=")
# An equals sign in front of more text ends what may be base64: NAME=value is two words.
_BASE64_ENDS = re.compile(rb"(=)(?=[A-Za-z0-9+/])")
_TABLES = (".md", ".markdown", ".mdx", ".rst", ".adoc", ".txt")
_YAML = (".yaml", ".yml", ".tpl", ".j2")

# Where a string is joined to the next one in the middle of a word: "a" + "b", also over a line end.
_SEAM = re.compile(
    r"[\"'](?<=[\w+/=.~-].)[ \t]*(?:(?:\+|\.\.?|<<)[ \t]*(?:\r?\n[ \t]*)?|\\?\r?\n[ \t]*(?:(?:\+|\.\.?)[ \t]*)?)"
    r"[rbfuL@$]{0,2}[\"'](?=[\w+/=.~-])"
    r"|\\(?:\n(?<=[\w+/=~-]{8}..)|\r\n(?<=[\w+/=~-]{8}...))(?=[\w+/=~-]{8})",  # within a string
    re.DOTALL,
)


def mask(text: str, path: str = "") -> tuple[str, int]:
    """Replace the secrets of each line by ``REDACTED``; the number of lines stays the same.

    :param path: the path of the text; in configuration files a value counts also without quotes.
    :returns: the masked text and the number of masked spans.
    """
    spans = find(text, path)
    return (shortened(covered(text, spans)), len(spans)) if spans else (text, 0)


def prepare() -> None:
    """Load what :func:`mask` may need, so that no later call waits for it; other threads run meanwhile."""
    _kingfisher("")


def find(text: str, path: str = "") -> list[Span]:
    """The spans of the secrets in a document: offsets ``[start, end)``, sorted, not overlapping."""
    spans = [*merged(find_near(text, path)), *merged(find_far(text, path))]
    return merged([*spans, *spread(text, values_of(text, spans))]) if spans else spans


def find_near(text: str, path: str) -> list[Span]:
    """The secrets that the lines around them show, unsorted."""
    spans = _find(text, path)
    for start, end, seams in _joined_strings(text):
        spans += _find_across(text, path, start, end, seams)
    return spans


def find_far(text: str, path: str, signs: Iterable[int] | None = None) -> list[Span]:
    """The secrets that only the whole document shows, unsorted; cheap where there are none.

    :param signs: what :func:`key_blocks.key_signs` returns for the text, where it is known.
    """
    spans = key_blocks(text, signs)
    name = path.lower()
    if name.endswith(_TABLES) and "|" in text:
        spans += table_cells(text)
    if name.endswith(_YAML) and "Secret" in text:
        spans += secret_data(text)
    if columns := FINDERS.get(name[name.rfind(".") :]):
        spans += columns(text)
    return spans


def may_show_far(path: str, text: str, part: Span) -> bool:
    """Whether a change in a part of a text may change what :func:`find_far` finds in it."""
    name = path.lower()
    if name.endswith(_YAML):
        return "Secret" in text or any(text.find(literal, *part) >= 0 for literal in LITERALS)
    if name.endswith(tuple(FINDERS)) or (name.endswith(_TABLES) and text.find("|", *part) >= 0):
        return True
    return any(text.find(literal, *part) >= 0 for literal in LITERALS)


def values_of(text: str, spans: Iterable[Span]) -> set[str]:
    """The secrets of one line that are long enough to be masked wherever they stand."""
    values = {text[start:end] for start, end in spans if LEAST_SPREAD <= end - start <= 512}
    return {value for value in values if not any(sign in value for sign in ("\n", " ", "%", COVER))}


def spread(text: str, values: Iterable[str], start: int = 0, end: int | None = None) -> Iterator[Span]:
    """Yield the places of values in a part of a text; those of short values not within longer words."""
    stop = len(text) if end is None else end
    for value in values:
        at = text.find(value, start, stop)
        while at >= 0:
            after = at + len(value)
            if len(value) >= LEAST_WITHIN or (
                not (text[at - 1 : at].isalnum() and value[0].isalnum())
                and not (text[after : after + 1].isalnum() and value[-1].isalnum())
            ):
                yield at, after
            at = text.find(value, after, stop)


def _find(text: str, path: str) -> list[Span]:
    spans: list[Span] = []
    words = _long_words(text)
    if words:
        values = _announced(words)
        if _kingfisher_is_worth_asking(words):
            values |= _kingfisher(text)
        spans += _places(text, values)
    for literals, pattern in formats.MARKED:
        if any(literal in text for literal in literals):
            spans += [match.span() for match in pattern.finditer(text)]
    spans += named(text, path)
    spans += credentials(text, path)
    return spans


def _long_words(text: str) -> bytes:
    """The words of at least 20 characters, one per line, each once; splitting 40 MB takes a quarter of a second."""
    words = text.encode("utf-8", "surrogatepass").translate(_WORD_BYTES).split()
    return b"\n".join({word for word in words if len(word) >= formats.SHORTEST_WORD})


def _announced(words: bytes) -> set[str]:
    """Values among ``words`` in a known format, plain or inside base64."""
    values: set[str] = set()
    lines = words.decode("ascii")
    for literals, pattern in formats.FORMATS:
        for literal in literals:
            if literal in lines:
                found = (match.group(0) for match in pattern.finditer(lines))
                values.update(value for value in found if "XXXXXX" not in value.upper())
                break
    for run in _BASE64_ENDS.sub(rb"\1 ", words.translate(_BASE64_BYTES)).split():
        if len(run) >= 24 and not run.islower() and _hides_secret(word := run.decode("ascii")):
            values.add(word)
    return values


@lru_cache(2_048)
def _hides_secret(word: str) -> bool:
    """Whether base64 text decodes to ASCII that holds a known format, or a name with a secret value."""
    try:
        inner = base64.b64decode(word.rstrip("=") + "=" * (-len(word.rstrip("=")) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        return False
    if not inner.isprintable() and not inner.replace("\n", "").replace("\r", "").replace("\t", "").isprintable():
        return False
    known = any(pattern.search(inner) for _, pattern in formats.FORMATS)
    return bool(key_blocks(inner) or known or named(inner, ".env"))


def _places(text: str, values: set[str]) -> Iterator[Span]:
    for value in values:
        start = text.find(value)
        while start >= 0:
            yield start, start + len(value)
            start = text.find(value, start + len(value))


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


def _kingfisher_is_worth_asking(words: bytes) -> bool:
    """Whether the words hold a random run of letters and digits, as nearly all of Kingfisher's rules require."""
    for run in words.translate(_ALNUM_BYTES).split():
        if len(run) >= 16 and not run.isalpha() and not run.isdigit() and rules.looks_random(run.decode("ascii")):
            return True
    return False


_scan: Callable[[bytes], Any] | None = None
_loading = threading.Lock()


def _kingfisher(text: str) -> set[str]:
    """The secrets that Kingfisher reports. Loading it takes 0.7 s with its compiled rules cached, 6 s without."""
    global _scan
    with _loading:
        if _scan is None:
            _scan = _load_kingfisher()
    return {
        finding.secret
        for finding in _scan(text.encode("utf-8", "replace"))
        # This module finds armoured keys and passwords in addresses itself, with more exact ends.
        if finding.visible
        and len(finding.secret) >= LEAST_WITHIN
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
    cache = secret_rules_cache_directory()
    with _one_compiles(cache):
        rules_of_services = Rules(confidence="medium", cache_dir=str(cache))
    return Scanner(rules_of_services).scan


@contextlib.contextmanager
def _one_compiles(cache: Path) -> Iterator[None]:
    """Let one process compile the rules, while those that start with it wait and then load them.

    Compiling takes 6 s of one processor. A server and its indexing processes start at the same time.
    """
    with contextlib.ExitStack() as stack:
        # Without a cache that can be written, or after a minute, each compiles for itself.
        with contextlib.suppress(OSError, OndolError):
            cache.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not any(cache.glob("*.vscdb")):
                stack.enter_context(lock.hold(cache / "compiling", "compiling its rules for secrets", wait_s=60))
        yield
