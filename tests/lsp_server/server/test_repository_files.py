"""Which documents of an index that was opened are used: of a further generation, only what differs is looked at."""

from pathlib import Path
from typing import Any

import pytest

from indexer.storage.reader import Index
from lsp_server.server.factories import IndexOpener, SharedIndexes
from lsp_server.server.repository_files import RepositoryFiles
from tests.support.indexes import directory, settings, updated
from tests.support.repositories import repository, write

FILES = {f"src/{name}.py": f"{name}_count = 1\n" for name in ("badger", "heron", "otter", "walrus")}


class Opened:
    """A repository whose index is opened again and again, and the paths that were looked at."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opener: Any) -> None:
        self.root, self.data = repository(tmp_path / "repo", FILES), tmp_path / "data"
        self.files, self.looked, self.opener, self.index = RepositoryFiles(self.root), [], opener, None
        missing = self.files._missing

        def look(path: str) -> bool:
            self.looked.append(path)
            return missing(path)

        monkeypatch.setattr(self.files, "_missing", look)

    def again(self, **values: Any) -> set[str]:
        """Update the index and open it; return the paths that are used."""
        updated(self.root, self.data)
        return self.prepared(**values)

    def prepared(self, **values: Any) -> set[str]:
        self.looked.clear()
        chosen = settings(self.data, **values)
        opened = self.opener(chosen, self.root)
        self.files.prepare(opened, chosen)
        self.index = opened  # until here the one before is in use
        return set(opened.documents)


@pytest.fixture(params=[IndexOpener, SharedIndexes])
def opened(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    return Opened(tmp_path, monkeypatch, request.param())


def test_the_first_one_is_looked_at_as_a_whole_and_a_further_one_where_it_differs(opened: Opened) -> None:
    assert opened.again() == set(FILES)
    assert sorted(opened.looked) == sorted(FILES)
    write(opened.root, {"src/heron.py": "other_heron = 1\n", "src/lynx.py": "lynx_count = 1\n"})
    assert opened.again() == {*FILES, "src/lynx.py"}
    assert sorted(opened.looked) == ["src/heron.py", "src/lynx.py"]


def test_what_was_left_out_is_looked_at_again(opened: Opened) -> None:
    opened.again()
    otter = opened.root / "src/otter.py"
    text = otter.read_text()
    otter.unlink()
    opened.files.leave_out(opened.index, ["src/otter.py"])
    assert opened.prepared() == set(FILES) - {"src/otter.py"}  # the generation that still has it
    otter.write_text(text)
    assert opened.prepared() == set(FILES)
    assert opened.looked == ["src/otter.py"]


def test_what_the_rules_exclude_stays_out_of_a_generation_that_was_begun_before(opened: Opened) -> None:
    opened.again()
    write(opened.root, {"src/lynx.py": "lynx_count = 1\n"})
    updated(opened.root, opened.data)
    write(opened.root, {".ondolignore": "lynx.py\notter.py\n"})
    opened.files.narrow(opened.index, settings(opened.data))
    assert opened.prepared() == set(FILES) - {"src/otter.py"}
    assert sorted(opened.looked) == ["src/lynx.py", "src/otter.py"]
    write(opened.root, {".ondolignore": "walrus.py\n"})
    assert opened.prepared() == {*FILES, "src/lynx.py"} - {"src/walrus.py"}
    assert len(opened.looked) == 5  # other rules: every document is asked about


def test_other_settings_ask_about_every_document(opened: Opened) -> None:
    opened.again()
    assert opened.prepared(exclude=("heron.py",)) == set(FILES) - {"src/heron.py"}
    assert opened.prepared() == set(FILES)


def test_a_further_generation_has_the_tables_of_the_one_before_and_holds_what_a_fresh_reader_sees(
    opened: Opened,
) -> None:
    opened.again()
    first = opened.index
    tables = {number: (one.suffix, one.words) for number, one in first.segments.items()}
    assert len(first.vector_search(first.encoder.encode(["heron"])[0], 9)) == len(FILES)
    vectors = dict(first._vectors)
    write(opened.root, {"src/heron.py": "other_heron = 1\n"})
    (opened.root / "src/otter.py").unlink()
    opened.again()
    second, fresh = opened.index, Index.open(directory(opened.root, opened.data))
    assert len(second.segments) == 2
    assert all((one.suffix, one.words) == tables[n] for n, one in second.segments.items() if n in tables)
    assert all(second._vectors[number] is one for number, one in vectors.items())
    for number, segment in fresh.segments.items():
        assert second.segments[number].documents == segment.documents
        assert second.segments[number].live.tolist() == segment.live.tolist()
    query = fresh.encoder.encode(["heron"])[0]
    assert second.vector_search(query, 9) == fresh.vector_search(query, 9)
    assert second.bm25_search(["heron"], 9) == fresh.bm25_search(["heron"], 9)
    assert {path: second.text(one) for path, one in second.documents.items()} == {
        path: fresh.text(one) for path, one in fresh.documents.items()
    }
    assert set(first.documents) == set(FILES)  # the reader of the generation before sees what it saw


def test_a_segment_that_was_made_again_under_its_number_is_read_again(opened: Opened) -> None:
    opened.again()
    first = opened.index
    write(opened.root, {"src/heron.py": "other_heron = 1\n"})
    updated(opened.root, opened.data, full=True)
    opened.prepared()
    assert set(first.segments) == set(opened.index.segments) == {0}
    assert opened.index.text(opened.index.documents["src/heron.py"]) == "other_heron = 1\n"
