"""Code within the strings of one line: ``"#{conn.params["id"]}"``, ``f"{x[0]}"``, `${f(a)}`.

``marks`` reads such a line as strings with code between them, so that it takes ``"#{conn.params["`` for a string that
has ended. Here the line is read once more where it matters: whether a text that ends within the line leaves something
open that it has opened.
"""

import re
from typing import Final, NamedTuple

_CLOSERS: Final = {"(": ")", "[": "]", "{": "}"}


class _Strings(NamedTuple):
    """How code begins in the strings of a language.

    :param begins: what code begins with. :param quotes: of strings that hold code. :param marked: pattern of what
        stands before such a string; "" for nothing. :param comment: what a comment begins with.
    """

    begins: tuple[str, ...]
    quotes: str = '"'
    marked: str = ""
    comment: str = "//"


_HASH = _Strings(("#{",), '"`', comment="#")
_DOLLAR = _Strings(("${",))
_SCRIPT = _Strings(("${",), "`")
_STRINGS: Final = {
    "csharp": _Strings(("{",), marked=r"\$@?$|@\$$"),
    "dart": _Strings(("${",), "\"'"),
    "elixir": _HASH,
    "groovy": _DOLLAR,
    "hcl": _DOLLAR._replace(comment="#"),
    "javascript": _SCRIPT,
    "kotlin": _DOLLAR,
    "php": _Strings(("{$",)),
    "python": _Strings(("{",), "\"'", r"(?i:\b(?:f|fr|rf))$", "#"),
    "ruby": _HASH,
    "scala": _Strings(("${",), marked=r"\b[sf]$"),
    "swift": _Strings(("\\(",)),
    "tsx": _SCRIPT,
    "typescript": _SCRIPT,
}


class _Frame(NamedTuple):
    """Something that is open. :param closer: what ends it. :param holds: of a string, whether it may hold code."""

    closer: str
    at: int
    string: bool = False
    holds: bool = False
    code: bool = False


def leaves_code_open(language: str, prefix: str, text: str) -> bool:
    """Return whether a text leaves something open that it has opened, and code within a string of the line is open.

    :param prefix: the line before the text, which begins in code.
    """
    strings = _STRINGS.get(language)
    if strings is None or not any(begin in prefix or begin in text for begin in strings.begins):
        return False
    frames = _open_at_end(strings, prefix + text)
    return any(one.code for one in frames) and frames[-1].at >= len(prefix)


def _open_at_end(strings: _Strings, line: str) -> list[_Frame]:
    """Return what is open at the end of a line, the innermost last."""
    frames: list[_Frame] = []
    at = 0
    while at < len(line):
        here, top = line[at], frames[-1] if frames else None
        begin = next((one for one in strings.begins if line.startswith(one, at)), "")
        if top is not None and top.string:
            if here == top.closer:
                frames.pop()
            elif begin and top.holds and not line.startswith("{{", at):
                frames.append(_Frame(_CLOSERS["{" if "{" in begin else "("], at, code=True))
                at += len(begin) - 1
            elif here == "\\" or line.startswith("{{", at):
                at += 1
        elif top is not None and here == top.closer:
            frames.pop()
        elif here in "\"'`":
            holds = here in strings.quotes and re.search(strings.marked, line[:at]) is not None
            frames.append(_Frame(here, at, string=True, holds=holds))
        elif here in _CLOSERS:
            frames.append(_Frame(_CLOSERS[here], at))
        elif line.startswith(strings.comment, at):
            break
        at += 1
    return frames
