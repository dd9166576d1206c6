"""Groups matches into candidates and computes the features that the ranker and the gate judge them by.

Matches with the same tokens up to the line's end, under the same reading of the cursor, are one candidate. Its row of
``FEATURES`` says how long and how often the code before the matches agrees with that before the cursor, where they
stand, how well the code after them agrees with that after the cursor, and whether the document already uses the
candidate's words and pairs of words.

This module never looks at a candidate's spelling.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from indexer.text.tokens import NEWLINE
from lsp_server.retrieval import usage_features
from lsp_server.retrieval.cursor import LOOK_BACK, WINDOW, CursorContext
from lsp_server.retrieval.matches import (
    COUNTED_RANK,
    FIRST_NAME_RANK,
    NO_SEARCH_RANK,
    Ints,
    Matches,
    MatchSource,
    SourceTexts,
    line_lengths,
)

Floats = NDArray[np.float64]

FEATURES: Final = (
    "longest",
    "longest_here",
    "longest_repository",
    "longest_found",
    "matches_here",
    "matches_repository",
    "matches_found",
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
    "matches_of_all",
    "candidates",
    "behind_blank",
    "text_behind",
    "entropy",
    "word_length",
    "form",
    "renamed",
    "renamed_copies",
    "renamed_words",
    "renamed_form",
    "renamed_share",
    "removed",
    "removed_longest",
    "removed_lines",
    "removed_share",
    "renamed_removed_lines",
    "removed_of_all",
    "series_follows",
    "series_named",
    "series_counted",
    "series_lines_up",
)

CANDIDATES: Final = 150
"""Candidates at most, those with the most votes. With 200, the right one was further down in under 1 % of cases; 150
were chosen at 4,431 keys, where as many suggestions were right."""

VOTE_BASE: Final = 1.7
VOTES: Final = np.array([source.vote for source in MatchSource])
NONE: Final = 12.0
"""Stands for "no such match" in logarithmic distances and ranks."""

_MULTIPLIERS = np.random.Generator(np.random.PCG64(7)).integers(1, 2**62, WINDOW, dtype=np.uint64) | np.uint64(1)


@dataclass(frozen=True, eq=False)
class Candidates:
    """Candidates with their features, most votes first.

    :param rows: float64 ``(candidates, len(FEATURES))``.
    :param best: for each the row of ``Matches`` that stands for it: the longest agreement, this document first.
    :param members: for each match the number of its candidate, or -1.
    """

    rows: Floats
    best: Ints
    members: Ints


def candidates_of(
    cursor: CursorContext, matches: Matches, texts: SourceTexts, found_pairs: NDArray[np.uint64]
) -> Candidates:
    """Return the candidates of all matches, with their features.

    :param found_pairs: pairs of neighbouring tokens in the chunks that search found.
    """
    ends = line_lengths(matches.window)
    inside = np.arange(WINDOW)[None, :] < ends[:, None]
    line = np.where(inside, matches.window, 0)
    keys = (line.astype(np.uint64) * _MULTIPLIERS).sum(axis=1, dtype=np.uint64) * np.uint64(2)
    keys += matches.reading.astype(np.uint64)
    distinct, member = np.unique(keys, return_inverse=True)
    votes = _votes(matches)
    total = np.bincount(member, weights=votes, minlength=len(distinct)).astype(np.float64)
    order = np.argsort(-total, kind="stable")[:CANDIDATES]
    number = np.full(len(distinct), -1)
    number[order] = np.arange(len(order))
    member = number[member]
    best = _best(cursor, matches, member, len(order))
    group = _Groups(member, len(order))
    shown = line[best], ends[best]
    rows = np.zeros((len(order), len(FEATURES)))
    values = {
        **_agreement(matches, votes, group),
        **_position(cursor, matches, votes, group, ends),
        "path": _nearest_path(matches, texts.paths, group),
        **usage_features.words(cursor, matches.reading[best], *shown, found_pairs),
        **usage_features.repeats(cursor, matches.reading[best], *shown),
        **_setting(cursor, matches, total),
        **_renamed(matches, votes, group, best),
        **_removed(matches, votes, group),
        **_series(cursor, matches, group),
    }
    values["within_word"] = (matches.reading[best] == 1).astype(float)
    values["partial_length"] = values["within_word"] * values["word_length"]
    for column, name in enumerate(FEATURES):
        rows[:, column] = values[name]
    return Candidates(rows, best, member)


class _Groups:
    """Reduces a column of matches to a column of candidates."""

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


def _votes(matches: Matches) -> Floats:
    source = VOTES[matches.source]
    length = np.where(
        matches.source == MatchSource.RENAMED, np.maximum(matches.length, matches.form // 2), matches.length
    )
    votes: Floats = VOTE_BASE ** np.minimum(length, 24) * source * np.minimum(matches.weight, 50.0)
    return votes


def _best(cursor: CursorContext, matches: Matches, member: Ints, size: int) -> Ints:
    here = matches.source == MatchSource.CURRENT
    distance = np.where(here, np.abs(matches.line - cursor.line), 0)
    order = np.lexsort((distance, ~here, -matches.length, matches.derived))[::-1]
    best = np.zeros(size, np.int64)
    kept = order[member[order] >= 0]
    best[member[kept]] = kept
    return best


def _agreement(matches: Matches, votes: Floats, group: _Groups) -> dict[str, Floats]:
    """How long, how often, in how many documents."""
    here, found = matches.source <= MatchSource.OPEN, matches.source == MatchSource.SEARCH
    copied = ~matches.derived
    repository = matches.source == MatchSource.REPOSITORY
    length = matches.length.astype(np.float64)
    ones = np.ones(len(matches))
    total = group.sum(votes)
    total_here, total_away = group.sum(votes, here), group.sum(votes, ~here)
    longest = length.max()
    at_longest = copied & (length >= longest)
    weight = matches.weight
    return {
        "longest": group.max(length, copied),
        "longest_here": group.max(length, here),
        "longest_repository": group.max(length, repository),
        "longest_found": group.max(length, found),
        "matches_here": np.log1p(group.sum(ones, here)),
        "matches_repository": np.log1p(group.sum(weight, repository)),
        "matches_found": np.log1p(group.sum(ones, found)),
        "documents": np.log1p(group.distinct(matches.text, copied)),
        "documents_elsewhere": np.log1p(group.distinct(matches.text, repository)),
        "share": total / votes.sum(),
        "share_here": total_here / max(votes[here].sum(), 1e-9),
        "share_elsewhere": total_away / max(votes[~here].sum(), 1e-9),
        "rank": np.log1p(np.arange(group.size)),
        "share_of_longest": group.sum(weight, at_longest) / max(weight[at_longest].sum(), 1e-9),
        "mean_length": group.sum(length * weight) / np.maximum(group.sum(weight), 1e-9),
        "gap_to_longest": longest - group.max(length, copied),
    }


def _position(cursor: CursorContext, matches: Matches, votes: Floats, group: _Groups, ends: Ints) -> dict[str, Floats]:
    """Where the matches stand, and what stands after them."""
    current = matches.source == MatchSource.CURRENT
    distance = np.log1p(np.abs(matches.line - cursor.line))
    following = _following_agreement(cursor, matches, ends)
    tokens = following * min(8, len(cursor.line_context.next_line))
    if cursor.at_start:
        step = cursor.indent - int(cursor.line_context.previous_indents[cursor.line])
        agrees = (matches.indent - matches.previous == step).astype(np.float64)
        indent_agrees = group.sum(agrees * votes) / np.maximum(group.sum(votes), 1e-9)
        same_indent = group.max(matches.indent == cursor.indent)
    else:
        indent_agrees = same_indent = np.ones(group.size)
    return {
        "lines_up": -group.max(-distance, current & (matches.line < cursor.line), -NONE),
        "lines_down": -group.max(-distance, current & (matches.line > cursor.line), -NONE),
        "found_rank": -group.max(-matches.hit, matches.source == MatchSource.SEARCH, -NONE),
        "next_agrees": group.max(following),
        "next_agrees_tokens": group.max(tokens),
        "indent_agrees": indent_agrees,
        "same_indent": same_indent,
    }


def _following_agreement(cursor: CursorContext, matches: Matches, ends: Ints) -> Floats:
    """Return which part of the next line's first eight tokens follow each match's line too."""
    expected = np.array([*cursor.line_context.next_line, NEWLINE][:8], np.uint32)
    size = len(expected)
    if size < 2:
        return np.zeros(len(matches))
    start = np.minimum(ends + 1, WINDOW - 1)
    columns = np.minimum(start[:, None] + np.arange(size), WINDOW - 1)
    equal = np.take_along_axis(matches.window, columns, axis=1) == expected
    run = np.cumprod(equal, axis=1).sum(axis=1)
    return np.where(ends < WINDOW - size, run / size, 0.0)


def _setting(cursor: CursorContext, matches: Matches, total: Floats) -> dict[str, Floats | float]:
    """What is the same for all candidates of a cursor."""
    share = total / total.sum()
    word = next((one.partial for one in cursor.readings if one.partial), "")
    return {
        "at_start": float(cursor.at_start),
        "typed_tokens": float(len(cursor.readings[0].typed)),
        "longest_of_all": float(matches.length.max()),
        "matches_of_all": float(np.log1p(len(matches))),
        "candidates": float(np.log1p(len(total))),
        "behind_blank": float(cursor.prefix[-1:].isspace()),
        "text_behind": float(bool(cursor.rest.strip())),
        "entropy": float(-(share * np.log(share + 1e-12)).sum()),
        "word_length": float(len(word)),
    }


def _renamed(matches: Matches, votes: Floats, group: _Groups, best: Ints) -> dict[str, Floats]:
    """How well the form of the code fits, for copies and for copies with other names."""
    renamed = matches.source == MatchSource.RENAMED
    return {
        "form": group.max(matches.form, ~matches.derived),
        "renamed": matches.derived[best].astype(np.float64),
        "renamed_copies": group.sum(np.ones(len(matches)), renamed),
        "renamed_words": -group.max(-matches.changes, renamed, -NONE),
        "renamed_form": group.max(matches.form, renamed),
        "renamed_share": group.sum(votes, renamed) / votes.sum(),
    }


def _removed(matches: Matches, votes: Floats, group: _Groups) -> dict[str, Floats | float]:
    """Whether the document had it before, and how near to the cursor."""
    removed = matches.source == MatchSource.REMOVED
    far = matches.hit >= NO_SEARCH_RANK
    distance = np.where(far, NONE, np.log1p(matches.hit.astype(np.float64)))
    return {
        "removed": group.max(removed),
        "removed_longest": group.max(matches.length, removed),
        "removed_lines": -group.max(-distance, removed, -NONE),
        "removed_share": group.sum(votes, removed) / np.maximum(votes[removed].sum(), 1e-9),
        "renamed_removed_lines": -group.max(-distance, matches.source == MatchSource.RENAMED, -NONE),
        "removed_of_all": float(np.log1p(removed.sum())),
    }


def _series(cursor: CursorContext, matches: Matches, group: _Groups) -> dict[str, Floats]:
    """Whether it is the next row of a series, and by which word."""
    series = matches.source == MatchSource.SERIES
    follows, counted = series & (matches.hit < FIRST_NAME_RANK), series & (matches.hit == COUNTED_RANK)
    named = series & ~follows & ~counted
    return {
        "series_follows": -group.max(-matches.hit, follows, -NONE),
        "series_named": -group.max(FIRST_NAME_RANK - matches.hit, named, -NONE),
        "series_counted": group.max(counted),
        "series_lines_up": -group.max(matches.line - cursor.line, series, -LOOK_BACK - 1.0),
    }


def _nearest_path(matches: Matches, paths: list[str], group: _Groups) -> Floats:
    """How near the folders of the matches are to the document's, for the nearest match of each candidate."""
    affinity = np.array([path_affinity(paths[0], other) for other in paths])
    affinity[0] = 1.5
    return group.max(affinity[matches.text])


@lru_cache(maxsize=8_192)
def path_affinity(path: str, other: str) -> float:
    """Return which part of their folders two paths share, from 0 to 1; 1.5 for the same file."""
    if path == other:
        return 1.5
    a, b = path.split("/")[:-1], other.split("/")[:-1]
    shared = 0
    for one, two in zip(a, b, strict=False):
        if one != two:
            break
        shared += 1
    return shared / max(len(a), len(b), 1)
