"""Changes of signs or numbers alone that go on from line to line: quotes, operators, a semicolon, the next number.

They hold no word by which other places are found, and fit very many lines. What tells is the way that the user went:
where the two newest edits did the same, and no line between them was left to which that could be done, the next such
line in the same direction is the next edit.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Final

from lsp_server.edits.assignments import ASSIGN, operator_around, standing
from lsp_server.edits.changed_lines import GONE
from lsp_server.edits.lessons import LINE, Lesson
from lsp_server.edits.proposals import Taught, is_prose
from lsp_server.edits.quotes import QUOTES, requoted
from lsp_server.edits.rules import Region, Rule
from lsp_server.edits.series import next_of_series
from lsp_server.edits.token_lines import TokenLine, is_name, parse
from lsp_server.edits.views import View

BETWEEN: Final = 200
"""Lines between two edits, at most."""

REACH: Final = 40
WIDER: Final = 2
"""Lines behind the newest edit that are looked at: ``REACH``, or ``WIDER`` times the distance of the two edits if that
is more. Further away 11 of 22 were right."""

KEPT: Final = 16
"""Pairs of edits of which it is kept what they share."""

LONGEST: Final = 400
"""Longer lines are passed over, in characters."""

_COMMENTS: Final = ("//", "#", "--", "/*", ";;")

Change = Callable[[str], str | None]
"""Makes the new text of a line; None where it does not apply."""


@dataclass
class Sweeps:
    """The next line of a sweep, for one search.

    :param history: changed lines, the newest last.
    """

    history: Sequence[Taught]
    _known: dict[int, tuple[View, tuple[int, str] | None]] = field(default_factory=dict)

    def next(self, view: View) -> tuple[int, str] | None:
        """Return the line that a sweep reaches next in a document, from 0, and its new text; None without a sweep."""
        known = self._known.get(id(view))
        if known is None or known[0] is not view:
            known = self._known[id(view)] = view, self._found(view)
        return known[1]

    def _found(self, view: View) -> tuple[int, str] | None:
        newest, before = (self.history[-1 - age] for age in self.ages) if self.ages else (None, None)
        if newest is None or before is None or newest.uri != view.uri or before.uri != view.uri:
            return None
        away = newest.line - before.line
        if not 0 < abs(away) <= BETWEEN:
            return None
        step = 1 if away > 0 else -1
        for change in changes(newest.lesson, before.lesson):
            between = range(before.line + step, newest.line, step)
            if next(_places(change, view, between), None) is None:
                reach = max(REACH, WIDER * abs(away))
                end = max(-1, min(len(view.lines), newest.line + step * (reach + 1)))
                found = next(_places(change, view, range(newest.line + step, end, step)), None)
                if found is not None:
                    return found
        return None

    def everywhere(self, view: View) -> list[tuple[int, str]]:
        """Return all lines that were not edited and to which the newest edit can be done, from 0, with their new texts.

        Nothing where it is no change of signs or numbers alone.
        """
        if not self.history:
            return []
        ages = self.ages or (0, 0)
        newest, before = (self.history[-1 - age].lesson for age in ages)
        for change in changes(newest, before) or changes(newest, newest):
            if found := list(_places(change, view, range(len(view.lines)))):
                return found
        return []

    @cached_property
    def ages(self) -> tuple[int, ...]:
        """The newest changed line, and the newest one of the edit before, by age; nothing after a single edit."""
        steps = [one.step for one in reversed(self.history)]
        return next(((0, age) for age, step in enumerate(steps) if step != steps[0]), ())


def _places(change: Change, view: View, lines: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Yield the lines that a change fits and that were not edited, with their new texts."""
    for at in lines:
        line = view.lines[at]
        if at in view.edited or len(line) > LONGEST or not line.strip() or is_prose(line):
            continue
        text = change(line)
        if text is not None and text != line:
            yield at, text


@lru_cache(KEPT)
def changes(newest: Lesson, before: Lesson) -> tuple[Change, ...]:
    """Return what two edits share that holds no name, and makes both of them as they were; the surest first."""
    pair = newest, before
    if any(one.side != LINE or one.new_text == GONE or "\n" in one.new_text for one in pair):
        return ()
    if any(is_prose(one.old_text) or one.old.texts == one.new.texts or _comments_out(one) for one in pair):
        return ()
    series = next_of_series(pair)
    if series is not None:
        return (_going_on(series),) if _grown(newest, series) == [1] else ()
    quotes = _quotes(newest)
    made: list[Change] = [quotes] if quotes is not None else []
    rules = {(rule.regions, rule.by_kind): rule for one in pair for rule in one.rules if _of_signs(rule)}
    order = sorted(rules.values(), key=lambda rule: (rule.by_kind, -len(rule.regions[0].pattern)))
    made += [change for rule in order for change in _operators(rule, newest.old, before.old)]
    return tuple(change for change in made if all(change(one.old_text) == one.new_text for one in pair))


def _comments_out(lesson: Lesson) -> bool:
    """Whether an edit makes a comment of code: how many lines that are to be is seen by nothing."""
    begin = lesson.new_text.strip()
    return begin.startswith(_COMMENTS) and not lesson.old_text.strip().startswith(_COMMENTS)


def _grown(newest: Lesson, series: Lesson) -> list[int]:
    """By how much each number of a series grows that does."""
    pairs = zip(newest.new.texts, series.new.texts, strict=True)
    return [int(then) - int(now) for now, then in pairs if now != then]


def _going_on(series: Lesson) -> Change:
    """What a series of numbers makes of the lines that have its shape."""

    def change(line: str) -> str | None:
        if parse(line).kinds != series.old.kinds:
            return None
        return next((effect.text for effect in series.effects(line) if effect.kind == "analogy"), None)

    return change


def _of_signs(rule: Rule) -> bool:
    """Whether a rule replaces or brings signs or numbers, next to signs."""
    if rule.worded or rule.kind == "indent" or len(rule.regions) != 1:
        return False
    (region,) = rule.regions
    if any(map(is_name, (*region.gone, *(text for _, text in region.come)))):
        return False
    return region.gone != (".",) if region.gone else not rule.by_kind


def _operators(rule: Rule, *lines: TokenLine) -> list[Change]:
    """What a rule makes of lines in which the whole operator is the same: ``!`` to ``~`` says nothing of ``!=``.

    One that assigns has to stand as in one of these lines: ``=`` to ``<=`` in statements says nothing of the ``=`` of a
    declaration or of a loop's head.
    """
    (region,) = rule.regions
    spans = [(line, _span(line, cut - 1, region)) for line in lines for cut in rule.cuts(line)]
    tells = region.gone or (region.left and len(region.pattern) > 1)
    found = []
    for run in dict.fromkeys(line.texts[slice(*span)] for line, span in spans if line is lines[0]):
        if run or tells:
            standings = {standing(line, span[0]) for line, span in spans if line.texts[slice(*span)] == run}
            found.append(_at_operator(rule, region, run, standings if run in ASSIGN else None))
    return found


def _at_operator(rule: Rule, region: Region, run: tuple[str, ...], standings: Collection[str] | None) -> Change:
    def fits(line: TokenLine, cut: int) -> bool:
        first, last = _span(line, cut - 1, region)
        return line.texts[first:last] == run and (standings is None or standing(line, first) in standings)

    def change(text: str) -> str | None:
        target = parse(text)
        cuts = [cut for cut in rule.cuts(target) if fits(target, cut)]
        return rule.made(target, cuts) if cuts else None

    return change


def _span(line: TokenLine, at: int, region: Region) -> tuple[int, int]:
    """Where the tokens that go at a place begin and end, with the operators that touch them.

    Where none goes, it is the operator next to which others come, on the side that the rule looks at.
    """
    looks = (False, False) if region.gone else (bool(region.left), bool(region.right))
    return operator_around(line, at, at + len(region.gone), looks)


def _quotes(lesson: Lesson) -> Change | None:
    """What an edit that gave strings other quotes makes of a line; None for other edits.

    A string that has the other quotes in it stays as it is.
    """
    old, new = lesson.old_text, lesson.new_text
    pairs = {(a, b) for a, b in zip(old, new, strict=False) if a != b}
    if len(old) != len(new) or len(pairs) != 1 or not QUOTES.issuperset(*pairs):
        return None
    ((before, after),) = pairs

    def change(line: str) -> str | None:
        return requoted(line, line.replace(before, after))

    return change
