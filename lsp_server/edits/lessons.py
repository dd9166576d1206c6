"""What one changed line teaches, and what that makes of other lines.

The same change is taught once, and what it makes of a line is computed once: a search after each edit looks at the
same lines with the same edits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain
from typing import Final

from lsp_server.edits.analogy import Changes, carried_over
from lsp_server.edits.calls import CallRule, CallTemplate, call_rule
from lsp_server.edits.changed_lines import GONE, is_block
from lsp_server.edits.columns import moved_columns, with_columns
from lsp_server.edits.declarations import Brought, brought
from lsp_server.edits.names import part_table
from lsp_server.edits.rules import Rule, differences, replaced_names, rules_of
from lsp_server.edits.templates import Template, template
from lsp_server.edits.token_lines import TokenLine, is_name, is_word, parse, render, shifted
from lsp_server.spellings import with_parts

KEPT: Final = 256
"""Changes that are kept, a few more than propose something."""

EFFECTS: Final = 32_768
"""Effects on lines that are kept, of all changes together; about 300 bytes each."""

TRIED: Final = 8_192
"""Results of trying a change on another one that are kept, of all changes together."""

_IN_BLOCKS: Final = frozenset({"c22", "c33"})
"""Rules of inserted lines; with less context they would insert everywhere."""

LINE, BELOW, CALL = range(3)

_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")
_PAIRS = frozenset(("()", "[]", "{}"))


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change makes of another line.

    :param text: the line afterwards, several lines, or ``GONE``. :param kind: one of ``rules.KINDS``.
    :param places: of the line that change. :param holes: names and numbers that differ between both lines.
    """

    text: str
    kind: str
    rule: Rule | None
    places: int = 1
    holes: int = 0


@dataclass(frozen=True, eq=False)
class Lesson:
    """One changed line: its rules, replaced names, parts of names, call, and moved columns.

    :param side: ``LINE``, ``BELOW`` for lines that were inserted above their line, or ``CALL`` for a call over several
        lines.
    """

    old: TokenLine
    new: TokenLine
    old_text: str
    new_text: str
    rules: tuple[Rule, ...]
    names: tuple[tuple[str, str], ...]
    parts: dict[str, str]
    call: CallRule | CallTemplate | Template | None
    columns: dict[int, int] | None
    side: int = LINE

    @cached_property
    def words(self) -> frozenset[str]:
        """The tokens before the edit."""
        return frozenset(self.old.texts)

    @cached_property
    def _changes(self) -> Changes:
        return differences(self.old, self.new)

    @cached_property
    def _wider(self) -> dict[int, tuple[int, ...]]:
        """For rules that were asked about the numbers of earlier ones that apply wherever they do."""
        return {}

    def _wider_than(self, number: int) -> tuple[int, ...]:
        found = self._wider.get(number)
        if found is None:
            rule = self.rules[number]
            found = tuple(other for other in range(number) if rule.implies(self.rules[other]))
            self._wider[number] = found
        return found

    @cached_property
    def _by_literals(self) -> tuple[tuple[frozenset[str], tuple[int, ...], tuple[int, ...]], ...]:
        """The tokens that rules need, each set once, with the numbers of its rules: all, and those with a word."""
        found: dict[frozenset[str], list[int]] = {}
        for number, rule in enumerate(self.rules):
            found.setdefault(rule.literals, []).append(number)
        return tuple(
            (literals, tuple(numbers), tuple(number for number in numbers if self.rules[number].worded))
            for literals, numbers in found.items()
        )

    @cached_property
    def kept_names(self) -> list[str]:
        """Names of more than two letters that the edit left in the line, or deleted with it; the longest first."""
        stays = self.words if self.new_text == GONE else self.words.intersection(self.new.texts)
        return sorted((name for name in stays if len(name) > 2 and is_name(name)), key=lambda name: (-len(name), name))

    @cached_property
    def brings(self) -> Brought | None:
        """What the edit brings to a call or to a declaration."""
        return _brought(self.old_text, self.new_text)

    @cached_property
    def balance(self) -> int:
        """Brackets that the edit opened and did not close."""
        return balance(self.new) - balance(self.old)

    @cached_property
    def keeps_brackets(self) -> bool:
        """Whether the brackets that have no partner in the line are the same as before."""
        return open_brackets(self.new) == open_brackets(self.old)

    def effects(self, line: str, far: bool = False) -> tuple[Effect, ...]:
        """Return what the change makes of a line, by each kind of evidence that applies.

        :param far: leave out the rules of which only signs have to agree. They fit nearly every line, and are right
            only where the user went by himself: two of three effects on lines elsewhere were theirs.
        """
        return _effects(self, line, far)

    def comparable(self, other: "Lesson", kinds: frozenset[str]) -> frozenset[str]:
        """Return the kinds of evidence of this lesson of which another one tells whether they are right.

        Lines that were inserted are taught by the line above and by the one below; only the same side says something.
        """
        if self.side == other.side:
            return kinds
        return kinds & {"call"} if CALL in (self.side, other.side) else frozenset()

    def tried(self, old: str, new: str) -> tuple[frozenset[str], frozenset[str]]:
        """Return the kinds of evidence that make ``new`` of another line, and those that make something else of it."""
        return _tried(self, old, new)

    def made(self, line: str, far: bool) -> Iterator[Effect]:
        """Yield what :meth:`effects` returns, also what leaves the line as it is; nothing is kept."""
        target = parse(line)
        if self.new_text == GONE:
            yield from self._deleted(target)
            return
        if isinstance(self.call, CallTemplate) and self.call.counts_differ(target):
            return  # the rules would leave the arguments that no edit had
        texts: dict[tuple[object, ...], str | None] = {}
        failed: set[int] = set()
        words = target.words
        applying = [worded if far else every for literals, every, worded in self._by_literals if literals <= words]
        for number in sorted(chain.from_iterable(applying)):
            rule = self.rules[number]
            if failed and not failed.isdisjoint(self._wider_than(number)):
                failed.add(number)
            elif rule.kind == "indent":
                indent = shifted(target.indent, *rule.indents)
                if indent is not None and target.texts:
                    yield Effect(indent + line[len(target.indent) :], "indent", rule)
            elif cuts := rule.cuts(target):
                change = (rule.change, *cuts)
                if change not in texts:
                    texts[change] = rule.made(target, cuts)
                if (made := texts[change]) is not None:
                    yield Effect(made, rule.kind, rule, len(cuts))
            else:
                failed.add(number)
        if self.parts and (text := _with_parts(target, self.parts)) is not None:
            yield Effect(text, "part", None)
        if self.call is not None and (called := self.call.apply(target)) is not None:
            yield Effect(called[0], "call", None, called[1])
        if self.columns is not None and (text := with_columns(target, self.columns)) is not None:
            yield Effect(text, "columns", None)
        if self.side != CALL and self._alike(target):
            carried = carried_over(self.old, self.new, self._changes, target)
            if carried is not None:
                yield Effect(carried[0], "analogy", None, 1 if carried[1] else 0, carried[1])
            if "\n" in self.new_text and (carried is None or carried[1]):
                carried = carried_over(self.old, self.new, self._changes, target, literally=True)
                if carried is not None:
                    yield Effect(carried[0], "analogy", None, 0, 0)

    def _deleted(self, target: TokenLine) -> Iterator[Effect]:
        if target.texts == self.old.texts:
            yield Effect(GONE, "gone", None)
        elif target.kinds == self.old.kinds and self._alike(target):
            holes = sum(a != b for a, b in zip(target.texts, self.old.texts, strict=True))
            yield Effect(GONE, "gone_like", None, 1, holes)
        elif (head := called(self.old)) is not None and head == called(target):
            yield Effect(GONE, "gone_like", None, 1, 1)

    def _alike(self, target: TokenLine) -> bool:
        """Whether the changed line and another one share enough tokens to be compared, or all of them by kind."""
        words = target.words
        return target.kinds == self.old.kinds or 5 * len(self.words & words) >= 2 * max(
            1, min(len(self.words), len(words))
        )


@lru_cache(EFFECTS)
def _effects(taught: Lesson, line: str, far: bool) -> tuple[Effect, ...]:
    found = (effect for effect in taught.made(line, far) if effect.text != line)
    mine = taught.brings
    return tuple(effect for effect in found if mine is None or mine.fits(_brought(line, effect.text)))


def _brought(old: str, new: str) -> Brought | None:
    return None if is_block(new) else brought(old, new)


@lru_cache(TRIED)
def _tried(taught: Lesson, old: str, new: str) -> tuple[frozenset[str], frozenset[str]]:
    effects = taught.effects(old)
    right = frozenset(effect.kind for effect in effects if effect.text == new)
    wrong = frozenset(effect.kind for effect in effects if effect.text != new)
    return right, wrong


@lru_cache(KEPT)
def lesson(old: str, new: str, whole_call: bool = False) -> Lesson:
    """Return what a changed line teaches.

    :param new: one line, several, or ``GONE``. :param whole_call: whether it stands for a call over several lines.
    """
    before, after = parse(old), parse("" if new == GONE else new)
    if new == GONE:
        return Lesson(before, after, old, new, (), (), {}, None, None)
    rules = tuple(rules_of(before, after))
    if "\n" in new:
        rules = tuple(rule for rule in rules if rule.kind in _IN_BLOCKS)
        side = BELOW if new.endswith("\n" + old) and not new.startswith(old + "\n") else LINE
        return Lesson(before, after, old, new, rules, (), {}, None, None, side)
    if whole_call:
        return Lesson(before, after, old, new, (), (), {}, call_rule(before, after), None, CALL)
    names = replaced_names(before, after)
    parts: dict[str, str] = {}
    for name in names:
        parts = part_table(*name) | parts
    call: CallRule | CallTemplate | Template | None = call_rule(before, after)
    if call is None or (isinstance(call, CallRule) and call.rewrites(before)):
        call = template(before, after) or call
    return Lesson(before, after, old, new, rules, names, parts, call, moved_columns(before, after))


def balance(line: TokenLine) -> int:
    """Return how many brackets a line opens and does not close."""
    return sum((text in _OPEN) - (text in _CLOSE) for text in line.texts)


def open_brackets(line: TokenLine) -> list[str]:
    """Return the brackets of a line that have no partner in it, in order."""
    found: list[str] = []
    for text in line.texts:
        if found and f"{found[-1]}{text}" in _PAIRS:
            found.pop()
        elif text in _OPEN or text in _CLOSE:
            found.append(text)
    return found


def called(line: TokenLine) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Return what stands before and behind the arguments of a line that is one call; None for other lines."""
    if "(" not in line.words or not is_name(line.texts[0]):
        return None
    first = line.texts.index("(")
    depth = 0
    for at in range(first, len(line.texts)):
        depth += (line.texts[at] in _OPEN) - (line.texts[at] in _CLOSE)
        if not depth:
            rest = line.texts[at + 1 :]
            whole = not any(map(is_word, rest)) and "=" not in line.texts[:first]
            return (line.texts[:first], rest) if whole and is_name(line.texts[first - 1]) else None
    return None


def _with_parts(target: TokenLine, table: dict[str, str]) -> str | None:
    texts = [with_parts(token, table) if len(token) > 2 and is_name(token) else token for token in target.texts]
    if tuple(texts) == target.texts:
        return None
    return render(target.indent, texts, target.spaces, target.tail)
