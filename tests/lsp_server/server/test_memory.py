"""Collections of all objects wait for a pause of the typing."""

import gc
import linecache
from collections.abc import Iterator

import pytest
from lsprotocol import types

from lsp_server.server import memory, protocol


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


def test_the_protocols_classes_keep_nothing_of_how_they_were_made() -> None:
    position = protocol.converter().structure({"line": 1, "character": 2}, types.Position)
    names = types.Position.__init__.__globals__
    assert "CompletionItem" not in names and "CompletionItem" in vars(types)
    assert position == types.Position(1, 2) and position < types.Position(1, 3) and repr(position) == "1:2"
    with pytest.raises(ValueError, match=r"Position\.line"):
        types.Position(-1, 0)
    assert not [place for place in linecache.cache if place.startswith("<attrs generated") and "lsprotocol" in place]
