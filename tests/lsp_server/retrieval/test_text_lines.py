"""Lines that are kept in one piece are the lines of the text, and windows share the room for them."""

import gc
import random

import pytest

from indexer.text.lines import lines_of
from lsp_server.retrieval.matches import TEXTS_KEPT, KeptTexts, SourceText
from lsp_server.retrieval.text_lines import TextLines

PIECES = ["", "a", "값 = 1", "😀", "\n", "\n", "\r\n", "\r", "\f", "\u2028", "\udc80", "\t x"]


@pytest.mark.parametrize("seed", range(300))
def test_lines_are_those_of_the_text(seed: int) -> None:
    rng = random.Random(seed)
    text = "".join(rng.choices(PIECES, k=rng.randrange(12)))
    wanted, lines = lines_of(text), TextLines(text)
    assert list(lines) == wanted
    assert [lines[-number] for number in range(1, len(lines) + 1)] == wanted[::-1]
    for _ in range(5):
        start, end = rng.randrange(-3, 15), rng.randrange(-3, 15)
        assert lines[start:end] == wanted[start:end]
    for outside in (len(wanted), -len(wanted) - 1):
        with pytest.raises(IndexError):
            lines[outside]


def test_texts_of_several_windows_are_kept_apart_within_one_limit() -> None:
    windows = [KeptTexts(), KeptTexts()]
    for number in range(TEXTS_KEPT):
        windows[0].put(number, SourceText(f"{number}", []))
    assert windows[0].get(0) is not None  # so that it is the newest
    for number in range(3):
        windows[1].put(number, SourceText(f"other {number}", []))
    assert [number for number in range(TEXTS_KEPT) if number not in windows[0]] == [1, 2, 3]
    found = [(windows[0].get(0), windows[1].get(0), windows[1].get(5))]
    assert [[one and one.path for one in row] for row in found] == [["0", "other 0", None]]


def test_texts_of_an_index_that_is_replaced_are_forgotten() -> None:
    kept, other = KeptTexts(), KeptTexts()
    kept.put(1, SourceText("deleted", []))
    other.put(1, SourceText("other", []))
    del kept
    gc.collect()
    assert [one.path for one in KeptTexts._all.values() if one.path in ("deleted", "other")] == ["other"]
