"""A text that an editor changes, as the protocol counts its lines and columns. Imports little, as ``framing``."""

from indexer.text.lines import lines_with_ends
from lsp_server.positions import (
    UTF16,
    body_length,
    has_surrogate,
    join_surrogates,
    split_at,
    split_lines,
    units,
)


class Text:
    """A text that is edited by lines and columns.

    The text is a list of lines and, once it was read, one string that edits patch. The offset of the line that was used
    last is remembered, because edits and requests come close together. ``benchmarks/bench_server.py`` measures edit,
    ``text`` and ``offset`` at 100,000 lines.

    :param limit: texts of more code points are not patched as one string; they get no completion.
    :param line_limit: lines of more code points are counted in :attr:`long_lines`.
    """

    def __init__(self, text: str, encoding: str = UTF16, limit: int = 1_000_000, line_limit: int = 20_000) -> None:
        self.encoding = encoding
        self.limit = limit
        self.line_limit = line_limit
        self.set(text)

    def set(self, text: str) -> None:
        """Replace the whole text."""
        text = join_surrogates(text)
        self.lines = split_lines(text)
        self._text: str | None = text
        self._mark = (0, 0)
        self.length = len(text)
        self.long_lines = self._count_long(self.lines)
        self._odd = has_surrogate(text)

    @property
    def text(self) -> str:
        """The whole text."""
        if self._text is None:
            self._text = "".join(self.lines)
        return self._text

    @property
    def broken(self) -> bool:
        """Whether the text holds a lone half of a character, which no encoder accepts."""
        if self._odd:
            self._odd = has_surrogate(self.text)
        return self._odd

    def offset(self, line: int, column: int) -> int:
        """Return the code point offset of a position given in units, clamped into the text."""
        if line >= len(self.lines):
            return self.length
        body = self.lines[line]
        head, _ = split_at(body[: body_length(body)], column, self.encoding)
        return self._start(line) + len(head)

    def position(self, offset: int) -> tuple[int, int]:
        """Return the line and the column in units of a code point offset, clamped into the text."""
        line, start = self._mark
        while offset < start:
            line -= 1
            start -= len(self.lines[line])
        last = len(self.lines) - 1
        while line < last and offset >= start + len(self.lines[line]):
            start += len(self.lines[line])
            line += 1
        self._mark = (line, start)
        body = self.lines[line]
        return line, units(body[: min(offset - start, body_length(body))], self.encoding)

    def replace(self, start: tuple[int, int], end: tuple[int, int], new: str) -> None:
        """Replace the text between two positions (line, column in units); positions past the end are the end."""
        first, left, _ = self._cut(start)
        last, _, right = self._cut(max(start, end))
        seam = left[-1:] + new + right[:1]
        joined = left + new + right
        if has_surrogate(seam):
            self._odd = True
            joined = join_surrogates(joined)
        one_line = "\n" not in new and "\r" not in new
        if first and joined.startswith("\n") and self.lines[first - 1].endswith("\r"):
            first -= 1
            joined = self.lines[first] + joined
        if joined.endswith("\r") and last + 1 < len(self.lines) and self.lines[last + 1].startswith("\n"):
            last += 1
            joined += self.lines[last]
            one_line = False
        if one_line and joined:
            self._splice(first, last, joined, [joined])
        else:
            at_end = last + 1 == len(self.lines)
            self._splice(first, last, joined, split_lines(joined) if at_end else lines_with_ends(joined))

    def _splice(self, first: int, last: int, joined: str, lines: list[str]) -> None:
        old = self.lines[first : last + 1]
        begin = self._start(first)
        removed = sum(map(len, old))
        self.lines[first : last + 1] = lines
        self.length += len(joined) - removed
        self.long_lines += self._count_long(lines) - self._count_long(old)
        if self._text is not None and self.length <= self.limit:
            self._text = self._text[:begin] + joined + self._text[begin + removed :]
        else:
            self._text = None
        self._mark = (first, begin)

    def _cut(self, position: tuple[int, int]) -> tuple[int, str, str]:
        line, column = position
        if line >= len(self.lines):
            return len(self.lines) - 1, self.lines[-1], ""
        whole = self.lines[line]
        size = body_length(whole)
        left, right = split_at(whole[:size] if size != len(whole) else whole, column, self.encoding)
        return line, left, right + whole[size:]

    def _start(self, line: int) -> int:
        at, offset = self._mark
        if line < at // 2:
            at, offset = 0, 0
        if line >= at:
            offset += sum(map(len, self.lines[at:line]))
        else:
            offset -= sum(map(len, self.lines[line:at]))
        self._mark = (line, offset)
        return offset

    def _count_long(self, lines: list[str]) -> int:
        return sum(len(line) > self.line_limit for line in lines)
