"""Features of how well a candidate fits the code around it: words and pairs of words in use, and lines that repeat.

Each function takes one row of token ids for each candidate, of which the first ``sizes`` belong to it. Where a
candidate was copied from does not matter here.
"""

import numpy as np
from numpy.typing import NDArray

from indexer.text.tokens import END, WORD
from lsp_server.retrieval.cursor import CLOSING, OPENING, WINDOW, CursorContext, Ids, pair_keys, triple_keys
from lsp_server.retrieval.matches import Ints

Floats = NDArray[np.float64]


def words(
    cursor: CursorContext, reading: Ints, line: Ids, sizes: Ints, found_pairs: NDArray[np.uint64]
) -> dict[str, Floats]:
    """Return whether the document, its part near the cursor and the found chunks hold the candidates' words."""
    context = cursor.line_context
    valid = np.arange(WINDOW)[None, :] < sizes[:, None]
    row = np.repeat(np.arange(len(sizes)), np.minimum(sizes, WINDOW))
    last = [[END, END, *cursor.context(one, 2)][-2:] for one in cursor.readings]
    wide = np.concatenate((np.array(last, np.uint32)[reading], line), axis=1)
    # Most of the window is empty: only the cells that hold tokens are looked up.
    ids, one_back, two_back = line[valid], wide[:, 1:-1][valid], wide[:, :-2][valid]
    is_word = (ids & WORD) == WORD
    typed = np.array(cursor.readings[0].typed, np.uint32)
    written = np.isin(ids, typed)
    known = _within(ids, context.known) | written
    near = _within(ids, context.near) | written
    pair = pair_keys(one_back, ids)

    def count(cells: NDArray[np.bool_]) -> Floats:
        return np.bincount(row[cells], minlength=len(sizes)).astype(np.float64)

    words, length = count(is_word), np.maximum(sizes, 1)
    unknown = count(is_word & ~known)
    balance = count(_within(ids, OPENING)) - count(_within(ids, CLOSING))
    open_before = int(_within(typed, OPENING).sum()) - int(_within(typed, CLOSING).sum())
    first = np.cumsum(np.minimum(sizes, WINDOW)) - np.minimum(sizes, WINDOW)
    any_token = sizes > 0
    first_is_word, first_known = np.zeros(len(sizes), bool), np.ones(len(sizes), bool)
    first_is_word[any_token] = is_word[first[any_token]]
    first_known[any_token] = (known | ~is_word)[first[any_token]]
    return {
        "tokens": sizes.astype(np.float64),
        "tokens_over_mean": sizes - context.mean_line,
        "unknown_words": unknown,
        "unknown_share": unknown / np.maximum(words, 1),
        "near_share": count(is_word & near) / np.maximum(words, 1),
        "pairs_known": count(_within(pair, context.pairs)) / length,
        "triples_known": count(_within(triple_keys(two_back, pair), context.triples)) / length,
        "pairs_found": count(_within(pair, found_pairs)) / length,
        "balance": balance,
        "balance_line": balance + open_before,
        "first_is_word": first_is_word.astype(np.float64),
        "first_known": first_known.astype(np.float64),
        "line_ends": (sizes == 0).astype(np.float64),
    }


def repeats(cursor: CursorContext, reading: Ints, line: Ids, sizes: Ints) -> dict[str, Floats]:
    """Return whether the finished line would repeat the next line, the last one, or one of the five above."""
    context = cursor.line_context
    out = {name: np.zeros(len(sizes)) for name in ("repeats_next", "repeats_last", "repeats_near")}
    for number, one in enumerate(cursor.readings):
        typed = list(one.typed)
        own = reading == number

        def same(full: list[int], typed: list[int] = typed, own: NDArray[np.bool_] = own) -> NDArray[np.bool_]:
            rest = full[len(typed) :]
            if full[: len(typed)] != typed or len(rest) > WINDOW:
                return np.zeros(len(sizes), bool)
            equal: NDArray[np.bool_] = (line[:, : len(rest)] == np.array(rest, np.uint32)).all(axis=1)
            result: NDArray[np.bool_] = own & (sizes == len(rest)) & equal
            return result

        if context.next_line:
            out["repeats_next"] += same(context.next_line)
        for up, full in enumerate(context.lines_above):
            repeats = same(full)
            out["repeats_near"] = np.maximum(out["repeats_near"], repeats)
            if up == 0:
                out["repeats_last"] += repeats
    return out


def _within(values: NDArray[np.generic], ordered: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Return which values are among distinct sorted ones; three times as fast as ``np.isin``, which sorts again."""
    if not len(ordered):
        return np.zeros(values.shape, bool)
    at = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    found: NDArray[np.bool_] = ordered[at] == values
    return found
