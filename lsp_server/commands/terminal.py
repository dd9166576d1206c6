"""Completions as an editor would show them, for a terminal: what was typed, and the grey text after it."""

import sys

GREY, GREEN, RED, PLAIN = "\x1b[90m", "\x1b[32m", "\x1b[31m", "\x1b[0m"


def show(typed: str, grey: str, *, colour: bool) -> str:
    """A line and what is suggested after it; without colours the grey text stands between ‹ and ›.

    Control characters are escaped: the text comes from files.
    """
    typed, grey = escaped(typed), escaped(grey)
    return f"{typed}{GREY}{grey}{PLAIN}" if colour else f"{typed}‹{grey}›"


def escaped(text: str) -> str:
    """Text from a file with its control characters spelled out, so that it cannot command the terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text.replace("\r\n", "\n"))


def has_colour() -> bool:
    """Whether standard output is a terminal."""
    return sys.stdout.isatty()
