"""In an index of many segments the near and the new ones come first."""

import random
from types import SimpleNamespace
from typing import Any

import numpy as np

from indexer.search.suffix_search import Matches
from indexer.storage.segment import folders_of
from lsp_server.retrieval.match_finder import NearestSegments, _kept


def segment(number: int, *paths: str) -> Any:
    return SimpleNamespace(number=number, folders=folders_of(paths))


def test_segments_with_files_of_the_nearest_folder_come_first_and_then_the_newest() -> None:
    segments = [
        segment(1, "drivers/net/a.c"),
        segment(2, "drivers/gpu/b.c", "drivers/net/wifi/c.c"),
        segment(3, "mm/d.c"),
        segment(4, "sound/e.c"),
        segment(5, "drivers/gpu/f.c"),
    ]
    nearest = NearestSegments()
    for path, order in (
        ("drivers/net/wifi/new.c", [2, 1, 5, 4, 3]),
        ("drivers/net/new.c", [2, 1, 5, 4, 3]),
        ("mm/new.c", [3, 5, 4, 2, 1]),
        ("new.c", [5, 4, 3, 2, 1]),
        ("", [5, 4, 3, 2, 1]),
    ):
        assert [one.number for one in nearest.first(path, segments)] == order, path
    assert [one.number for one in nearest.first("x", [*segments, segment(6, "z.c")])][-1] == 6  # not ranked yet


def found(lengths: list[int]) -> Matches:
    return Matches(np.zeros(len(lengths), np.uint32), np.array(lengths, np.uint8), np.ones(len(lengths), np.uint32))


def test_the_longest_are_kept_and_all_segments_share_what_room_is_left() -> None:
    segments = [found([5, 3, 3, 3]), found([7, 3, 3]), found([5, 5, 3])]
    assert [keep.tolist() for keep in _kept(segments, 10)] == [[True] * 4, [True] * 3, [True] * 3]
    assert [keep.tolist() for keep in _kept(segments, 4)] == [
        [True, False, False, False],
        [True, False, False],
        [True, True, False],
    ]
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(300):
        segments = [found(sorted(rng.choices(range(1, 9), k=rng.randrange(12)), reverse=True)) for _ in range(5)]
        limit = rng.randrange(1, 40)
        kept = _kept(segments, limit)
        inside = np.concatenate([one.lengths[keep] for one, keep in zip(segments, kept, strict=True)])
        outside = np.concatenate([one.lengths[~keep] for one, keep in zip(segments, kept, strict=True)])
        assert len(inside) <= limit + len(segments)  # a share is rounded in each
        if len(outside):  # only of the least length that fits are there some outside
            longer = inside[inside > outside.max()]
            assert len(longer) == sum(int((one.lengths > outside.max()).sum()) for one in segments)
    assert _kept([], 5) == []
