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
    words = ((line & WORD) == WORD) & valid
    typed = np.array(cursor.readings[0].typed, np.uint32)
    written = np.isin(line, typed)
    known = _within(line, context.known) | written
    near = _within(line, context.near) | written
    count = words.sum(axis=1)
    length = np.maximum(sizes, 1)
    unknown = (words & ~known).sum(axis=1).astype(np.float64)
    last = [[END, END, *cursor.context(one, 2)][-2:] for one in cursor.readings]
    before = np.array(last, np.uint32)[reading]
    one_back = np.concatenate((before[:, 1:], line[:, :-1]), axis=1)
    two_back = np.concatenate((before, line[:, :-2]), axis=1)
    pair = pair_keys(one_back, line)
    balance = np.isin(line, OPENING).sum(axis=1).astype(np.float64) - np.isin(line, CLOSING).sum(axis=1)
    open_before = int(np.isin(typed, OPENING).sum()) - int(np.isin(typed, CLOSING).sum())
    return {
        "tokens": sizes.astype(np.float64),
        "tokens_over_mean": sizes - context.mean_line,
        "unknown_words": unknown,
        "unknown_share": unknown / np.maximum(count, 1),
        "near_share": (words & near).sum(axis=1) / np.maximum(count, 1),
        "pairs_known": (_within(pair, context.pairs) & valid).sum(axis=1) / length,
        "triples_known": (_within(triple_keys(two_back, pair), context.triples) & valid).sum(axis=1) / length,
        "pairs_found": (_within(pair, found_pairs) & valid).sum(axis=1) / length,
        "balance": balance,
        "balance_line": balance + open_before,
        "first_is_word": words[:, 0].astype(np.float64),
        "first_known": (known[:, 0] | ~words[:, 0]).astype(np.float64),
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
