"""Where a generated text ends, decided while it is being written, from the text alone.

Knows indentation and line ends; knows no language and no model.
"""

from indexer.text.lines import columns, leading_blanks
from lsp_server.backends.base import Limits

_CLOSERS = ("}", ")", "]", "end", "</")


def indent_of(line: str) -> int:
    """The width of a line's indentation in columns."""
    return columns(leading_blanks(line))


class TextStops:
    """Finds the end of a text that grows token by token.

    :param held: what the text has to begin with, because the prompt ends before it.
    """

    def __init__(self, limits: Limits, held: str = "") -> None:
        self._limits = limits
        self._held = held

    def visible(self, raw: str) -> tuple[str, bool]:
        """The text without what is held, and whether it (still) agrees with that."""
        if raw.startswith(self._held):
            return raw[len(self._held) :], True
        return "", self._held.startswith(raw)

    def unwritten(self, raw: str) -> str:
        """What is left to be written of what is held."""
        return self._held[len(raw) :] if self._held.startswith(raw) else ""

    def check(self, text: str) -> tuple[int, str] | None:
        """Where to cut ``text`` and why, or None to go on. Only complete lines are judged by indentation."""
        first = text.find("\n")
        if first < 0:
            return None
        if self._limits.single_line:
            return first, "line"
        lines = text.split("\n")
        at = len(lines[0])
        body = False
        for number, line in enumerate(lines[1:], start=1):
            if number >= self._limits.max_lines:
                return at, "lines"
            complete = number < len(lines) - 1
            if line.strip():
                indent = indent_of(line)
                if indent < self._limits.base_indent:
                    return at, "block"
                if indent == self._limits.base_indent and body:
                    if not line.strip().startswith(_CLOSERS):
                        return at, "block"
                    return (at + 1 + len(line), "block") if complete else None
                body = body or indent > self._limits.base_indent
            at += 1 + len(line)
        return None

    @staticmethod
    def without_echo(text: str, suffix: str) -> str:
        """Take off final lines that the file already has right after the cursor."""
        after = next((line.strip() for line in suffix.split("\n")[1:] if line.strip()), "")
        lines = text.split("\n")
        if after and len(lines) > 1 and lines[-1].strip() == after:
            return "\n".join(lines[:-1])
        return text
