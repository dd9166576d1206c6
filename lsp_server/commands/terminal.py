"""Shows completions in a terminal as an editor would: the typed text, and the ghost text after it."""

from indexer.text.printable import printable


def show(typed: str, ghost: str, *, colour: bool) -> str:
    """A line and its suggestion; without colours the ghost text is between ‹ and ›.

    Control characters are escaped, because the text comes from files.
    """
    typed, ghost = escaped(typed), escaped(ghost)
    return typed + (coloured(ghost, "bright_black") if colour else f"‹{ghost}›")


def coloured(text: str, style: str) -> str:
    """Text with the codes of a terminal for one of rich's styles."""
    from rich.style import Style

    return Style.parse(style).render(text)


def escaped(text: str) -> str:
    """Text from a file with its hidden characters spelled out, so that it cannot send commands to the terminal."""
    return printable(text.replace("\r\n", "\n"), "\n\t")


def has_colour() -> bool:
    """Whether standard output is a terminal that shows colours; ``NO_COLOR`` switches them off."""
    from rich.console import Console

    console = Console()
    return console.is_terminal and console.color_system is not None and not console.no_color
