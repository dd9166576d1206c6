"""Tokens that only moved to another column: the rows of a table move together."""

from lsp_server.edits.rules import columns_of
from lsp_server.edits.token_lines import TokenLine, render


def moved_columns(old: TokenLine, new: TokenLine) -> dict[int, int] | None:
    """Return which column became which in an edit that changed blanks within a line alone; else None."""
    if old.texts != new.texts or old.indent != new.indent or old.spaces == new.spaces:
        return None
    before, after = columns_of(old.texts, old.spaces), columns_of(new.texts, new.spaces)
    return {
        a: b
        for number, (a, b) in enumerate(zip(before, after, strict=True))
        if number and old.spaces[number] != new.spaces[number]
    }


def with_columns(line: TokenLine, moved: dict[int, int]) -> str | None:
    """Return a line whose tokens in the moved columns moved too; None where no token stands in one."""
    spaces, shift, found = list(line.spaces), 0, False
    for number, column in enumerate(columns_of(line.texts, line.spaces)):
        if number and column in moved:
            width = len(spaces[number]) + moved[column] - column - shift
            if width < 1:
                return None
            spaces[number] = " " * width
            shift = moved[column] - column
            found = True
    return render(line.indent, line.texts, spaces, line.tail) if found else None
