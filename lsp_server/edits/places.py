"""Where earlier edits may hold too: other lines of a document, and documents of the repository through its index."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from indexer.search.suffix_search import find
from indexer.text.tokens import token_ids
from lsp_server.edits.proposals import Taught
from lsp_server.edits.rules import Rule
from lsp_server.edits.views import View

if TYPE_CHECKING:
    from indexer.storage.reader import Index

RECENT: Final = 6
"""Changed lines whose rules look for places."""

TRIED: Final = 40
"""Places of a document that are tried, the nearest first."""

EVERYWHERE: Final = 60
"""A rule with more places in a document does not look for any: it would match everywhere."""

NEAR: Final = 3
"""Lines on each side of the newest edit that are always tried, for rows that differ in every name."""

_LOOSE: Final = frozenset({"c00", "m00", "s00", "c10", "c01"})
"""Rules with little context; they need a longer word."""

KEPT_NAMES: Final = 2
"""Names that an edit left in its line, the longest first, by which lines like it are found."""

LISTED: Final = 500
"""Places of a document that are listed where all are asked for."""

FILES: Final = 200
HITS: Final = 400


def searching(rule: Rule) -> bool:
    """Whether a rule says enough to look for places by it."""
    longest = max(map(len, rule.literals), default=0)
    return longest > (3 if rule.kind in _LOOSE else 2)


def in_document(view: View, history: Sequence[Taught], last: int, least: int = 1) -> list[int]:
    """Return lines that earlier edits may change, the nearest to the line ``last`` first.

    :param history: changed lines, the newest last. :param least: edits that have to lead to a line.
    """
    found: dict[int, set[int]] = {}
    for source in history[-RECENT:]:
        wanted = [rule.literals for rule in source.lesson.rules if searching(rule)]
        wanted += [frozenset((name,)) for name in source.lesson.kept_names[:KEPT_NAMES]]
        groups: list[Sequence[int]] = [view.sites(literals) for literals in wanted]
        groups += [view.index.with_part(part) for part in list(source.lesson.parts)[:3] if len(part) > 3]
        for lines in groups:
            if len(lines) <= EVERYWHERE:
                for line in lines:
                    found.setdefault(line, set()).add(source.step)
    led = {line for line, steps in found.items() if len(steps) >= least}
    if history and history[-1].uri == view.uri:
        near = range(max(0, last - NEAR), min(len(view.lines), last + NEAR + 1))
        led.update(number for number in near if view.lines[number].strip())
    return sorted(led - view.edited, key=lambda number: abs(number - last))[:TRIED]


def of_newest(view: View, history: Sequence[Taught]) -> list[int]:
    """Return all lines that the newest edit may change, however many, ascending; at most ``LISTED``.

    :param history: changed lines, the newest last.
    """
    found: set[int] = set()
    for source in history:
        if source.step == history[-1].step:
            for literals in {rule.literals for rule in source.lesson.rules if searching(rule)}:
                found.update(view.all_sites(literals))
            for part in source.lesson.parts:
                found.update(view.index.with_part(part) if len(part) > 3 else ())
            if len(source.lesson.kept_names) >= KEPT_NAMES:
                found.update(view.all_sites(frozenset(source.lesson.kept_names[:KEPT_NAMES])))
    return sorted(found - view.edited)[:LISTED]


def in_repository(index: "Index", history: Sequence[Taught], skip: Callable[[str], bool]) -> Iterator[str]:
    """Yield paths of documents that hold the tokens of a recent rule, those with most hits first.

    :param skip: paths that are searched otherwise.
    """
    hits: dict[str, int] = {}
    tried: set[tuple[int, ...]] = set()
    for source in history[-RECENT:]:
        for text in _phrases(source):
            ids = tuple(token_ids(text))
            if not ids or ids in tried:
                continue
            tried.add(ids)
            for path in _holding(index, ids):
                if not skip(path):
                    hits[path] = hits.get(path, 0) + 1
    yield from sorted(hits, key=lambda path: (-hits[path], path))[:FILES]


def _phrases(source: Taught) -> Iterator[str]:
    """The literal texts of an edit's rules, and names that it renamed."""
    for rule in source.lesson.rules:
        if searching(rule) and not rule.by_kind and len(rule.regions) == 1 and rule.regions[0].raw:
            yield rule.regions[0].raw
    yield from (name for name, _ in source.lesson.names if len(name) > 3)
    if source.lesson.call is not None and len(source.lesson.call.phrase) > 3:
        yield source.lesson.call.phrase


def _holding(index: "Index", ids: Sequence[int]) -> set[str]:
    """The paths of live documents that hold tokens; none where too many places do."""
    found: set[str] = set()
    for segment in index.segments.values():
        matches = find(segment.suffix, list(ids), HITS)
        whole = matches.lengths == min(len(ids), 255)
        if whole.any() and int(matches.populations[whole].max()) < HITS:
            documents, _, _ = segment.suffix.locate(matches.positions[whole] - np.uint32(1))
            for number in set(documents.tolist()):
                document = segment.documents[number]
                if document.live:
                    found.add(document.path)
    return found
