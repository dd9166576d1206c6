"""What fits a terminal of 24 lines and 100 columns."""

from rich.cells import cell_len

ROWS, COLUMNS = 24, 100


def rows(text: str, columns: int = COLUMNS) -> int:
    """The lines that a text takes on a terminal, which breaks lines that are too long; wide characters take two."""
    return sum(max(1, -(-cell_len(line.rstrip()) // columns)) for line in text.rstrip("\n").split("\n"))


def fits(text: str) -> bool:
    """Whether a text fits the screen, with the line of the command above it and the prompt below it."""
    return rows(text) <= ROWS - 2
