"""Calls that are written over several lines: what an edit of one line means for the whole call, and the way back.

A call over several lines is read as if it stood on one line, without a comma before its closing bracket. So an edit in
one layout teaches the same as in any other, and what it makes of a call is put into the line that changes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lsp_server.edits.calls import CallRule, CallTemplate
from lsp_server.edits.changed_lines import GONE
from lsp_server.edits.token_lines import TokenLine, common_ends, parse, render

LINES: Final = 10
"""Lines above and below a line among which its call begins and ends."""

TOKENS: Final = 160
"""Tokens of the longest call."""

_PAIRS: Final = {"(": ")", "[": "]", "{": "}"}
_CLOSE: Final = frozenset(_PAIRS.values())


@dataclass(frozen=True)
class Spread:
    """A call over several lines, read as one.

    :param first: the line in which it begins. :param rows: for each token the line it stands in, from ``first``.
    :param parsed: its lines. :param comma: whether a comma stands before the last closing bracket.
    """

    first: int
    line: TokenLine
    rows: tuple[int, ...]
    parsed: tuple[TokenLine, ...]
    comma: bool

    def after(self, rule: CallRule | CallTemplate) -> tuple[int, str] | None:
        """Return the line that a rule changes, and its new text; None if it changes none, or several."""
        made = rule.apply(self.line)
        if made is None:
            return None
        new = parse(made[0])
        head, tail = common_ends(self.line.texts, new.texts)
        gone = range(head, len(self.line.texts) - tail)
        come = range(head, len(new.texts) - tail)
        if not gone:
            return self._inserted(head, new, come) if come else None
        return self._replaced(gone, new, come)

    def _replaced(self, gone: range, new: TokenLine, come: range) -> tuple[int, str] | None:
        rows = {self.rows[at] for at in gone}
        if not come and self.line.texts[gone[0]] == "," and self.comma:
            rows.discard(self.rows[gone[0]])  # the comma stays, as the last one
        if len(rows) != 1:
            return None
        row = rows.pop()
        inside = [at for at, there in enumerate(self.rows) if there == row]
        if not come and set(inside) <= set(gone):
            return self.first + row, GONE
        if any(self.rows[at] != row for at in gone):
            return None
        return self._spliced(row, gone[0] - inside[0], len(gone), new, come)

    def _inserted(self, at: int, new: TokenLine, come: range) -> tuple[int, str] | None:
        if not 0 < at < len(self.rows):
            return None
        above, below = self.rows[at - 1], self.rows[at]
        if above == below:
            return self._spliced(below, at - self.rows.index(below), 0, new, come)
        line, texts = self.parsed[above], new.texts
        if len(come) == 1 and texts[come[0]] == ",":
            return None  # a comma alone is no argument: (a) to (a,)
        if texts[come[0]] == "," and above:  # behind the last argument
            text = _text(new, range(come[0] + 1, come[-1] + 1))
            ends = "" if self.comma else ","
            return self.first + above, f"{_whole(line)}{ends}\n{line.indent}{text}{',' if self.comma else ''}"
        if texts[come[-1]] == ",":
            line = self.parsed[below]
            return self.first + below, f"{line.indent}{_text(new, come)}\n{_whole(line)}"
        return None

    def _spliced(self, row: int, at: int, size: int, new: TokenLine, come: range) -> tuple[int, str]:
        line = self.parsed[row]
        texts, spaces = list(line.texts), list(line.spaces)
        spaced = [new.spaces[number] for number in come]
        if size and spaced:
            spaced[0] = spaces[at]
        if 0 < at + size < len(texts):
            spaces[at + size] = new.spaces[come.stop]
        texts[at : at + size] = [new.texts[number] for number in come]
        spaces[at : at + size] = spaced
        if spaces:
            spaces[0] = ""
        return self.first + row, render(line.indent, texts, spaces, line.tail)


def spread_at(lines: Sequence[str], at: int) -> Spread | None:
    """Return the call over several lines that begins in a line, else the innermost one around it."""
    first = at if _opened(parse(lines[at]).texts) else _begin(lines, at)
    if first is None:
        return None
    depth = 0
    for end in range(first, min(len(lines), first + LINES)):
        texts = parse(lines[end]).texts
        depth += sum((text in _PAIRS) - (text in _CLOSE) for text in texts)
        if depth <= 0:
            return _read(lines, first, end) if first <= at <= end and end > first else None
    return None


def flat_change(
    old: Sequence[str], new: Sequence[str], above: Sequence[str], below: Sequence[str]
) -> tuple[str, str] | None:
    """Return the call that an edit changed, before and after, as one line each; None where it is on one line.

    :param old: the lines of the edit. :param above: lines above them. :param below: lines below them.
    """
    head, _ = common_ends(old, new)
    made = []
    for lines in (old, new):
        at = min(len(above) + head, len(above) + len(lines) + len(below) - 1)
        made.append(_around([*above, *lines, *below], at))
    before, after = made
    if before is None or after is None or before.first != after.first:
        return None
    texts = (_whole(before.line), _whole(after.line))
    return texts if before.line.texts != after.line.texts else None


def spread_texts(lines: Sequence[str], at: int, rules: Sequence[object]) -> Iterator[tuple[int, int, str]]:
    """Yield what rules make of the call over several lines around a line: number of the rule, line, its new text."""
    around = "\n".join(lines[max(0, at - LINES) : at + 1])
    call: Spread | None = None
    for number, rule in enumerate(rules):
        if not isinstance(rule, CallRule | CallTemplate) or rule.name not in around:
            continue
        if call is None and (call := spread_at(lines, at)) is None:
            return
        if rule.name in call.line.words and (made := call.after(rule)) is not None:
            yield number, *made


def _around(lines: Sequence[str], at: int) -> Spread | None:
    found = spread_at(lines, at) if at < len(lines) else None
    return found or (spread_at(lines, at - 1) if at else None)


def _read(lines: Sequence[str], first: int, end: int) -> Spread | None:
    parsed = tuple(parse(line) for line in lines[first : end + 1])
    texts: list[str] = []
    spaces: list[str] = []
    rows: list[int] = []
    comma = False
    for row, line in enumerate(parsed):
        for number, (text, space) in enumerate(zip(line.texts, line.spaces, strict=True)):
            if text in _CLOSE and texts and texts[-1] == "," and rows[-1] < row:
                del texts[-1], spaces[-1], rows[-1]
                comma = True
            bare = not texts or texts[-1] in _PAIRS or text in _CLOSE
            texts.append(text)
            spaces.append(space if number else "" if bare else " ")
            rows.append(row)
    if len(texts) > TOKENS:
        return None
    return Spread(first, TokenLine("", tuple(texts), tuple(spaces), ""), tuple(rows), parsed, comma)


def _opened(texts: Sequence[str]) -> bool:
    """Whether a line leaves a round bracket open."""
    depth = 0
    for text in reversed(texts):
        depth += (text in _CLOSE) - (text in _PAIRS)
        if depth < 0:
            return text == "("
    return False


def _begin(lines: Sequence[str], at: int) -> int | None:
    """Return the line that opens the innermost round bracket around a line."""
    depth = 0
    for line in range(at - 1, max(-1, at - LINES), -1):
        for text in reversed(parse(lines[line]).texts):
            depth += (text in _CLOSE) - (text in _PAIRS)
            if depth < 0:
                if text == "(":
                    return line
                depth = 0
    return None


def _text(line: TokenLine, part: range) -> str:
    texts, spaces = ([of[at] for at in part] for of in (line.texts, line.spaces))
    return render("", texts, ["", *spaces[1:]], "")


def _whole(line: TokenLine) -> str:
    return render(line.indent, line.texts, line.spaces, line.tail)
