"""Finds private keys that are written over several lines: armour as of PEM, OpenSSH and PGP, and PuTTY's files.

A key is found whole, cut off at either end, half typed, indented, in comments, in strings with ``\\n`` and in strings
that are joined over lines. Code that only mentions the armour has no body and stays.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from indexer.secrets.cover import Span

HEADLESS: Final = (
    "b3BlbnNzaC1rZXktdjEA",  # openssh-key-v1
    "IBADANBgkqhkiG9w0BAQEF",  # PKCS 8 with RSA
    "BAgEAMBMGByqGSM49AgEGCCqGSM49AwEH",
    "AgEAMBMGByqGSM49AgEG",  # PKCS 8 with a curve
    "IBAAKCAQEA",
    "IBAAKCAgEA",
    "IBAAKBgQ",  # PKCS 1
    "MHcCAQEEI",  # SEC 1
    "MC4CAQAwBQYDK2VwBCIEI",  # Ed25519
)
"""How the base64 of a private key begins where no armour stands before it."""

LITERALS: Final = ("PRIVATE KEY", "Private-Lines:", "OpenVPN Static key", "PKCS12", *HEADLESS)
"""A text without any of these holds no key."""

_LIMIT: Final = 20_000
"""Characters of a key, at most."""

_REACH: Final = _LIMIT + 200
"""Nothing that is further from a sign belongs to its key, or to the armour of one."""

_NAME = r"(?:[A-Za-z0-9]+ )*(?:PRIVATE KEY(?: BLOCK)?|OpenVPN Static key V\d|PKCS12)"
_BEGIN = re.compile(rf" ?BEGIN {_NAME} ?(?:-{{2,5}}|$)", re.MULTILINE)
_END = re.compile(rf" ?END {_NAME}")
_RUN = re.compile(r"[A-Za-z0-9+/=]{16,}")
_MARGIN = r"[ \t#*+>;|%\"'`/(,-]{0,24}?"
_TAIL = r"[ \t\"'`\\,;+.)&|nr<]{0,24}"
# A line of a key: base64 between the signs of comments and strings, a header of the armour, or nothing.
_KEY_LINE = re.compile(
    rf"{_MARGIN}(?:[A-Za-z0-9+/=]{{16,}}{_TAIL}|[A-Za-z0-9+/]{{1,15}}={{0,2}}{_TAIL}|[A-Z][A-Za-z0-9-]{{1,30}}: [^\n]*)"
    rf"(?:\n|\Z)|{_MARGIN}{_TAIL}\n"
)
_WORDS_ONLY = re.compile(r"[^A-Za-z]*[a-z]{1,15}[^A-Za-z0-9]*\n?")
_PUTTY = re.compile(r"Private-Lines: ?\d+\r?\n((?:[^\n]{0,12}[A-Za-z0-9+/=]+[^\n]{0,12}\n?){1,100})")


def key_signs(text: str, start: int = 0, end: int | None = None) -> list[int]:
    """Return where :data:`LITERALS` stand in a part of a text, ascending; without any, it holds no key."""
    stop = len(text) if end is None else end
    found: list[int] = []
    for literal in LITERALS:
        position = text.find(literal, start, stop)
        while position >= 0:
            found.append(position)
            position = text.find(literal, position + 1, stop)
    return sorted(found)


def key_blocks(text: str, signs: Iterable[int] | None = None) -> list[Span]:
    """Return the spans of the bodies of private keys.

    :param signs: the result of :func:`key_signs`, where it is known. Only what stands near them is read.
    """
    spans: list[Span] = []
    for first, last in _near(text, key_signs(text) if signs is None else signs):
        spans += ((start + first, end + first) for start, end in _blocks(text[first:last]))
    return spans


def _near(text: str, signs: Iterable[int]) -> list[Span]:
    """Return the parts of a text, in whole lines, that decide what the signs belong to."""
    parts: list[Span] = []
    for sign in signs:
        if parts and sign + _REACH <= parts[-1][1]:
            continue
        first, last = _line_start(text, sign - _REACH), text.find("\n", sign + _REACH) + 1 or len(text)
        if parts and first <= parts[-1][1]:
            parts[-1] = parts[-1][0], max(last, parts[-1][1])
        else:
            parts.append((first, last))
    return parts


def _blocks(text: str) -> list[Span]:
    spans: list[Span] = []
    if any(literal in text for literal in LITERALS[:4]):
        spans += _armoured(text)
    if "Private-Lines:" in text:
        spans += [match.span(1) for match in _PUTTY.finditer(text)]
    for beginning in HEADLESS:
        position = text.find(beginning)
        while position >= 0:
            start = _line_start(text, position)
            run = max(
                (one for one in _RUN.finditer(text, start, start + _LIMIT) if one.end() > position),
                default=None,
                key=lambda one: -one.start(),
            )
            if run is None or run.start() > position or run.end() - run.start() < 40:
                position = text.find(beginning, position + 1)
                continue
            end = _lines_from(text, text.find("\n", position) + 1 or len(text), position + _LIMIT)
            spans.append((run.start(), max(run.end(), end)))
            position = text.find(beginning, spans[-1][1])
    return spans


def _armoured(text: str) -> list[Span]:
    """Return the bodies between armour lines, whole or cut off."""
    spans: list[Span] = []
    begins = list(_armour_lines(text, _BEGIN, "BEGIN "))
    ends = [start for start, _ in _armour_lines(text, _END, "END ")]
    used = set()
    for number, (_, start) in enumerate(begins):
        following = begins[number + 1][0] if number + 1 < len(begins) else len(text)
        limit = min(following, start + _LIMIT)
        end = next((one for one in ends if start <= one < limit), None)
        if end is not None:
            used.add(end)
            if is_key_body(text[start:end]):
                last = _line_start(text, end)  # what stands before the armour on its line is no key
                spans.append((start, last if start < last and end - last < 24 else end))
                continue
        line = text.find("\n", start, limit)
        stop = _lines_from(text, line + 1, limit) if line >= 0 else limit
        for left, right in ((start, stop), (start, line if line >= 0 else limit)):
            if right > left and is_key_body(text[left:right]):
                spans.append((left, right))
                break
    for end in ends:
        if end not in used and (start := _lines_before(text, end)) < end and is_key_body(text[start:end]):
            spans.append((start, end))
    return spans


def _armour_lines(text: str, pattern: "re.Pattern[str]", word: str) -> Iterator[Span]:
    """Yield the spans of armour, from its first dash; finding the word first is 100 times as fast as the pattern."""
    for opening in (f"----{word}", f"---- {word}"):
        position = text.find(opening)
        while position >= 0:
            match = pattern.match(text, position + 4)
            if match is not None:
                yield position - (text[position - 1 : position] == "-"), match.end()
            position = text.find(opening, position + 4)


def _lines_from(text: str, position: int, limit: int) -> int:
    """Return where the lines of a key that begin at ``position`` end."""
    limit = min(limit, len(text))
    while position < limit and (line := _KEY_LINE.match(text, position, limit)) and line.end() > position:
        if _WORDS_ONLY.fullmatch(line[0]):
            break  # code: "end", "return"
        position = line.end()
    return position


def _lines_before(text: str, end: int) -> int:
    """Return where the lines of a key that end at ``end`` begin."""
    position = _line_start(text, end)
    start = end
    while position > max(0, end - _LIMIT):
        above = _line_start(text, position - 1)
        line = text[above:position]
        if not _KEY_LINE.fullmatch(line) or not _RUN.search(line):
            break
        start = position = above
    return start if start < end else _line_start(text, end)


def _line_start(text: str, position: int) -> int:
    return text.rfind("\n", 0, max(position, 0)) + 1


def is_key_body(body: str) -> bool:
    """Return whether a text is mostly base64: 16 characters of it at least, eight of them different, and half of it."""
    runs = _RUN.findall(body)
    secret = sum(map(len, runs))
    return secret >= 16 and len(set().union(*runs)) >= 8 and secret >= 0.5 * len("".join(body.split()))
