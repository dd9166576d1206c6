"""Proposals for one line: every text that an earlier edit makes of it, with the evidence that speaks for it.

The evidence becomes one row of numbers (:data:`FEATURES`) for a probability. All numbers are counts, shares or lengths;
none names a language, a file or a word.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from indexer.text.lines import unify_line_ends
from lsp_server.edits.analogy import carried_over
from lsp_server.edits.calls import CallRule, call_rule
from lsp_server.edits.columns import moved_columns, with_columns
from lsp_server.edits.names import part_table, with_parts
from lsp_server.edits.rules import KINDS, Rule, replaced_names, rules_of
from lsp_server.edits.token_lines import TokenLine, is_name, parse, render, shifted

SITE_LIMIT: Final = 200
"""Places of a rule in a document that are counted."""

_JOINED: Final = ("c11", "c22", "k22", "s11", "s22", "sk22")
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")
_NEVER: Final = 99.0


@dataclass(frozen=True)
class Taught:
    """One changed line of the past.

    :param uri: its document. :param line: where it is now, from 0. :param step: the edit it belongs to, ascending.
    """

    uri: str
    line: int
    step: int
    old: TokenLine
    new: TokenLine
    rules: tuple[Rule, ...]
    names: tuple[tuple[str, str], ...]
    parts: dict[str, str]
    call: CallRule | None
    columns: dict[int, int] | None
    old_text: str

    @cached_property
    def words(self) -> frozenset[str]:
        """The tokens before the edit."""
        return frozenset(self.old.texts)

    @cached_property
    def balance(self) -> int:
        """Brackets that the edit opened and did not close."""
        return _balance(self.new.texts) - _balance(self.old.texts)


def taught(uri: str, line: int, step: int, old: str, new: str) -> Taught:
    """Return what a changed line teaches."""
    before, after = parse(old), parse(new)
    names = replaced_names(before, after)
    parts: dict[str, str] = {}
    for name in names:
        parts = part_table(*name) | parts
    call, columns = call_rule(before, after), moved_columns(before, after)
    return Taught(uri, line, step, before, after, tuple(rules_of(before, after)), names, parts, call, columns, old)


@dataclass
class View:
    """A document as the search for places sees it.

    :param edited: lines that were edited, from 0.
    """

    uri: str
    text: str
    edited: frozenset[int] = frozenset()
    _counted: dict[frozenset[str], tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, uri: str, text: str, edited: frozenset[int]) -> "View":
        """Return the view of a text with any line ends."""
        return cls(uri, unify_line_ends(text), edited)

    @cached_property
    def lines(self) -> list[str]:
        """The lines without their ends."""
        return self.text.split("\n")

    @cached_property
    def _starts(self) -> list[int]:
        starts, at = [], 0
        for line in self.lines:
            starts.append(at)
            at += len(line) + 1
        return starts

    def sites(self, literals: frozenset[str]) -> tuple[int, ...]:
        """Return the lines that hold all these tokens (as parts of the line), ascending; at most ``SITE_LIMIT``."""
        found = self._counted.get(literals)
        if found is None:
            found = self._counted[literals] = self._search(literals) if literals else ()
        return found

    def _search(self, literals: frozenset[str]) -> tuple[int, ...]:
        first, *others = sorted(literals, key=len, reverse=True)
        found: list[int] = []
        at = self.text.find(first)
        looked = 0
        while at >= 0 and len(found) < SITE_LIMIT and looked < 10 * SITE_LIMIT:
            looked += 1
            number = bisect_right(self._starts, at) - 1
            line = self.lines[number]
            if all(word in line for word in others):
                found.append(number)
            at = self.text.find(first, self._starts[number] + len(line))
        return tuple(found)


@dataclass
class Evidence:
    """What speaks for one proposed text."""

    kinds: dict[str, set[int]] = field(default_factory=dict)
    edits: set[int] = field(default_factory=set)
    rules: list[tuple[Rule, Taught]] = field(default_factory=list)
    places: int = 99
    holes: int = 99

    def add(self, kind: str, edit: int, rule: Rule | None, source: Taught | None, places: int, holes: int = 0) -> None:
        """Count one edit that proposes the text."""
        self.kinds.setdefault(kind, set()).add(edit)
        self.edits.add(edit)
        if rule is not None and source is not None:
            self.rules.append((rule, source))
        self.places, self.holes = min(self.places, places), min(self.holes, holes)


def proposals(line: str, history: Sequence[Taught]) -> dict[str, Evidence]:
    """Return every text that an edit of ``history`` (oldest first) makes of a line, with its evidence.

    Edits are named by their age: 0 is the newest.
    """
    target = parse(line)
    words = frozenset(target.texts)
    found: dict[str, Evidence] = {}
    applied: list[tuple[Rule, int]] = []

    def add(text: str | None, kind: str, age: int, rule: Rule | None, source: Taught | None, places: int = 1) -> None:
        if text is not None and text != line:
            holes = places if kind == "analogy" else 0
            found.setdefault(text, Evidence()).add(kind, age, rule, source, 1 if holes else places, holes)

    for age, source in enumerate(reversed(history)):
        for rule in source.rules:
            if rule.kind == "indent":
                indent = shifted(target.indent, *rule.indents)
                if indent is not None and target.texts:
                    add(indent + line[len(target.indent) :], "indent", age, rule, source)
                continue
            if not rule.literals <= words:
                continue
            made = rule.apply(target)
            if made is not None:
                add(made[0], rule.kind, age, rule, source, made[1])
                if len(rule.regions) == 1 and rule.kind in _JOINED:
                    applied.append((rule, age))
        if source.parts:
            add(_with_parts(target, source.parts), "part", age, None, source)
        if source.call is not None and (called := source.call.apply(target)) is not None:
            add(called[0], "call", age, None, source, called[1])
        if source.columns is not None:
            add(with_columns(target, source.columns), "columns", age, None, source)
        if alike(source, words):
            carried = carried_over(source.old, source.new, target)
            if carried is not None:
                add(carried[0], "analogy", age, None, source, carried[1])
    for kind, text, age in _together(line, target, history, applied):
        add(text, kind, age, None, None)
    return found


def alike(source: Taught, words: frozenset[str]) -> bool:
    """Whether an edited line and another one share enough tokens to be compared."""
    return 5 * len(source.words & words) >= 2 * max(1, min(len(source.words), len(words)))


def _with_parts(target: TokenLine, table: dict[str, str]) -> str | None:
    texts = [with_parts(token, table) if len(token) > 2 and is_name(token) else token for token in target.texts]
    if tuple(texts) == target.texts:
        return None
    return render(target.indent, texts, target.spaces, target.tail)


def _together(
    line: str, target: TokenLine, history: Sequence[Taught], applied: Sequence[tuple[Rule, int]]
) -> list[tuple[str, str | None, int]]:
    """Return what several edits make of a line together: all renames, and rules of different edits in turn."""
    made: list[tuple[str, str | None, int]] = []
    table: dict[str, str] = {}
    newest = len(history)
    for age, source in enumerate(reversed(history)):
        for gone, come in source.names:
            if gone not in table and gone in target.places:
                table[gone] = come
                newest = min(newest, age)
    if len(table) > 1:
        texts = [table.get(token, token) for token in target.texts]
        made.append(("renames", render(target.indent, texts, target.spaces, target.tail), newest))
    text = line
    ages: list[int] = []
    by_age = sorted(applied, key=lambda item: len(item[0].literals), reverse=True)
    for rule, age in by_age:
        again = rule.apply(parse(text))
        if again is not None and again[0] != text:
            text = again[0]
            ages.append(age)
    if len(ages) > 1 and len(ages) <= 6:
        made.append(("union", text, min(ages)))
    return made


_NAMES = [
    "where",
    "edits",
    "votes",
    "steps",
    "age",
    "age_step",
    "same_file",
    "distance",
    "likeness",
    "best_likeness",
    "candidates",
    "history",
    "share",
    "best_other",
    "places",
    "holes",
    "gone",
    "come",
    "length",
    "grows",
    "sites_narrow",
    "passed_narrow",
    "edited_narrow",
    "sites_wide",
    "passed_wide",
    "edited_wide",
    "balance",
    "balance_taught",
    "same_line",
    "stands",
    "known",
    "specific",
    "sites",
    "behind",
    "far",
    "last_age_share",
    "applies_other",
    "deeper",
]
FEATURES: Final = (*_NAMES, *(f"by_{kind}" for kind in KINDS))
HERE, ELSEWHERE, OTHER_FILE = 0.0, 1.0, 2.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a proposal would be made.

    :param where: ``HERE`` at the cursor, ``ELSEWHERE`` in its document, or ``OTHER_FILE``.
    :param line: from 0. :param last: the line of the newest edit. :param sites: how many places were looked at.
    """

    where: float
    line: int
    last: int
    sites: int


@dataclass(frozen=True)
class _LineContext:
    """A line and everything that its proposals are compared with.

    :param recent: what was taught, the newest first. :param likeness: of the line and each of these.
    """

    line: str
    target: TokenLine
    found: dict[str, Evidence]
    recent: Sequence[Taught]
    likeness: Sequence[float]
    view: View
    place: Place


def rows(
    line: str, found: dict[str, Evidence], history: Sequence[Taught], view: View, place: Place
) -> list[list[float]]:
    """Return one row of :data:`FEATURES` for each proposal, in the order of ``found``."""
    target = parse(line)
    words = frozenset(target.texts)
    recent = list(reversed(history))
    around = _LineContext(line, target, found, recent, [_dice(source.words, words) for source in recent], view, place)
    return [_row(text, around) for text in found]


def _row(text: str, around: _LineContext) -> list[float]:
    line, target, found, recent, likeness = around.line, around.target, around.found, around.recent, around.likeness
    view, place = around.view, around.place
    evidence = found[text]
    result = parse(text)
    total = sum(len(e.edits) for e in found.values())
    sources = [recent[age] for age in evidence.edits]
    youngest = min(evidence.edits)
    here = [source for source in sources if source.uri == view.uri]
    others = [len(e.edits) for other, e in found.items() if other != text]
    newest_step = recent[0].step
    gone, come = _counted(target.texts, result.texts)
    fresh = [token for token in come if is_name(token)]
    narrow, wide = _support(evidence, view, place)
    return [
        place.where,
        len(evidence.edits),
        sum(map(len, evidence.kinds.values())),
        len({source.step for source in sources}),
        youngest,
        newest_step - max(source.step for source in sources),
        float(bool(here)),
        min((math.log1p(abs(source.line - place.line)) for source in here), default=_NEVER),
        max(likeness[age] for age in evidence.edits),
        max(likeness[:6], default=0.0),
        len(found),
        len(recent),
        len(evidence.edits) / max(1, total),
        max(others, default=0),
        evidence.places,
        evidence.holes,
        sum(map(len, gone)),
        sum(map(len, come)),
        len(target.texts),
        len(text) - len(line),
        *narrow,
        *wide,
        _balance(result.texts) - _balance(target.texts),
        min(abs(source.balance) for source in sources),
        float(any(source.old.texts == target.texts for source in sources)),
        float(bool(text.strip()) and f"\n{text}\n" in view.text),
        sum(token in view.text for token in fresh) / len(fresh) if fresh else -1.0,
        max((len("".join(rule.literals)) for rule, _ in evidence.rules), default=0),
        place.sites,
        float(place.line > place.last),
        math.log1p(abs(place.line - place.last)),
        sum(1 for age in range(min(5, len(recent))) if age in evidence.edits) / min(5, len(recent)),
        sum(1 for other, e in found.items() if other != text and 0 in e.edits),
        float(len(result.indent) - len(target.indent)),
        *(len(evidence.kinds.get(kind, ())) for kind in KINDS),
    ]


def _support(evidence: Evidence, view: View, place: Place) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return places, places passed by and places edited, for the narrowest and for the widest rule that agrees."""
    empty = (-1.0, -1.0, -1.0)
    sized = [(len(rule.literals), number) for number, (rule, _) in enumerate(evidence.rules) if rule.literals]
    if not sized:
        return empty, empty
    return (
        _counts(evidence.rules[max(sized)[1]][0], evidence, view, place),
        _counts(evidence.rules[min(sized)[1]][0], evidence, view, place),
    )


def _counts(rule: Rule, evidence: Evidence, view: View, place: Place) -> tuple[float, float, float]:
    sites = view.sites(rule.literals)
    lines = [taught.line for _, taught in evidence.rules if taught.uri == view.uri]
    low, high = (min(*lines, place.line), max(*lines, place.line)) if lines else (place.line, place.line)
    passed = sum(1 for site in sites if low < site < high and site not in view.edited and site != place.line)
    return float(len(sites)), float(passed), float(sum(site in view.edited for site in sites))


def _balance(texts: Sequence[str]) -> int:
    return sum((text in _OPEN) - (text in _CLOSE) for text in texts)


def _counted(old: Sequence[str], new: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the tokens that only one of both lines holds."""
    a, b = set(old), set(new)
    return [token for token in old if token not in b], [token for token in new if token not in a]


def _dice(a: frozenset[str], b: frozenset[str]) -> float:
    return 2 * len(a & b) / max(1, len(a) + len(b))
