"""Gathers places into candidates and measures each: the numbers that the ranker and the gate judge by.

Places whose tokens up to the line's end are the same, under the same reading of the cursor, are one candidate. Its
evidence is one row of ``FEATURES``: how long and how often the code before the places agrees with that before the
cursor, where they stand, how what follows them agrees with what follows the cursor, and whether the document already
uses the candidate's words and pairs of words.

This module knows no model and no text; it never looks at a candidate's spelling.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from indexer.text.tokens import NEWLINE
from lsp_server.retrieval import usage_features
from lsp_server.retrieval.cursor import LOOK_BACK, WINDOW, Scene
from lsp_server.retrieval.matches import (
    COUNTED,
    CURRENT,
    EARLIER,
    NAMED,
    OPEN,
    PATTERN,
    REPOSITORY,
    SEARCH,
    SEARCH_RANK_NONE,
    SLOT,
    Ints,
    Places,
    line_lengths,
)

Floats = NDArray[np.float64]

FEATURES: Final = (
    "longest",
    "longest_here",
    "longest_repository",
    "longest_found",
    "places_here",
    "places_repository",
    "places_found",
    "documents",
    "documents_elsewhere",
    "share",
    "share_here",
    "share_elsewhere",
    "rank",
    "share_of_longest",
    "lines_up",
    "lines_down",
    "path",
    "found_rank",
    "next_agrees",
    "next_agrees_tokens",
    "indent_agrees",
    "same_indent",
    "tokens",
    "tokens_over_mean",
    "unknown_words",
    "unknown_share",
    "near_share",
    "pairs_known",
    "triples_known",
    "pairs_found",
    "balance",
    "balance_line",
    "first_is_word",
    "first_known",
    "within_word",
    "partial_length",
    "line_ends",
    "repeats_next",
    "repeats_last",
    "repeats_near",
    "mean_length",
    "gap_to_longest",
    "at_start",
    "typed_tokens",
    "longest_of_all",
    "places_of_all",
    "candidates",
    "behind_blank",
    "text_behind",
    "entropy",
    "word_length",
    "form",
    "pattern",
    "patterns",
    "pattern_changes",
    "pattern_form",
    "pattern_share",
    "earlier",
    "earlier_longest",
    "earlier_lines",
    "earlier_share",
    "pattern_earlier_lines",
    "lines_gone",
    "slot_follows",
    "slot_named",
    "slot_counted",
    "slot_lines_up",
)

CANDIDATES: Final = 200
"""Candidates with the most votes that are measured; of 400 another 150 hold the right one in under 1 % of cases."""

VOTE_BASE: Final = 1.7
VOTE_HERE: Final = 3.0
VOTE_FOUND: Final = 1.5
VOTE_PATTERN: Final = 1.0
VOTE_EARLIER: Final = 6.0
VOTE_SLOT: Final = 6.0
NONE: Final = 12.0
"""Stands for "no such place" in logarithmic distances and ranks."""

_MULTIPLIERS = np.random.Generator(np.random.PCG64(7)).integers(1, 2**62, WINDOW, dtype=np.uint64) | np.uint64(1)


@dataclass(frozen=True, eq=False)
class Candidates:
    """Candidates with their evidence, most votes first.

    :param rows: float64 ``(candidates, len(FEATURES))``.
    :param best: for each the row of ``Places`` that stands for it: the longest agreement, this document first.
    :param members: for each place the number of its candidate, or -1.
    """

    rows: Floats
    best: Ints
    members: Ints


def gather(scene: Scene, places: Places, found_pairs: NDArray[np.uint64]) -> Candidates:
    """The candidates of all places, with their evidence."""
    ends = line_lengths(places.window)
    inside = np.arange(WINDOW)[None, :] < ends[:, None]
    line = np.where(inside, places.window, 0)
    keys = (line.astype(np.uint64) * _MULTIPLIERS).sum(axis=1, dtype=np.uint64) * np.uint64(2)
    keys += places.reading.astype(np.uint64)
    distinct, member = np.unique(keys, return_inverse=True)
    votes = _votes(places)
    total = np.bincount(member, weights=votes, minlength=len(distinct)).astype(np.float64)
    order = np.argsort(-total, kind="stable")[:CANDIDATES]
    number = np.full(len(distinct), -1)
    number[order] = np.arange(len(order))
    member = number[member]
    best = _best(scene, places, member, len(order))
    group = _Groups(member, len(order))
    shown = line[best], ends[best]
    rows = np.zeros((len(order), len(FEATURES)))
    values = {
        **_agreement(places, votes, group),
        **_position(scene, places, votes, group, ends),
        **usage_features.words(scene, places.reading[best], *shown, found_pairs),
        **usage_features.repeats(scene, places.reading[best], *shown),
        **_setting(scene, places, votes, total),
        **_patterns(places, votes, group, best),
        **_earlier(places, votes, group),
        **_slots(scene, places, group),
    }
    values["within_word"] = (places.reading[best] == 1).astype(float)
    values["partial_length"] = values["within_word"] * values["word_length"]
    for column, name in enumerate(FEATURES):
        rows[:, column] = values[name]
    return Candidates(rows, best, member)


class _Groups:
    """Reductions of a column of places to a column of candidates."""

    def __init__(self, member: Ints, size: int) -> None:
        self._member = member
        self._kept = member >= 0
        self.size = size

    def sum(self, values: Floats, where: NDArray[np.bool_] | None = None) -> Floats:
        keep = self._kept if where is None else self._kept & where
        return np.bincount(self._member[keep], weights=values[keep], minlength=self.size).astype(np.float64)

    def max(self, values: NDArray[np.generic], where: NDArray[np.bool_] | None = None, default: float = 0.0) -> Floats:
        keep = self._kept if where is None else self._kept & where
        out = np.full(self.size, default)
        np.maximum.at(out, self._member[keep], values[keep].astype(np.float64))
        return out

    def distinct(self, values: Ints, where: NDArray[np.bool_] | None = None) -> Floats:
        keep = self._kept if where is None else self._kept & where
        both = np.unique(self._member[keep] * (int(values.max(initial=0)) + 1) + values[keep])
        return np.bincount(both // (int(values.max(initial=0)) + 1), minlength=self.size).astype(np.float64)


def _votes(places: Places) -> Floats:
    source = np.array([VOTE_HERE, VOTE_HERE, 1.0, VOTE_FOUND, VOTE_PATTERN, VOTE_EARLIER, VOTE_SLOT])[places.source]
    length = np.where(places.source == PATTERN, np.maximum(places.length, places.form // 2), places.length)
    votes: Floats = VOTE_BASE ** np.minimum(length, 24) * source * np.minimum(places.weight, 50.0)
    return votes


def _best(scene: Scene, places: Places, member: Ints, size: int) -> Ints:
    here = places.source == CURRENT
    distance = np.where(here, np.abs(places.line - scene.line), 0)
    order = np.lexsort((distance, ~here, -places.length, places.made))[::-1]
    best = np.zeros(size, np.int64)
    kept = order[member[order] >= 0]
    best[member[kept]] = kept
    return best


def _agreement(places: Places, votes: Floats, group: _Groups) -> dict[str, Floats]:
    """How long, how often, in how many documents."""
    here, found = places.source <= OPEN, places.source == SEARCH
    copied = ~places.made
    repository = places.source == REPOSITORY
    length = places.length.astype(np.float64)
    ones = np.ones(len(places))
    total = group.sum(votes)
    total_here, total_away = group.sum(votes, here), group.sum(votes, ~here)
    longest = length.max()
    at_longest = copied & (length >= longest)
    weight = places.weight
    return {
        "longest": group.max(length, copied),
        "longest_here": group.max(length, here),
        "longest_repository": group.max(length, repository),
        "longest_found": group.max(length, found),
        "places_here": np.log1p(group.sum(ones, here)),
        "places_repository": np.log1p(group.sum(weight, repository)),
        "places_found": np.log1p(group.sum(ones, found)),
        "documents": np.log1p(group.distinct(places.origin, copied)),
        "documents_elsewhere": np.log1p(group.distinct(places.origin, repository)),
        "share": total / votes.sum(),
        "share_here": total_here / max(votes[here].sum(), 1e-9),
        "share_elsewhere": total_away / max(votes[~here].sum(), 1e-9),
        "rank": np.log1p(np.arange(group.size)),
        "share_of_longest": group.sum(weight, at_longest) / max(weight[at_longest].sum(), 1e-9),
        "mean_length": group.sum(length * weight) / np.maximum(group.sum(weight), 1e-9),
        "gap_to_longest": longest - group.max(length, copied),
    }


def _position(scene: Scene, places: Places, votes: Floats, group: _Groups, ends: Ints) -> dict[str, Floats]:
    """Where the places stand, and what stands after them."""
    current = places.source == CURRENT
    distance = np.log1p(np.abs(places.line - scene.line))
    following = _following_agreement(scene, places, ends)
    tokens = following * min(8, len(scene.frame.next_line))
    if scene.at_start:
        step = scene.indent - int(scene.frame.previous_indents[scene.line])
        agrees = (places.indent - places.previous == step).astype(np.float64)
        indent_agrees = group.sum(agrees * votes) / np.maximum(group.sum(votes), 1e-9)
        same_indent = group.max(places.indent == scene.indent)
    else:
        indent_agrees = same_indent = np.ones(group.size)
    return {
        "lines_up": -group.max(-distance, current & (places.line < scene.line), -NONE),
        "lines_down": -group.max(-distance, current & (places.line > scene.line), -NONE),
        "path": np.zeros(group.size),
        "found_rank": -group.max(-places.hit, places.source == SEARCH, -NONE),
        "next_agrees": group.max(following),
        "next_agrees_tokens": group.max(tokens),
        "indent_agrees": indent_agrees,
        "same_indent": same_indent,
    }


def _following_agreement(scene: Scene, places: Places, ends: Ints) -> Floats:
    """Which part of the next line's first eight tokens follow each place's line too."""
    expected = np.array([*scene.frame.next_line, NEWLINE][:8], np.uint32)
    size = len(expected)
    if size < 2:
        return np.zeros(len(places))
    start = np.minimum(ends + 1, WINDOW - 1)
    columns = np.minimum(start[:, None] + np.arange(size), WINDOW - 1)
    equal = np.take_along_axis(places.window, columns, axis=1) == expected
    run = np.cumprod(equal, axis=1).sum(axis=1)
    return np.where(ends < WINDOW - size, run / size, 0.0)


def _setting(scene: Scene, places: Places, votes: Floats, total: Floats) -> dict[str, Floats | float]:
    """What is the same for all candidates of a cursor."""
    share = total / total.sum()
    word = next((one.partial for one in scene.readings if one.partial), "")
    return {
        "at_start": float(scene.at_start),
        "typed_tokens": float(len(scene.readings[0].typed)),
        "longest_of_all": float(places.length.max()),
        "places_of_all": float(np.log1p(len(places))),
        "candidates": float(np.log1p(len(total))),
        "behind_blank": float(scene.prefix[-1:].isspace()),
        "text_behind": float(bool(scene.rest.strip())),
        "entropy": float(-(share * np.log(share + 1e-12)).sum()),
        "word_length": float(len(word)),
    }


def _patterns(places: Places, votes: Floats, group: _Groups, best: Ints) -> dict[str, Floats]:
    """How well the form of the code fits, for copies and for copies with other names."""
    pattern = places.source == PATTERN
    return {
        "form": group.max(places.form, ~places.made),
        "pattern": places.made[best].astype(np.float64),
        "patterns": group.sum(np.ones(len(places)), pattern),
        "pattern_changes": -group.max(-places.changes, pattern, -NONE),
        "pattern_form": group.max(places.form, pattern),
        "pattern_share": group.sum(votes, pattern) / votes.sum(),
    }


def _earlier(places: Places, votes: Floats, group: _Groups) -> dict[str, Floats | float]:
    """Whether the document said it before, and how near to the cursor."""
    earlier = places.source == EARLIER
    far = places.hit >= SEARCH_RANK_NONE
    distance = np.where(far, NONE, np.log1p(places.hit.astype(np.float64)))
    return {
        "earlier": group.max(earlier),
        "earlier_longest": group.max(places.length, earlier),
        "earlier_lines": -group.max(-distance, earlier, -NONE),
        "earlier_share": group.sum(votes, earlier) / np.maximum(votes[earlier].sum(), 1e-9),
        "pattern_earlier_lines": -group.max(-distance, places.source == PATTERN, -NONE),
        "lines_gone": float(np.log1p(earlier.sum())),
    }


def _slots(scene: Scene, places: Places, group: _Groups) -> dict[str, Floats]:
    """Whether it is the next row of a series, and by which word."""
    slot = places.source == SLOT
    follows, counted = slot & (places.hit < NAMED), slot & (places.hit == COUNTED)
    named = slot & ~follows & ~counted
    return {
        "slot_follows": -group.max(-places.hit, follows, -NONE),
        "slot_named": -group.max(NAMED - places.hit, named, -NONE),
        "slot_counted": group.max(counted),
        "slot_lines_up": -group.max(places.line - scene.line, slot, -LOOK_BACK - 1.0),
    }


@lru_cache(maxsize=65_536)
def path_affinity(path: str, other: str) -> float:
    """How much of the folders two paths share, 0 to 1; 1.5 for the same file."""
    if path == other:
        return 1.5
    a, b = path.split("/")[:-1], other.split("/")[:-1]
    shared = 0
    for one, two in zip(a, b, strict=False):
        if one != two:
            break
        shared += 1
    return shared / max(len(a), len(b), 1)


def set_paths(candidates: Candidates, places: Places, path: str, paths: list[str]) -> None:
    """Fills in the column ``path``: the nearest folder that a candidate's places stand in."""
    affinity = np.array([path_affinity(path, other) for other in paths])
    affinity[0] = 1.5
    group = _Groups(candidates.members, len(candidates.best))
    candidates.rows[:, FEATURES.index("path")] = group.max(affinity[places.origin])
