"""Collections of all objects wait for a pause of the typing."""

import gc
from collections.abc import Iterator

import pytest

from lsp_server.server import memory


@pytest.fixture
def python_rule() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.collect()


def _old_collections() -> int:
    return gc.get_stats()[2]["collections"]


@pytest.mark.usefixtures("python_rule")
def test_a_pause_collects_what_the_typing_left() -> None:
    memory.collect_in_pauses()
    gc.collect()
    before = _old_collections()
    memory.use_pause()
    assert _old_collections() == before, "nothing was made since the last time"
    for _ in range(memory.DUE + 1):
        gc.collect(1)
    kept = [[number] for number in range(300_000)]
    assert _old_collections() == before, "Python's own rule would have collected by now"
    memory.use_pause()
    assert _old_collections() == before + 1
    assert len(kept) == 300_000
