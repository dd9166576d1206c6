"""How a candidate fits the habits around it: words and pairs of words in use, lines that repeat.

Everything here compares one row of token ids for each candidate, of which the first ``sizes`` are its own, with the
document and the chunks that search found; where the candidate was copied from does not matter.
"""

import numpy as np
from numpy.typing import NDArray

from indexer.text.tokens import END, WORD
from lsp_server.retrieval.cursor import CLOSING, OPENING, WINDOW, Ids, Scene, pair_keys, triple_keys
from lsp_server.retrieval.matches import Ints

Floats = NDArray[np.float64]


def words(scene: Scene, reading: Ints, line: Ids, sizes: Ints, found_pairs: NDArray[np.uint64]) -> dict[str, Floats]:
    """Whether the document, its nearer part and the found chunks know the candidates' words and pairs of words."""
    frame = scene.frame
    valid = np.arange(WINDOW)[None, :] < sizes[:, None]
    words = ((line & WORD) == WORD) & valid
    typed = np.array(scene.readings[0].typed, np.uint32)
    written = np.isin(line, typed)
    known = _within(line, frame.known) | written
    near = _within(line, frame.near) | written
    count = words.sum(axis=1)
    length = np.maximum(sizes, 1)
    unknown = (words & ~known).sum(axis=1).astype(np.float64)
    last = [[END, END, *scene.context(one, 2)][-2:] for one in scene.readings]
    before = np.array(last, np.uint32)[reading]
    one_back = np.concatenate((before[:, 1:], line[:, :-1]), axis=1)
    two_back = np.concatenate((before, line[:, :-2]), axis=1)
    pair = pair_keys(one_back, line)
    balance = np.isin(line, OPENING).sum(axis=1).astype(np.float64) - np.isin(line, CLOSING).sum(axis=1)
    open_before = int(np.isin(typed, OPENING).sum()) - int(np.isin(typed, CLOSING).sum())
    return {
        "tokens": sizes.astype(np.float64),
        "tokens_over_mean": sizes - frame.mean_line,
        "unknown_words": unknown,
        "unknown_share": unknown / np.maximum(count, 1),
        "near_share": (words & near).sum(axis=1) / np.maximum(count, 1),
        "pairs_known": (_within(pair, frame.pairs) & valid).sum(axis=1) / length,
        "triples_known": (_within(triple_keys(two_back, pair), frame.triples) & valid).sum(axis=1) / length,
        "pairs_found": (_within(pair, found_pairs) & valid).sum(axis=1) / length,
        "balance": balance,
        "balance_line": balance + open_before,
        "first_is_word": words[:, 0].astype(np.float64),
        "first_known": (known[:, 0] | ~words[:, 0]).astype(np.float64),
        "line_ends": (sizes == 0).astype(np.float64),
    }


def repeats(scene: Scene, reading: Ints, line: Ids, sizes: Ints) -> dict[str, Floats]:
    """Whether the finished line would repeat the next one, the last one, or one of the five above."""
    frame = scene.frame
    out = {name: np.zeros(len(sizes)) for name in ("repeats_next", "repeats_last", "repeats_near")}
    for number, one in enumerate(scene.readings):
        typed = list(one.typed)
        mine = reading == number

        def same(full: list[int], typed: list[int] = typed, mine: NDArray[np.bool_] = mine) -> NDArray[np.bool_]:
            rest = full[len(typed) :]
            if full[: len(typed)] != typed or len(rest) > WINDOW:
                return np.zeros(len(sizes), bool)
            equal: NDArray[np.bool_] = (line[:, : len(rest)] == np.array(rest, np.uint32)).all(axis=1)
            result: NDArray[np.bool_] = mine & (sizes == len(rest)) & equal
            return result

        if frame.next_line:
            out["repeats_next"] += same(frame.next_line)
        for place, full in enumerate(frame.lines_above):
            repeats = same(full)
            out["repeats_near"] = np.maximum(out["repeats_near"], repeats)
            if place == 0:
                out["repeats_last"] += repeats
    return out


def _within(values: NDArray[np.generic], ordered: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Which values are among distinct ones in order; three times as fast as ``np.isin``, which sorts again."""
    if not len(ordered):
        return np.zeros(values.shape, bool)
    place = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    found: NDArray[np.bool_] = ordered[place] == values
    return found
