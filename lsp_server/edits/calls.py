"""Calls whose arguments change: one added, removed, replaced or moved, whatever the other arguments are.

``f(a, b)`` to ``f(ctx, a, b)`` makes ``f(x, g(y))`` to ``f(ctx, x, g(y))``. A rule holds the name of the called
function and says of each new argument which old one it is, counted from the begin or from the end, or its text.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from lsp_server.edits.call_parts import Call, calls, start_of
from lsp_server.edits.declarations import declares, passed, typed
from lsp_server.edits.token_lines import TokenLine, common_ends, is_name, render
from lsp_server.spellings import parts_of

Piece = tuple[tuple[str, str], ...]
"""Tokens, each with the blanks before it."""


@dataclass(frozen=True)
class CallRule:
    """What is made of the calls of one function.

    :param count: number of arguments that the call must have; None if only its last argument counts.
    :param arguments: for each new argument the number of an old one, or tokens.
    :param edited: arguments of which a part was changed, by their numbers, with the names that stayed in them: the
        arguments of the call must be the same, or have these.
    :param declares: whether it was taught by a declaration, as ``declarations.declares`` says.
    :param passed: what a call gets then; None where that is not seen.
    """

    name: str
    new_name: str
    count: int
    arguments: tuple[int | Piece, ...]
    appended: bool
    edited: tuple[tuple[int, tuple[str, ...], frozenset[str]], ...] = ()
    declares: bool | None = None
    passed: tuple[int | Piece, ...] | None = None

    @property
    def phrase(self) -> str:
        """A text of each place."""
        return f"{self.name}("

    def rewrites(self, line: TokenLine) -> bool:
        """Whether a new argument is made of an old one that goes, so that it holds for the edited line alone."""
        gone = [text for text in line.texts if is_name(text) and text not in (self.name, self.new_name)]
        return any(text in gone for piece in self.arguments if not isinstance(piece, int) for _, text in piece)

    def apply(self, line: TokenLine) -> tuple[str, int] | None:
        """Return the line after the rule and the number of calls that changed; None where there is no such call."""
        if self.name not in line.places:
            return None
        found = [call for call in calls(line.texts) if line.texts[call.name] == self.name and self._fits(line, call)]
        if not found:
            return None
        texts, spaces, done, start = list(line.texts), list(line.spaces), 0, len(line.texts)
        for call in reversed(found):
            if call.end >= start:
                continue  # it encloses a call that was changed already
            arguments = self._arguments(line, call)
            if arguments is None:
                continue
            flat = self._written(line, call, arguments)
            first, last = call.name + 2, call.end
            texts[first:last] = [text for _, text in flat]
            spaces[first:last] = [space for space, _ in flat]
            texts[call.name] = self.new_name
            done, start = done + 1, call.name
        return (render(line.indent, texts, spaces, line.tail), done) if done else None

    def _arguments(self, line: TokenLine, call: Call) -> Sequence[int | Piece] | None:
        """Return the new arguments of a call, or of a declaration; None where the rule says nothing of it."""
        there = None if self.declares is None else declares(line, call)
        if there is None or there == self.declares:
            return self.arguments
        if not there:
            return self.passed
        return None if any(typed(line, *bounds) for bounds in call.arguments) else self.arguments

    def _fits(self, line: TokenLine, call: Call) -> bool:
        count = len(call.arguments)
        for number, texts, stay in self.edited:
            there = _texts(line, call.arguments[number]) if number < count else ()
            if there != texts and not (stay and stay <= {*there}):
                return False
        if not self.appended:
            return count == self.count
        again = [argument for argument in self.arguments[self.count :] if isinstance(argument, int)]
        return count >= 1 and all(argument < count for argument in again)

    def _written(self, line: TokenLine, call: Call, arguments: Sequence[int | Piece]) -> list[tuple[str, str]]:
        """Return the new arguments with the blanks before each token.

        Arguments that stay next to each other keep the blanks between them: they may be parts of a string.
        """
        flat: list[tuple[str, str]] = []
        before: int | Piece | None = None
        order = [*range(len(call.arguments)), *arguments[self.count :]] if self.appended else arguments
        for argument in order:
            piece = self._piece(line, call, argument)
            if isinstance(before, int) and argument == before + 1:
                comma = call.arguments[before][1]
                flat += [(line.spaces[comma], ","), *piece]
            else:
                flat += [*([("", ",")] if before is not None else []), *_led(piece, before is not None)]
            before = argument
        return flat

    def _piece(self, line: TokenLine, call: Call, argument: int | Piece) -> Piece:
        if not isinstance(argument, int):
            return argument
        start, end = call.arguments[argument]
        return tuple(zip(line.spaces[start:end], line.texts[start:end], strict=True))


@dataclass(frozen=True)
class CallTemplate:
    """What is made of the calls of one function where a call becomes another expression.

    ``equal(a, b)`` to ``that(b).is(a)``: every argument stands in the new text, whatever else it holds. So does what
    the function is called on, if the new text holds it: ``a.equals(b)`` to ``Objects.equals(a, b)``.

    :param before: tokens that must stand before the name, such as ``new`` or ``self.``; None if anything may be there
        that the function is called on.
    :param pieces: numbers of arguments (``count`` for what the function is called on) and tokens, each with the blanks
        before it.
    """

    name: str
    before: tuple[str, ...] | None
    count: int
    pieces: tuple[tuple[str, int | str], ...]

    @property
    def phrase(self) -> str:
        """A text of each place."""
        return f"{self.name}("

    def apply(self, line: TokenLine) -> tuple[str, int] | None:
        """Return the line after the rule and the number of calls that changed; None where there is no such call."""
        if self.name not in line.places:
            return None
        found = [c for c in calls(line.texts) if line.texts[c.name] == self.name and len(c.arguments) == self.count]
        texts, spaces, done, beyond = list(line.texts), list(line.spaces), 0, len(line.texts)
        for call in reversed(found):
            first = self._first(line.texts, call)
            if first is None or call.end >= beyond:
                continue
            flat: list[tuple[str, str]] = []
            for space, piece in self.pieces:
                if isinstance(piece, int):
                    start, end = (first, call.name - 1) if piece == self.count else call.arguments[piece]
                    inner = list(zip(line.spaces[start:end], line.texts[start:end], strict=True))
                    flat += [(space, text) for _, text in inner[:1]] + inner[1:]
                else:
                    flat.append((space, piece))
            texts[first : call.end + 1] = [text for _, text in flat]
            spaces[first : call.end + 1] = [line.spaces[first], *(space for space, _ in flat[1:])]
            done, beyond = done + 1, first
        return (render(line.indent, texts, spaces, line.tail), done) if done else None

    @cached_property
    def _keeps_list(self) -> bool:
        """Whether the new text has the arguments as they were, with commas: ``[a, b]`` of ``array(a, b)``."""
        pieces = [piece for _, piece in self.pieces]
        kept = [piece for number in range(self.count) for piece in (number, ",")][:-1]
        return any(pieces[at : at + len(kept)] == kept for at in range(len(pieces)))

    def counts_differ(self, line: TokenLine) -> bool:
        """Whether a line calls the function, but with other numbers of arguments only; not if they stay a list."""
        if self.name not in line.places or self._keeps_list:
            return False
        counts = {len(call.arguments) for call in calls(line.texts) if line.texts[call.name] == self.name}
        return bool(counts) and self.count not in counts

    def _first(self, texts: Sequence[str], call: Call) -> int | None:
        """Return the first token of the expression; None where something else stands before the call."""
        if self.before is None:
            first = start_of(texts, call)
            return first if first < call.name and texts[call.name - 1] == "." else None
        first = call.name - len(self.before)
        return first if first >= 0 and tuple(texts[first : call.name]) == self.before else None


def _led(piece: Piece, spaced: bool) -> list[tuple[str, str]]:
    """A piece with one blank before it if another argument stands before it, else with none."""
    if not piece:
        return []
    first = piece[0][1]
    return [(" " if spaced and first != "\n" else "", first), *piece[1:]]


def call_rule(old: TokenLine, new: TokenLine) -> CallRule | CallTemplate | None:
    """Return the rule of the smallest call around all changes of a line; None where the changes are in no call."""
    before, after = calls(old.texts), calls(new.texts)
    head, tail = common_ends(old.texts, new.texts)
    until = len(old.texts) - tail
    around = [c for c in before if c.name <= head and c.end >= until]
    if not around:
        around = [c for c in before if start_of(old.texts, c) <= head and c.end + 1 >= until]
    if not around:
        return None
    call = around[-1]
    size = len(new.texts) - len(old.texts)
    twin = next((c for c in after if c.name == call.name and c.end == call.end + size), None)
    if not call.arguments and (call.name > head or twin is None or not twin.arguments):
        return None
    if call.name > head or twin is None or len(twin.arguments) < len(call.arguments) == 2:
        return _template(old, new, call)
    olds = [_texts(old, bounds) for bounds in call.arguments]
    made: list[int | Piece] = []
    for bounds in twin.arguments:
        mine = _texts(new, bounds)
        if mine in olds:
            made.append(olds.index(mine))
        else:
            made.append(tuple(zip(new.spaces[bounds[0] : bounds[1]], mine, strict=True)))
    kept = list(range(len(olds)))
    renamed = new.texts[twin.name] != old.texts[call.name]
    if made == kept and not renamed:
        return None
    appended = bool(olds) and made[: len(olds)] == kept and len(made) > len(olds)
    if sum(map(len, _wrapped(olds, made))) > 1 and (wrapping := _template(old, new, call)) is not None:
        return wrapping
    names = old.texts[call.name], new.texts[twin.name]
    rule = CallRule(*names, len(olds), tuple(made), appended, _edited(olds, made))
    return (
        rule if set(made) <= {*kept} else replace(rule, declares=declares(new, twin), passed=_passed(new, twin, rule))
    )


def _passed(new: TokenLine, twin: Call, rule: CallRule) -> tuple[int | Piece, ...] | None:
    """Return the arguments that calls get where a declaration got parameters; None where one of them was changed."""
    if not rule.arguments or not {*range(rule.count)} <= {*rule.arguments}:
        return None
    found: list[int | Piece] = []
    for made, bounds in zip(rule.arguments, twin.arguments, strict=True):
        names = passed(new, twin, *bounds) if not isinstance(made, int) else ()
        if names is None:
            return None
        found.append(made if isinstance(made, int) else tuple(("", text) for text in names))
    return tuple(found)


def _wrapped(olds: Sequence[tuple[str, ...]], made: Sequence[int | Piece]) -> list[list[int]]:
    """Return for each new argument the old ones that are a part of it and nothing else: ``a=x`` of ``x``."""
    gone = [number for number in range(len(olds)) if number not in made and olds[number]]
    found = []
    for piece in made:
        texts = () if isinstance(piece, int) else tuple(text for _, text in piece)
        found.append([n for n in gone if texts[: len(olds[n])] == olds[n] or texts[-len(olds[n]) :] == olds[n]])
    return found


def _edited(
    olds: Sequence[tuple[str, ...]], made: Sequence[int | Piece]
) -> tuple[tuple[int, tuple[str, ...], frozenset[str]], ...]:
    """Return the arguments of which a part was changed: the new one at their place has words or parts of them, too."""
    if len(made) != len(olds):
        return ()
    found = []
    for number, (piece, wrapped) in enumerate(zip(made, _wrapped(olds, made), strict=True)):
        if not isinstance(piece, int) and number not in made and number not in wrapped:
            come = {text for _, text in piece}
            parts = {part for text in come for part in _parts(text)}
            if any(part in parts for text in olds[number] for part in _parts(text)):
                found.append((number, olds[number], frozenset(filter(is_name, come.intersection(olds[number])))))
    return tuple(found)


def _parts(text: str) -> list[str]:
    return [part.lower() for part in parts_of(text) if part.strip("_")] if is_name(text) else []


def _template(old: TokenLine, new: TokenLine, call: Call) -> CallTemplate | None:
    """Return what became of a call, with its arguments as holes; None where one of them is gone."""
    first, last = start_of(old.texts, call), len(new.texts) - (len(old.texts) - call.end - 1)
    holes = [(_texts(old, bounds), number) for number, bounds in enumerate(call.arguments)]
    on = old.texts[first : call.name - 1] if first < call.name and old.texts[call.name - 1] == "." else ()
    if on:
        holes.append((on, len(holes)))
    holes.sort(key=lambda one: -len(one[0]))
    pieces: list[tuple[str, int | str]] = []
    at = first
    while at < last:
        for texts, number in holes:
            if texts and new.texts[at : at + len(texts)] == texts and at + len(texts) <= last:
                pieces.append((new.spaces[at], number))
                at += len(texts)
                break
        else:
            pieces.append((new.spaces[at], new.texts[at]))
            at += 1
    used, count = {piece for _, piece in pieces if isinstance(piece, int)}, len(call.arguments)
    if not used.issuperset(range(count)):
        return None
    before = None if count in used else old.texts[first : call.name]
    return CallTemplate(old.texts[call.name], before, count, tuple(pieces))


def _texts(line: TokenLine, bounds: tuple[int, int]) -> tuple[str, ...]:
    return line.texts[bounds[0] : bounds[1]]
