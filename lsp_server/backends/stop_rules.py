"""Stop rules: where a generated text ends, decided from the text while it is written.

Knows indentation and line ends; knows no language and no model.
"""

from indexer.text.lines import indent_of
from lsp_server.backends.base import Limits

_CLOSERS = ("}", ")", "]", "end", "</")


class StopRules:
    """Finds the end of a text that grows token by token.

    :param demanded: the text that token healing makes the model write first, because the prompt ends before it.
    """

    def __init__(self, limits: Limits, demanded: str = "") -> None:
        self._limits = limits
        self._demanded = demanded

    def visible(self, raw: str) -> tuple[str, bool]:
        """The text after the demanded text, and whether ``raw`` agrees with the demanded text so far."""
        if raw.startswith(self._demanded):
            return raw[len(self._demanded) :], True
        return "", self._demanded.startswith(raw)

    def unwritten(self, raw: str) -> str:
        """The part of the demanded text that is not written yet."""
        return self._demanded[len(raw) :] if self._demanded.startswith(raw) else ""

    def check(self, text: str) -> tuple[int, str] | None:
        """Where to cut ``text`` and why; None to go on. Only complete lines are judged by indentation."""
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
        """Remove a final line that the file already has right after the cursor."""
        after = next((line.strip() for line in suffix.split("\n")[1:] if line.strip()), "")
        lines = text.split("\n")
        if after and len(lines) > 1 and lines[-1].strip() == after:
            return "\n".join(lines[:-1])
        return text
