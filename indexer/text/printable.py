"""Text that a repository chose, as it may be shown: on a terminal, in a pop-up, on a page.

A file name, a setting, a commit's subject or a line of code can hold control characters, which command a terminal,
characters that turn the direction of text, and characters that nobody sees. :func:`printable` spells them out. Every
output uses it for what a repository chose; :class:`OutputGuard` is the second lock of the command line.
"""

import re
import unicodedata
from typing import Any, Final, TextIO

INVISIBLE: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters that are invisible by custom, though their category says otherwise."""

_SELECTORS: Final = frozenset([*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)])
_HIDDEN: Final = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]{0,20}m")
_CURSOR: Final = re.compile(r"\x1b\[(?:[0-9;]{0,20}[mABCDGKJ]|\?25[hl])")


def is_hidden(character: str) -> bool:
    """Whether a character is invisible, or changes how other text is shown; blanks and icons of fonts are not."""
    code = ord(character)
    if character.isprintable():
        return character in INVISIBLE or code in _SELECTORS
    return unicodedata.category(character) in _HIDDEN or (code & 0xFFFE) == 0xFFFE or 0xFDD0 <= code <= 0xFDEF


def hidden_in(text: str) -> set[str]:
    """The hidden characters of a text; tabs and line ends are none."""
    if text.isascii() and text.isprintable():
        return set()
    return {character for character in text if character not in "\n\r\t" and is_hidden(character)}


def printable(text: object, keep: str = "") -> str:
    r"""A text for a terminal or a pop-up: hidden characters are spelled out, as in ``\u202e``.

    :param keep: control characters that stay, for example line ends.
    """
    said = str(text)
    if said.isascii() and said.isprintable():
        return said
    return "".join(c if c in keep or not is_hidden(c) else _spelled(c) for c in said)


def _spelled(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


class OutputGuard:
    """Standard output or standard error through which no hidden character passes.

    Only line ends, tabs, colours and, on a terminal, the movements of progress bars pass. Text of a repository is
    spelled out before it is coloured, so that its own colours do not pass either.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._allowed = _CURSOR if stream.isatty() else _COLOUR

    def write(self, text: str) -> int:
        """Write a text; returns its length."""
        if hidden_in(text) or "\r" in text:
            parts: list[str] = []
            position = 0
            for code in self._allowed.finditer(text):
                parts += [printable(text[position : code.start()], "\n\r\t"), code[0]]
                position = code.end()
            self._stream.write("".join([*parts, printable(text[position:], "\n\r\t")]))
        else:
            self._stream.write(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
