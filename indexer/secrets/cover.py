"""What stands in the place of secrets, and how it is put there.

A document that must keep its length is *covered*: each character of a secret becomes :data:`COVER`. In an index, a
prompt and a data set a secret is :data:`PLACEHOLDER`.
"""

import re
from collections.abc import Iterable
from typing import Final

PLACEHOLDER: Final = "REDACTED"
"""What stands for a secret in an index, a prompt and a data set."""

COVER: Final = "\ufdd0"
"""What stands for each character of a secret where a document must keep its length: a character that no text holds."""

Span = tuple[int, int]

_LINE = re.compile(r"[^\r\n]+")
_COVERED = re.compile(f"{COVER}+")


def covered(text: str, spans: Iterable[Span]) -> str:
    """Put :data:`COVER` in the place of every character of the spans, but for line ends and blank lines."""
    parts: list[str] = []
    position = 0
    for start, end in spans:
        parts.append(text[position:start])
        parts.append(_LINE.sub(_cover, text[start:end]))
        position = end
    parts.append(text[position:])
    return "".join(parts)


def _cover(line: "re.Match[str]") -> str:
    return line[0] if line[0].isspace() else COVER * len(line[0])


def shortened(text: str) -> str:
    """Replace the covered parts of a text by ``REDACTED``, as they stand in an index."""
    return _COVERED.sub(PLACEHOLDER, text) if COVER in text else text


def merged(spans: Iterable[Span]) -> list[Span]:
    """Sort spans and join those that overlap."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start < found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        elif start < end:
            found.append((start, end))
    return found
