"""Where earlier edits may hold too: other lines of a document, and documents of the repository through its index."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

import numpy as np

from indexer.search.suffix_array import DEPTH
from indexer.search.suffix_search import Agreements, Anchored, Search
from indexer.text.tokens import token_ids
from lsp_server.edits.calls import CallRule, CallTemplate
from lsp_server.edits.changed_lines import GONE
from lsp_server.edits.features import EVERYWHERE
from lsp_server.edits.lessons import BELOW, LINE, Lesson, called
from lsp_server.edits.proposals import Taught
from lsp_server.edits.rules import Rule
from lsp_server.edits.token_lines import is_name, is_word
from lsp_server.edits.views import View

if TYPE_CHECKING:
    from indexer.storage.reader import Index

CALLS: Final = (CallRule, CallTemplate)

RECENT: Final = 6
"""Changed lines whose rules look for places."""

TRIED: Final = 16
"""Places of a document that are tried."""

OF_NEWEST: Final = 4
"""Of these, those to which the newest edit leads, whatever else leads to others."""

POOL: Final = 200
"""The nearest places among which these are chosen."""

NEAR: Final = 3
"""Lines on each side of the newest edit that are always tried, for rows that differ in every name."""

KEPT: Final = 512
"""Runs of tokens whose documents are kept for an index."""

_kept: "WeakKeyDictionary[Index, dict[tuple[int, ...], frozenset[str]]]" = WeakKeyDictionary()

_LOOSE: Final = frozenset({"c00", "m00", "s00", "c10", "c01"})
"""Rules with little context; they need a longer word."""

KEPT_NAMES: Final = 2
"""Names that an edit left in its line, the longest first, by which lines like it are found."""

LISTED: Final = 500
"""Places of a document that are listed where all are asked for."""

KEPT_LESSONS: Final = 64
"""Changed lines of which is kept what is looked for by them."""

FILES: Final = 200
HITS: Final = 400

SCANNED: Final = 8_000
"""Places of the begin of a text at which its end is looked for."""


def searching(rule: Rule) -> bool:
    """Whether a rule says enough to look for places by it."""
    longest = max(map(len, rule.literals), default=0)
    return longest > (3 if rule.kind in _LOOSE else 2)


def tells(rule: Rule) -> bool:
    """Whether a rule says enough to list a place by it alone: it replaces a word, or needs two of them."""
    replaces = any(is_word(token) for region in rule.regions for token in region.gone)
    return searching(rule) and (replaces or sum(map(is_word, rule.literals)) > 1)


@dataclass(frozen=True)
class Found:
    """Lines of a document that may change.

    :param lines: those that are tried, the nearest to the newest edit first. :param cut: how many others there are.
    """

    lines: list[int]
    cut: int


def in_document(view: View, history: Sequence[Taught], last: int, least: int = 1) -> Found:
    """Return lines that earlier edits may change.

    Of many those are tried to which most rules and names lead, and a few to which the newest edit does: on 342 moments
    of ten repositories 16 such lines of the 200 nearest brought 152 right offers of 174, the 40 nearest 139 of 159.

    :param history: changed lines, the newest last. :param last: the line of the newest edit.
    :param least: edits that have to lead to a line.
    """
    steps: dict[int, set[int]] = {}
    leads: Counter[int] = Counter()
    for source in recent(history):
        held = (view.few_sites(literals, EVERYWHERE) for literals in _wanted(source.lesson))
        groups: list[Sequence[int]] = [lines for lines in held if lines is not None]
        groups += [view.index.with_part(part) for part in list(source.lesson.parts)[:3] if len(part) > 3]
        groups += [_other_side(view, lines, source.lesson) for lines in groups if "\n" in source.lesson.new_text]
        if (shared := _shared(history, source)) and (few := view.few_sites(shared, EVERYWHERE)) is not None:
            groups.append(few)
        for lines in groups:
            if len(lines) <= EVERYWHERE:
                leads.update(lines)
                for line in lines:
                    steps.setdefault(line, set()).add(source.step)
    led = {line for line, led_by in steps.items() if len(led_by) >= least}
    near: set[int] = set()
    if history and history[-1].uri == view.uri:
        around = range(max(0, last - NEAR), min(len(view.lines), last + NEAR + 1))
        near.update(number for number in around if view.lines[number].strip())
    led = (led | near) - view.edited
    nearest = sorted(led, key=lambda number: abs(number - last))[:POOL]
    newest = [number for number in nearest if history[-1].step in steps.get(number, ())]
    first = near.union(sorted(newest, key=lambda number: -leads[number])[:OF_NEWEST])
    chosen = sorted(nearest, key=lambda number: (number not in first, -leads[number]))[:TRIED]
    return Found(sorted(chosen, key=lambda number: abs(number - last)), len(led) - len(chosen))


@lru_cache(KEPT_LESSONS)
def _wanted(lesson: Lesson) -> tuple[frozenset[str], ...]:
    """Return the sets of tokens by which lines are looked for."""
    wanted = [rule.literals for rule in lesson.rules if searching(rule)]
    if isinstance(lesson.call, CALLS):
        wanted.append(frozenset((lesson.call.name,)))
    return (*wanted, *(frozenset((name,)) for name in lesson.kept_names[:KEPT_NAMES]))


def _shared(history: Sequence[Taught], newest: Taught) -> frozenset[str]:
    """The words that the lines of the newest edit and of the one before have in common; none for older edits.

    Where each of them has too many places, or longer names than the one that all have, they tell the place together.
    """
    if newest.step != history[-1].step:
        return frozenset()
    same = (one for one in reversed(history) if one.lesson.side == newest.lesson.side and one.step != newest.step)
    before = next(same, None)
    shared = newest.lesson.words & before.lesson.words if before is not None else frozenset[str]()
    words = frozenset(filter(is_word, shared))
    return words if any(is_name(word) and len(word) > 2 for word in words) else frozenset()


def _other_side(view: View, lines: Sequence[int], lesson: Lesson) -> list[int]:
    """The lines on the other side of what would be inserted at lines: one of both sides often has no word of its own.

    :param lesson: which inserted lines.
    """
    away = -1 if lesson.side == BELOW else max(1, lesson.old_text.count("\n"))
    return [line + away for line in lines if 0 <= line + away < len(view.lines)] if len(lines) <= EVERYWHERE else []


def recent(history: Sequence[Taught]) -> Sequence[Taught]:
    """Return the newest changed lines that look for places, and the calls around them."""
    lines = 0
    for number in range(len(history) - 1, -1, -1):
        lines += history[number].lesson.side == LINE
        if lines > RECENT or len(history) - number > 2 * RECENT:
            return history[number + 1 :]
    return history


def like_newest(history: Sequence[Taught]) -> frozenset[int]:
    """Return the steps of the newest edit and of those that inserted or deleted the same lines elsewhere.

    To the user these are one edit, and each knows other lines that are like its own.

    :param history: changed lines, the newest last.
    """
    newest = history[-1].step
    same = {_moved(source) for source in history if source.step == newest} - {None}
    return frozenset(source.step for source in history if source.step == newest or _moved(source) in same)


def _moved(source: Taught) -> tuple[str, ...] | None:
    """The lines that an edit inserted or deleted, without indentation and behind their sign; None for other edits."""
    old, new = source.lesson.old_text, source.lesson.new_text
    if new == GONE:
        return ("-", old.strip())
    if new.startswith(f"{old}\n"):
        lines = new[len(old) :].split("\n")
    elif new.endswith(f"\n{old}"):
        lines = new[: len(new) - len(old)].split("\n")
    else:
        return None
    return ("+", *(line.strip() for line in lines if line.strip()))


def of_newest(view: View, history: Sequence[Taught]) -> list[int]:
    """Return all lines that the newest edit may change, however many, ascending; at most ``LISTED``.

    :param history: changed lines, the newest last.
    """
    found: set[int] = set()
    steps = like_newest(history)
    for source in history:
        if source.step in steps:
            wanted = {rule.literals for rule in source.lesson.rules if searching(rule)}
            if isinstance(source.lesson.call, CALLS):
                wanted.add(frozenset((source.lesson.call.name,)))
            for literals in wanted.union(_deleted(source.lesson)):
                found.update(view.all_sites(literals))
            for part in source.lesson.parts:
                found.update(view.index.with_part(part) if len(part) > 3 else ())
            if len(source.lesson.kept_names) >= KEPT_NAMES:
                found.update(view.all_sites(frozenset(source.lesson.kept_names[:KEPT_NAMES])))
    return sorted(found - view.edited)[:LISTED]


def _deleted(lesson: Lesson) -> list[frozenset[str]]:
    """The tokens of a deleted line, and those of the call that it is: of lines that are the same or like it."""
    if lesson.new_text != GONE or not lesson.kept_names:
        return []
    head = called(lesson.old)
    return [lesson.words] if head is None else [lesson.words, frozenset(head[0])]


def in_repository(index: "Index", history: Sequence[Taught], skip: Callable[[str], bool]) -> list[str]:
    """Return the paths of documents that hold the tokens of a recent rule, those with most hits first.

    :param skip: paths that are searched otherwise.
    """
    hits: dict[str, int] = {}
    tried: set[tuple[int, ...]] = set()
    for source in recent(history):
        for text in _phrases(source):
            ids = tuple(token_ids(text))
            if not ids or ids in tried:
                continue
            tried.add(ids)
            for path in _holding(index, ids):
                if not skip(path) and index.document(path) is not None:  # it may have been left out meanwhile
                    hits[path] = hits.get(path, 0) + 1
    return sorted(hits, key=lambda path: (-hits[path], path))[:FILES]


def _phrases(source: Taught) -> Iterator[str]:
    """The literal texts of an edit's rules, names that it renamed, and a deleted line."""
    for rule in source.lesson.rules:
        if searching(rule) and not rule.by_kind and len(rule.regions) == 1 and rule.regions[0].raw:
            yield rule.regions[0].raw
    if source.lesson.new_text == GONE and source.lesson.kept_names:
        yield source.lesson.old_text.strip()
        if (head := called(source.lesson.old)) is not None:
            yield f"{''.join(head[0])}("
    yield from (name for name, _ in source.lesson.names if len(name) > 3)
    if source.lesson.call is not None and len(source.lesson.call.phrase) > 3:
        yield source.lesson.call.phrase


def _holding(index: "Index", ids: tuple[int, ...]) -> frozenset[str]:
    """The paths of live documents that hold tokens; none where too many places do.

    They are kept while the index is the same: a search repeats most runs of the one before.
    """
    kept = _kept.setdefault(index, {})
    found = kept.get(ids)
    if found is None:
        if len(kept) >= KEPT:
            kept.clear()
        found = kept[ids] = _searched(index, ids)
    return found


def _searched(index: "Index", ids: Sequence[int]) -> frozenset[str]:
    found: set[str] = set()
    anchored = Anchored.of(ids, word_follows=False)
    for segment in index.segments.values():
        search = Search(Agreements(segment.suffix, anchored.query), anchored, HITS, scan_limit=SCANNED)
        if search.length < min(len(ids), DEPTH) or not search.widen():
            continue  # shorter agreements are not wanted
        positions, _, population = search.found[0]
        if population < HITS:
            documents, _, _ = segment.suffix.locate(positions - np.uint32(1))
            for number in set(documents.tolist()):
                document = segment.documents[number]
                if document.live:
                    found.add(document.path)
    return frozenset(found)
