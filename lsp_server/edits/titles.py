"""An edit in a few words, for the title of its preview."""

from collections.abc import Sequence
from typing import Final

from lsp_server.edits.changed_lines import changed_blocks, changed_lines
from lsp_server.edits.token_lines import TokenLine, common_ends, parse, render

WIDTH: Final = 56
"""Characters of each side; a longer line is cut between tokens, around what changes."""

CUT: Final = "…"


def title_of(old: Sequence[str], new: Sequence[str]) -> str:
    """Return the first changed line of an edit before and after, or the lines that were inserted or deleted."""
    blocks = changed_blocks(old, new)
    pairs = changed_lines(old, new)
    if not pairs and blocks:
        _, _, line, text = blocks[0]
        come = [one.strip() for one in text.split("\n") if one != line] if "\n" in text else []
        return f"+ {_ended(' '.join(come))}" if come else f"- {_ended(line.strip())}"
    if not pairs:
        return f"{_ended(' '.join(old).strip())} → {_ended(' '.join(new).strip())}"
    before, after = parse(pairs[0][2].strip()), parse(pairs[0][3].strip())
    head, tail = common_ends(before.texts, after.texts)
    return f"{_around(before, head, tail)} → {_around(after, head, tail)}"


def _around(line: TokenLine, head: int, tail: int) -> str:
    """A line, cut to the tokens around those that differ."""
    first, last = head, len(line.texts) - tail
    while True:
        wider = max(0, first - 1), min(len(line.texts), last + 1)
        if wider == (first, last) or len(_text(line, *wider)) > WIDTH:
            break
        first, last = wider
    text = _text(line, first, last)
    return f"{CUT if first else ''}{_ended(text)}{CUT if last < len(line.texts) else ''}"


def _text(line: TokenLine, first: int, last: int) -> str:
    return render("", line.texts[first:last], line.spaces[first:last], "").strip()


def _ended(text: str) -> str:
    return text if len(text) <= 2 * WIDTH else text[: 2 * WIDTH] + CUT
