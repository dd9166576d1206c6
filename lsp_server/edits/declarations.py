"""Declarations of functions, and calls of them: what one of both gets, the other does not get as it is.

``load(id string)`` to ``load(ctx Context, id string)`` makes no ``load(ctx Context, 3)`` but ``load(ctx, 3)``, and
``load(x)`` to ``load(ctx, x)`` no ``load(ctx, id string)``. What is not sure is taken for neither.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from lsp_server.edits.call_parts import NO_CALLS, Call, calls
from lsp_server.edits.quotes import QUOTES
from lsp_server.edits.token_lines import TokenLine, common_ends, is_name, is_word, parse

KEPT: Final = 4_096
"""Changes of lines of which it is kept what they bring."""

_NAME_FIRST: Final = "func"
_DECLARES: Final = frozenset((_NAME_FIRST, "def", "fn", "fun", "function", "procedure", "sub", "task"))
_IN_EXPRESSIONS: Final = NO_CALLS | {"as", "async", "delete", "distinct", "instanceof", "new", "out", "ref"}
"""Words that stand before another one in an expression."""

_OPEN: Final = frozenset("([{<")
_CLOSE: Final = frozenset(")]}>")


@dataclass(frozen=True, slots=True)
class Brought:
    """What a change brings to the arguments of a call or of a declaration.

    :param name: of the function. :param called: names of all functions that the line calls.
    :param declares: see :func:`declares`. :param typed: whether what comes is declared with a type.
    :param others_typed: whether one of the other arguments is.
    """

    name: str
    called: frozenset[str]
    declares: bool | None
    typed: bool
    others_typed: bool

    def fits(self, there: "Brought | None") -> bool:
        """Whether an edit that brings this may bring that.

        It brings no type to a call, no bare name next to types, and nothing to other functions where its own is called.
        """
        if there is not None and there.name != self.name and self.name in there.called:
            return False
        if there is None or None in (self.declares, there.declares) or self.declares == there.declares:
            return True
        return not there.typed and not (there.declares and there.others_typed)


@lru_cache(KEPT)
def brought(old: str, new: str) -> Brought | None:
    """Return what a change brings to the innermost call around it; None where it does something else."""
    before, after = parse(old), parse(new)
    head, tail = common_ends(before.texts, after.texts)
    last = len(after.texts) - tail
    if any(map(is_word, before.texts[head : len(before.texts) - tail])) or head >= last:
        return None
    found = calls(after.texts)
    around = [call for call in found if call.name + 1 < head and last <= call.end]
    if not around:
        return None
    call = max(around, key=lambda one: one.name)
    come = [one for one in call.arguments if one[0] < last and head < one[1]]
    others = [one for one in call.arguments if one not in come]
    typed_parts = (any(typed(after, *one) for one in part) for part in (come, others))
    called = frozenset(after.texts[one.name] for one in found)
    return Brought(after.texts[call.name], called, declares(after, call), *typed_parts)


def declares(line: TokenLine, call: Call) -> bool | None:
    """Return whether what looks like a call declares its function; None where it may be a method or have a block."""
    before = line.texts[: call.name]
    words = [at for at, text in enumerate(before) if text in _DECLARES]
    if words and "=" not in before[words[-1] :] and line.texts[words[-1] + 1] != ".":
        return True
    if any(_declared(line, *bounds) for bounds in call.arguments):
        return True
    behind = line.texts[call.end + 1 : call.end + 2]
    if not all(map(is_name, before)) or (line.texts[-1] != "{" and behind != (":",)):
        return False
    return True if any(typed(line, *bounds) for bounds in call.arguments) else None


def typed(line: TokenLine, start: int, end: int) -> bool:
    """Return whether an argument is a name with a type, on either side or behind a colon."""
    texts = line.texts[start:end]
    return _declared(line, start, end) or (":" in texts[1:3] and is_name(texts[0]) and not QUOTES & {*texts})


def passed(line: TokenLine, call: Call, start: int, end: int) -> tuple[str, ...] | None:
    """Return what a call passes for a parameter: its name. None where it has a default, or the name is not seen."""
    texts = line.texts[start:end]
    if len(texts) == 1 and is_name(texts[0]):
        return texts
    if not typed(line, start, end) or "=" in texts or "?" in texts[:2]:
        return None
    if texts[1] == ":" or _NAME_FIRST in line.texts[: call.name]:
        return texts[:1]
    last = max((at for at, text in enumerate(texts) if is_name(text) and not _depth(texts[:at])), default=0)
    return texts[last - 1 : last + 1] if last and texts[last - 1] == "$" else texts[last : last + 1]


def _depth(texts: Sequence[str]) -> int:
    return sum((text in _OPEN) - (text in _CLOSE) for text in texts)


def _declared(line: TokenLine, start: int, end: int) -> bool:
    """Whether an argument is a name next to a type: ``id string``, ``Class<?> of``, ``char *text``, ``ids []int``."""
    texts = line.texts[start:end]
    texts = texts[: texts.index("=")] if "=" in texts else texts
    if len(texts) < 2 or not is_name(texts[0]) or QUOTES & {*texts} or _IN_EXPRESSIONS & {*texts}:
        return False
    spaces = line.spaces[start : start + len(texts)]
    return any(spaces[at] and not _depth(texts[:at]) and _follows(texts, spaces, at) for at in range(1, len(texts)))


def _follows(texts: Sequence[str], spaces: Sequence[str], at: int) -> bool:
    """Whether a token behind a blank follows a type or a name without an operator between."""
    if is_name(texts[at]):
        before = texts[at - 1]
        return is_name(before) or (before in (">", "]", "?", "*", "&", "$") and not spaces[at - 1])
    behind = at + 1 < len(texts) and not spaces[at + 1]
    return behind and texts[at] in "*&[.$" and is_name(texts[at - 1])
