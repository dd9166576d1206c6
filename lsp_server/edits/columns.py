"""Tokens that only moved to another column: the rows of a table move together."""

from lsp_server.edits.alignment import operations
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


def aligned(line: TokenLine, made: TokenLine, neighbour: tuple[TokenLine, TokenLine]) -> str | None:
    """Return what is made of a line with its tokens in the columns of the row next to it; None where nothing differs.

    Tokens that stood in one column with those of the row before it was edited stand there again.

    :param neighbour: the row before and after its edit.
    """
    old, new = neighbour
    padded = any(len(space) > 1 for row in (line, old, new) for space in row.spaces[1:])
    if not padded or line.indent != old.indent or made.indent != new.indent:
        return None
    theirs = {column: number for number, column in enumerate(columns_of(old.texts, old.spaces)) if number}
    mine, other, columns = _kept(line, made), _kept(old, new), columns_of(new.texts, new.spaces)
    wanted = {}
    for number, column in enumerate(columns_of(line.texts, line.spaces)):
        twin = theirs.get(column)
        if number and twin is not None and number in mine and twin in other:
            blanks = line.spaces[number], old.spaces[twin], new.spaces[other[twin]]
            if max(map(len, blanks)) > 1:
                wanted[mine[number]] = columns[other[twin]]
    spaces, column = list(made.spaces), 0
    for number, text in enumerate(made.texts):
        if number in wanted:
            if wanted[number] < column + (len(spaces[number]) > 0):
                return None
            spaces[number] = " " * (wanted[number] - column)
        column += len(spaces[number]) + len(text)
    return render(made.indent, made.texts, spaces, made.tail) if tuple(spaces) != made.spaces else None


def _kept(before: TokenLine, after: TokenLine) -> dict[int, int]:
    """Return where the tokens that an edit keeps stand afterwards."""
    kept = [(i, j, m) for name, i, j, m, _ in operations(before.texts, after.texts) if name == "equal"]
    return {i + at: m + at for i, j, m in kept for at in range(j - i)}
