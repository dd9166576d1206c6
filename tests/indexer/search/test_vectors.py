"""FAISS indexes as bytes: exact enough, the same every time, and filtered by what is live."""

import numpy as np
import pytest

from indexer.search import vectors
from indexer.search.vectors import Vectors, build_vectors


def unit_rows(count: int, width: int = 128, seed: int = 5) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_the_nearest_rows_are_found_in_order() -> None:
    rows = unit_rows(500)
    found = Vectors.load(build_vectors(rows))
    assert (len(found), found.width) == (500, 128)
    for number in (0, 250, 499):
        ids, scores = found.search(rows[number], 10)
        exact = np.argsort(-(rows @ rows[number]))[:10]
        assert ids[0] == number
        assert len(set(ids) & set(exact)) >= 9
        assert (np.diff(scores) <= 0).all()
        np.testing.assert_allclose(scores[0], 1, atol=5e-3)


def test_the_same_rows_give_the_same_bytes() -> None:
    assert build_vectors(unit_rows(300)) == build_vectors(unit_rows(300))


def test_stored_rows_come_back_and_give_the_same_bytes_again() -> None:
    """Compaction reuses vectors: reading and building again must change nothing."""
    data = build_vectors(unit_rows(200))
    rows = Vectors.load(data).rows()
    assert rows.shape == (200, 128)
    np.testing.assert_allclose(rows, unit_rows(200), atol=2.5e-3)
    np.testing.assert_array_equal(Vectors.load(data).row(7), rows[7])
    assert build_vectors(rows) == data


def test_rows_that_are_not_live_are_not_found() -> None:
    rows = unit_rows(100)
    found = Vectors.load(build_vectors(rows))
    live = np.ones(100, dtype=np.bool_)
    live[40] = False
    ids, _ = found.search(rows[40], 100, live)
    assert 40 not in ids
    assert len(ids) == 99
    assert len(found.search(rows[40], 5, np.zeros(100, dtype=np.bool_))[0]) == 0


def test_equal_scores_come_in_the_order_of_their_numbers() -> None:
    rows = np.repeat(unit_rows(1), 20, axis=0)
    ids, _ = Vectors.load(build_vectors(rows)).search(rows[0], 20)
    assert list(ids) == list(range(20))


def test_an_empty_index_and_no_limit() -> None:
    empty = Vectors.load(build_vectors(np.zeros((0, 16), dtype=np.float32)))
    assert len(empty) == 0
    assert empty.rows().shape == (0, 16)
    assert len(empty.search(np.zeros(16, dtype=np.float32), 5)[0]) == 0
    assert len(Vectors.load(build_vectors(unit_rows(5))).search(unit_rows(1)[0], 0)[0]) == 0


def test_a_large_index_uses_inverted_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "FLAT_LIMIT", 1_000)
    rows = unit_rows(3_000)
    data = build_vectors(rows)
    assert build_vectors(rows) == data
    found = Vectors.load(data)
    hits = sum(int(found.search(rows[number], 1)[0][0] == number) for number in range(0, 3000, 30))
    assert hits >= 95
    live = np.zeros(3_000, dtype=np.bool_)
    live[::2] = True
    ids, _ = found.search(rows[0], 20, live)
    assert len(ids)
    assert not (ids % 2).any()
    np.testing.assert_allclose(found.rows(), rows, atol=2.5e-3)


@pytest.mark.parametrize("bad", [np.zeros(4, dtype=np.float32), np.full((2, 4), np.nan, dtype=np.float32)])
def test_what_is_no_matrix_of_numbers_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="matrix"):
        build_vectors(bad)


def test_truncated_bytes_raise() -> None:
    data = build_vectors(unit_rows(50))
    for size in (0, 3, 10, len(data) // 2, len(data) - 1):
        with pytest.raises(RuntimeError):
            Vectors.load(data[:size])
