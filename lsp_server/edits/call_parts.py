"""The calls in a line of tokens: where they and their arguments begin and end; whether tokens are one expression."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lsp_server.edits.token_lines import is_name

_OPEN: Final = frozenset("([{")
_CLOSE: Final = frozenset(")]}")
_DIVIDING: Final = (("=", "="), ("!", "="), ("&", "&"), ("|", "|"))
"""Signs that compare or connect two expressions."""

NO_CALLS: Final = frozenset(
    (
        "if",
        "elif",
        "else",
        "while",
        "for",
        "foreach",
        "switch",
        "match",
        "case",
        "catch",
        "except",
        "return",
        "throw",
        "raise",
        "and",
        "or",
        "not",
        "in",
        "is",
        "await",
        "yield",
        "assert",
        "with",
        "when",
        "unless",
        "until",
        "typeof",
        "sizeof",
        "do",
        "lambda",
    )
)
"""Words of common languages before a bracket that are no functions."""


@dataclass(frozen=True)
class Call:
    """A call in a line.

    :param name: the token of the function's name. :param end: the token of the closing bracket.
    :param arguments: half-open ranges of tokens.
    """

    name: int
    end: int
    arguments: tuple[tuple[int, int], ...]


def calls(texts: Sequence[str]) -> list[Call]:
    """Return the calls of a line whose closing bracket is on it, in the order of their names."""
    found: list[Call] = []
    stack: list[tuple[int, list[int]]] = []
    for at, text in enumerate(texts):
        if text in _OPEN:
            stack.append((at, [at]))
        elif text == "," and stack:
            stack[-1][1].append(at)
        elif text in _CLOSE and stack:
            opened, commas = stack.pop()
            if text == ")" and texts[opened] == "(" and opened and _callable(texts[opened - 1]):
                bounds = [*commas, at]
                ranges = tuple((a + 1, b) for a, b in itertools.pairwise(bounds))
                found.append(Call(opened - 1, at, ranges if at > opened + 1 else ()))
    return sorted(found, key=lambda call: call.name)


def _callable(text: str) -> bool:
    return is_name(text) and text not in NO_CALLS


def start_of(texts: Sequence[str], call: Call) -> int:
    """Return the first token of a call's expression: of what the function is called on, ``new``, or the name."""
    at = call.name
    while at >= 2 and texts[at - 1] == ".":
        at -= 2
        depth = 0
        while at >= 0 and (texts[at] in _CLOSE or depth):
            depth += (texts[at] in _CLOSE) - (texts[at] in _OPEN)
            at -= 1
            if not depth and not (at >= 0 and texts[at] in _CLOSE):
                break
        if at < 0 or not is_name(texts[at]):
            return at + 1
    return at - 1 if at and texts[at - 1] == "new" else at


def divided(texts: Sequence[str]) -> bool:
    """Whether tokens are several expressions: a comma, a comparison or a connection stands outside their brackets."""
    depth = 0
    for at, text in enumerate(texts):
        depth += (text in _OPEN) - (text in _CLOSE)
        if depth == 0 and divides(texts, 0, at):
            return True
    return False


def divides(texts: Sequence[str], first: int, at: int) -> bool:
    """Whether a token behind the first one divides two expressions: ``,``, ``==``, ``&&``, ``||``."""
    return at > first and (texts[at] == "," or (texts[at - 1], texts[at]) in _DIVIDING)
