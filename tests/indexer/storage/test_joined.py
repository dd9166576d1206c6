"""A joined index: ids never meet, what is left out of an index is left out of the join, search finds both."""

from pathlib import Path

import pytest

from indexer.search.hybrid import search
from indexer.storage.joined import MOST, ROOM, Guest, JoinedIndex
from indexer.storage.segment import CHUNK_BITS
from tests.support.indexes import updated
from tests.support.repositories import repository


@pytest.fixture
def pair(tmp_path: Path) -> JoinedIndex:
    own = updated(repository(tmp_path / "own"), tmp_path / "data")
    other = updated(
        repository(tmp_path / "other", {"src/crane.py": "def crane_height(cm):\n    return cm\n"}), tmp_path / "data"
    )
    return JoinedIndex(own, [Guest.of(other, own.root, 1)])


def test_every_document_has_its_own_id_and_text(pair: JoinedIndex) -> None:
    assert "../other/src/crane.py" in pair.documents
    ids = [document.id for document in pair.documents.values()]
    assert len(set(ids)) == len(ids)
    assert "crane_height" in pair.text(pair.documents["../other/src/crane.py"])
    assert "heron_height" in pair.text(pair.documents["src/heron.py"])
    for document in pair.documents.values():
        assert pair.segments[document.segment].documents[document.local] is document
        assert all(chunk.path == document.path for chunk in pair.chunks(document))


def test_search_finds_chunks_of_both_and_their_keys_lead_there(pair: JoinedIndex) -> None:
    for words, path in ((["crane", "height"], "../other/src/crane.py"), (["heron", "height"], "src/heron.py")):
        found = [key for key, _ in pair.bm25_search(words, 5)[:2]]
        assert path in [pair.chunk(key).path for key in found]
        assert [pair.span(key)[0].path for key in found] == [pair.chunk(key).path for key in found]
    assert {hit.chunk.path for hit in search(pair, "def height(cm)", 5)} >= {"../other/src/crane.py", "src/heron.py"}


def test_what_the_own_index_leaves_out_is_gone_from_a_new_join(pair: JoinedIndex) -> None:
    pair._own.leave_out(lambda document: document.path == "src/heron.py")
    again = JoinedIndex(pair._own, pair._guests)
    assert "src/heron.py" not in again.documents
    assert "../other/src/crane.py" in again.documents
    assert not [key for key, _ in again.bm25_search(["heron"], 5) if again.chunk(key).path == "src/heron.py"]


def test_the_keys_of_the_last_guest_fit_into_63_bits() -> None:
    assert ((MOST + 1) * ROOM) << CHUNK_BITS < 1 << 63
