"""Completions as an editor would show them, for a terminal: what was typed, and the grey text after it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finetune.evaluation.demo import Result, Shown

_GREY, _GREEN, _RED, _PLAIN = "\x1b[90m", "\x1b[32m", "\x1b[31m", "\x1b[0m"


def show(typed: str, grey: str, *, colour: bool) -> str:
    """A line and what is suggested after it; without colours the grey text stands between ‹ and ›.

    Control characters are escaped: the text comes from files.
    """
    typed, grey = _safe(typed), _safe(grey)
    return f"{typed}{_GREY}{grey}{_PLAIN}" if colour else f"{typed}‹{grey}›"


def _safe(text: str) -> str:
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text.replace("\r\n", "\n"))


def report(result: "Result", *, colour: bool) -> str:
    """The outcome of a demonstration, misses and silences included."""
    lines = [result.premise, ""]
    for number, shown in enumerate(result.shown, 1):
        lines += [*_place(number, shown, colour), ""]
    right = sum(shown.right for shown in result.shown)
    asked = len(result.shown) + result.silent
    lines.append(
        f"Shown unasked at {len(result.shown)} of {asked} places tried, silent at {result.silent}; "
        f"{right} of the {len(result.shown)} shown are exactly what the author wrote."
    )
    if result.milliseconds:
        lines.append(
            f"Answers took {result.milliseconds:.1f} ms (median), asked over the protocol like an editor does."
        )
    return "\n".join(lines)


def _author(shown: "Shown") -> list[str]:
    return _safe(shown.typed + shown.author).split("\n")


def _place(number: int, shown: "Shown", colour: bool) -> list[str]:
    verdict = "right" if shown.right else "starts right" if shown.partly else "wrong"
    if colour:
        verdict = f"{_GREEN if shown.right else _RED}{verdict}{_PLAIN}"
    source = f"from {shown.source}" if shown.source else "from the open file"
    lines = [f"{number}. {_safe(shown.path)}:{shown.line}  {shown.milliseconds:.1f} ms  {source}  {verdict}"]
    lines += ["   | " + line for line in show(shown.typed, shown.grey, colour=colour).split("\n")]
    if not shown.right:
        lines += [f"   {'author:' if not n else '       '} {line}" for n, line in enumerate(_author(shown))]
    return lines
