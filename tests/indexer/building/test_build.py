"""Building and updating: changed files are found, unchanged ones kept, and the result equals a fresh build."""

import os
import random
import threading
import time

import pytest

import indexer.building.renewal
from indexer import fsio
from indexer.building.build import build
from indexer.building.survey import survey_afresh
from indexer.errors import IndexTooNew
from indexer.search.hybrid import search
from indexer.storage import compaction, fingerprint, generations, segment
from indexer.storage.reader import Index
from indexer.storage.seen_files import SeenFiles
from tests.support import indexes, repositories


def test_first_build_holds_every_file_and_finds_its_words(tmp_path):
    root = repositories.repository(tmp_path / "repo")
    index = indexes.updated(root, tmp_path / "data")
    assert set(index.documents) == set(repositories.FILES)
    for path, text in repositories.FILES.items():
        assert index.text(index.documents[path]) == text
    assert search(index, "badger_count", 1)[0].chunk.path == "src/deep/badger.c"
    assert index.root == root
    assert index.problem is None


def test_chunks_are_cut_from_the_text_by_lines_whatever_the_line_ends(tmp_path):
    body = "def a():\r\n    return 1\r\n\r\n\r\ndef b():\r    return '\u2028 \x0c'\r"
    root = repositories.repository(tmp_path / "repo", {"mixed.py": body})
    index = indexes.updated(root, tmp_path / "data")
    (chunk,) = index.chunks(index.documents["mixed.py"])
    assert chunk.text == body


def test_update_sees_edits_additions_and_deletions_and_nothing_else(tmp_path):
    root = repositories.repository(tmp_path / "repo")
    data = tmp_path / "data"
    indexes.updated(root, data)
    repositories.write(root, {"src/walrus.py": "def renamed_walrus():\n    pass\n", "src/new.py": "novelty = 1\n"})
    (root / "README.md").unlink()
    report = build(root, indexes.settings(data))
    assert (report.added, report.removed, report.revived, report.full) == (2, 2, 0, False)
    index = Index.open(indexes.directory(root, data))
    assert set(index.documents) == {"src/walrus.py", "src/heron.py", "src/deep/badger.c", "src/new.py"}
    assert not any("feed_walrus" in hit.chunk.text for hit in search(index, "feed_walrus", 9, per_file=None))
    assert search(index, "renamed_walrus", 1)[0].chunk.path == "src/walrus.py"
    assert indexes.holds(index) == indexes.holds(indexes.updated(root, tmp_path / "fresh"))


def test_nothing_changed_makes_no_generation(tmp_path):
    root = repositories.repository(tmp_path / "repo")
    assert indexes.updated(root, tmp_path / "data").generation == 1
    report = build(root, indexes.settings(tmp_path / "data"))
    assert (report.generation, report.changed, report.files) == (1, False, 4)


def test_switching_branches_makes_documents_live_again_without_preparing_them(tmp_path, monkeypatch):
    root = repositories.repository(tmp_path / "repo")
    data = tmp_path / "data"
    repositories.git(root, "checkout", "-q", "-b", "other")
    before = indexes.holds(indexes.updated(root, data))
    repositories.write(root, {"src/walrus.py": "other = 'branch'\n"})
    repositories.git(root, "commit", "-qam", "other")
    indexes.updated(root, data)
    repositories.git(root, "checkout", "-q", "main")
    monkeypatch.setattr("indexer.building.prepare.Preparer.document", None)
    report = build(root, indexes.settings(data))
    assert (report.added, report.revived, report.removed) == (0, 1, 1)
    index = Index.open(indexes.directory(root, data))
    assert indexes.holds(index) == before
    assert search(index, "feed_walrus", 1)[0].chunk.path == "src/walrus.py"


@pytest.mark.parametrize("shift", [-86_400, 365 * 86_400, None])
def test_a_changed_file_never_looks_clean(tmp_path, monkeypatch, shift):
    """Same size and the old times: found by content, since times prove nothing while young or in the future."""
    root = repositories.repository(tmp_path / "repo", {"a.py": "value = 'aaaa'\n"})
    data = tmp_path / "data"
    path = root / "a.py"
    if shift is not None:
        moment = time.time() + shift
        os.utime(path, (moment, moment))
    before = path.stat()
    indexes.updated(root, data)
    path.write_text("value = 'bbbb'\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    index = indexes.updated(root, data)
    assert "bbbb" in index.text(index.documents["a.py"])


def test_an_old_file_with_restored_times_is_found_by_its_inode_and_change_time(tmp_path, monkeypatch):
    root = repositories.repository(tmp_path / "repo", {"a.py": "value = 'aaaa'\n"})
    data = tmp_path / "data"
    later = time.time_ns() + 3_600_000_000_000
    monkeypatch.setattr(fsio, "now_ns", lambda: later)
    before = (root / "a.py").stat()
    indexes.updated(root, data)
    seen = SeenFiles(indexes.directory(root, data) / "hints", fingerprint.outcome(indexes.settings(data)))
    assert (seen.paths, seen.differing(root)) == (["a.py"], b"")
    (root / "b.py").write_text("value = 'bbbb'\n")
    (root / "b.py").replace(root / "a.py")
    os.utime(root / "a.py", ns=(before.st_atime_ns, before.st_mtime_ns))
    index = indexes.updated(root, data)
    assert "bbbb" in index.text(index.documents["a.py"])


def test_an_untouched_file_is_not_read_again(tmp_path, monkeypatch):
    root = repositories.repository(tmp_path / "repo")
    data = tmp_path / "data"
    later = time.time_ns() + 3_600_000_000_000
    monkeypatch.setattr(fsio, "now_ns", lambda: later)
    indexes.updated(root, data)
    monkeypatch.setattr("indexer.building.prepare.read_source", None)
    report = build(root, indexes.settings(data))
    assert report.files == 4


def test_a_file_that_vanishes_while_it_is_read_is_a_counted_skip(tmp_path, monkeypatch):
    root = repositories.repository(tmp_path / "repo")

    def look(*given):
        found = survey_afresh(*given)
        (root / "README.md").unlink()
        return found

    monkeypatch.setattr("indexer.building.renewal.survey_afresh", look)
    report = build(root, indexes.settings(tmp_path / "data"))
    assert report.skipped == {"vanished": 1}
    assert report.files == 3


def test_an_exclusion_is_gone_in_the_first_answer_and_from_the_disk_after_the_build(tmp_path):
    root = repositories.repository(tmp_path / "repo")
    data = tmp_path / "data"
    indexes.updated(root, data)
    where = indexes.directory(root, data)
    narrowed = indexes.settings(data, exclude=("src/deep/",))
    hidden = Index.open(where, narrowed)
    assert "src/deep/badger.c" not in hidden.documents
    assert all("badger_count" not in hit.chunk.text for hit in search(hidden, "badger_count", 5))
    report = build(root, narrowed)
    assert report.skipped == {"excluded by settings": 1}
    rebuilt = Index.open(where)
    assert "src/deep/badger.c" not in rebuilt.documents
    texts = [segment.unpacked(i)[0] for segment in rebuilt.segments.values() for i in range(len(segment.documents))]
    assert not any("badger_count" in text for text in texts)
    assert {path.name for path in (where / "segments").iterdir()} == {f"{n:08d}" for n in rebuilt.segments}
    assert len(list((where / "generations").iterdir())) == 1


@pytest.mark.parametrize("deleted_before", [False, True])
def test_what_an_ignore_file_excludes_leaves_the_disk_with_the_next_build(tmp_path, deleted_before):
    root = repositories.repository(tmp_path / "repo")
    data = tmp_path / "data"
    indexes.updated(root, data)
    where = indexes.directory(root, data)
    if deleted_before:
        (root / "src/deep/badger.c").unlink()
        assert "badger_count" in unpacked(indexes.updated(root, data))
    (root / "src/.ondolignore").write_text("deep/\n")
    build(root, indexes.settings(data))
    rebuilt = Index.open(where)
    assert sorted(rebuilt.documents) == ["README.md", "src/.ondolignore", "src/heron.py", "src/walrus.py"]
    assert "badger_count" not in unpacked(rebuilt)
    assert rebuilt.bm25.frequency("badger_count") == 0
    assert rebuilt.bm25.frequency("feed_walrus") > 0
    assert {path.name for path in (where / "segments").iterdir()} == {f"{n:08d}" for n in rebuilt.segments}
    assert len(list((where / "generations").iterdir())) == 1
    again = build(root, indexes.settings(data))
    assert not again.changed


def unpacked(index):
    """All texts of an index and the bytes of its word lists, deleted documents included."""
    texts = [segment.unpacked(i)[0] for segment in index.segments.values() for i in range(len(segment.documents))]
    words = [path.read_bytes().decode("utf-8", "replace") for path in (indexes_segments(index)) if path.is_file()]
    return "\n".join(texts + words)


def indexes_segments(index):
    """The uncompressed files of an index's segments."""
    where = indexes.directory(index.root, index.root.parent / "data")
    return [path for number in index.segments for path in (where / "segments" / f"{number:08d}").iterdir()]


def test_an_index_of_another_version_is_rebuilt(tmp_path, monkeypatch):
    root = repositories.repository(tmp_path / "repo")
    data = tmp_path / "data"
    indexes.updated(root, data)
    monkeypatch.setattr("indexer.storage.fingerprint.shape", lambda: "another")
    assert Index.open(indexes.directory(root, data)).outdated
    report = build(root, indexes.settings(data))
    assert report.full
    assert "another version" in report.notes[0]
    assert not Index.open(indexes.directory(root, data)).outdated


def test_an_index_of_a_later_version_is_refused_and_kept_without_full(tmp_path, monkeypatch):
    root = repositories.repository(tmp_path / "repo")
    data = tmp_path / "data"
    with monkeypatch.context() as later:
        later.setattr(generations, "FORMAT", generations.FORMAT + 1)
        later.setattr(generations.Manifest, "__init__", _with_format(generations.Manifest.__init__, generations.FORMAT))
        indexes.updated(root, data)
    for attempt in (
        lambda: Index.open(indexes.directory(root, data)),
        lambda: build(root, indexes.settings(data)),
    ):
        with pytest.raises(IndexTooNew, match="update Ondol, or rebuild the index with `ondol index --full`"):
            attempt()
    assert build(root, indexes.settings(data), full=True).files == 4
    assert set(Index.open(indexes.directory(root, data)).documents) == set(repositories.FILES)


def test_an_older_version_is_told_that_it_cannot_read_this_format(tmp_path, monkeypatch):
    """It knows other names of files, so without the number in the manifest it would fail at the first key."""
    root = repositories.repository(tmp_path / "repo")
    data = tmp_path / "data"
    written = indexes.updated(root, data).manifest
    monkeypatch.setattr(generations, "FORMAT", generations.OLDEST_FORMAT)
    told = rf"a later version of Ondol wrote the index \(format {written.format}, this one reads 1\)"
    for attempt in (lambda: Index.open(indexes.directory(root, data)), lambda: build(root, indexes.settings(data))):
        with pytest.raises(IndexTooNew, match=told):
            attempt()


def _with_format(init, number):
    def made(self, *args, **values):
        init(self, *args, **{**values, "format": number})

    return made


def test_same_input_same_index_whatever_the_workers_and_the_root(tmp_path, monkeypatch):
    rng = random.Random(11)
    files = {
        f"pkg{rng.randrange(9)}/m{i}.py": "\n".join(
            f"def f{rng.randrange(50)}_{j}(x): return x + {i}" for j in range(60)
        )
        for i in range(60)
    }
    monkeypatch.setattr(indexer.building.renewal, "IN_PROCESS_BYTES", 1)
    monkeypatch.setattr(indexer.building.renewal, "_BATCH_BYTES", 20_000)
    monkeypatch.setattr(compaction, "SEGMENT_BYTES", 40_000)
    hashes = []
    for number, workers in enumerate((1, 2)):
        root, data = tmp_path / f"repo{number}" / "r", tmp_path / f"data{number}"
        repositories.write(root, dict(sorted(files.items(), key=lambda pair: rng.random())))
        build(root, indexes.settings(data, workers=workers))
        where = indexes.directory(root, data)
        parts = sorted(path for path in (where / "segments").rglob("*") if path.is_file())
        hashes.append({path.relative_to(where).as_posix(): fsio.hash_file(path) for path in parts})
    assert len({name.split("/")[1] for name in hashes[0]}) == 3
    assert hashes[0] == hashes[1]


def test_many_small_segments_are_folded_into_one(tmp_path):
    root = repositories.repository(tmp_path / "repo")
    data = tmp_path / "data"
    for number in range(9):
        repositories.write(root, {f"n{number}.py": f"unique_name_{number} = {number}\n"})
        index = indexes.updated(root, data)
        assert len(index.segments) <= compaction.MANY_SMALL
    assert indexes.holds(index) == indexes.holds(indexes.updated(root, tmp_path / "fresh"))
    assert [search(index, f"unique_name_{n}", 1)[0].chunk.path for n in range(9)] == [f"n{n}.py" for n in range(9)]


def test_a_half_dead_segment_is_rewritten_and_deleted_text_leaves_the_disk_within_a_day(tmp_path, monkeypatch):
    monkeypatch.setattr(segment, "SMALL_BYTES", 100)
    root = repositories.repository(tmp_path / "repo", {f"f{i}.py": f"name_{i} = {i}\n" * 20 for i in range(10)})
    data = tmp_path / "data"
    indexes.updated(root, data)
    (root / "f0.py").unlink()
    index = indexes.updated(root, data)
    assert [len(segment.documents) for segment in index.segments.values()] == [10]
    tomorrow = time.time_ns() + 25 * 3_600_000_000_000
    monkeypatch.setattr(fsio, "now_ns", lambda: tomorrow)
    repositories.write(root, {"other.txt": "wakes the build\n"})
    index = indexes.updated(root, data)
    assert all(document.live for segment in index.segments.values() for document in segment.documents)
    for i in range(1, 5):
        (root / f"f{i}.py").unlink()
    index = indexes.updated(root, data)
    assert all(document.live for segment in index.segments.values() for document in segment.documents)
    assert indexes.holds(index) == indexes.holds(indexes.updated(root, tmp_path / "fresh"))


DAY_NS = 24 * 3_600_000_000_000


@pytest.mark.parametrize("away", [DAY_NS + 10**10, -400 * DAY_NS], ids=["a day later", "a clock that was far ahead"])
@pytest.mark.parametrize("gone", [1, 8], ids=["little", "most of it"])
def test_deleted_text_leaves_the_disk_after_a_day_though_nothing_else_changes(tmp_path, monkeypatch, away, gone):
    monkeypatch.setattr(segment, "SMALL_BYTES", 100)
    names = [f"unique{number}name" for number in range(10)]
    root = repositories.repository(tmp_path / "repo", {f"{name}.py": f"{name} = 1\n" * 20 for name in names})
    data = tmp_path / "data"
    indexes.updated(root, data)
    for name in names[:gone]:
        (root / f"{name}.py").unlink()
    indexes.updated(root, data)
    now = time.time_ns() + away
    monkeypatch.setattr(fsio, "now_ns", lambda: now)
    index = indexes.updated(root, data)
    assert sorted(index.documents) == [f"{name}.py" for name in names[gone:]]
    where = indexes.directory(root, data)
    assert {path.name for path in (where / "segments").iterdir()} == {f"{n:08d}" for n in index.segments}
    assert len(list((where / "generations").iterdir())) == 1
    assert [name for name in names if name in unpacked(index)] == names[gone:]
    assert [name for name in names if index.bm25.frequency(name)] == names[gone:]
    again = indexes.updated(root, data)
    assert again.generation == index.generation


def test_readers_keep_their_generation_while_newer_ones_replace_it(tmp_path):
    root = repositories.repository(tmp_path / "repo")
    data = tmp_path / "data"
    reader = indexes.updated(root, data)
    before = indexes.holds(reader)
    for number in range(10):
        repositories.write(root, {"src/walrus.py": f"generation_{number} = 1\n"})
        indexes.updated(root, data)
    assert len(list((indexes.directory(root, data) / "generations").iterdir())) == generations.GENERATIONS_KEPT
    reader._texts.clear()
    assert indexes.holds(reader) == before
    assert search(reader, "feed_walrus", 1)[0].chunk.path == "src/walrus.py"


def test_opening_while_generations_are_committed_always_finds_a_whole_one(tmp_path):
    root, data = tmp_path / "repo", tmp_path / "data"
    repositories.write(root, repositories.FILES)
    indexes.updated(root, data)
    done, found, errors = threading.Event(), [], []

    def read():
        while not done.is_set():
            try:
                index = Index.open(indexes.directory(root, data))
                text = index.text(index.documents["src/walrus.py"])
                hits = search(index, text, 1)
                found.append((index.generation, text, hits[0].chunk.text, index.problem))
            except Exception as error:
                errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(8):
        repositories.write(root, {"src/walrus.py": f"generation_{number} = 1\n"})
        build(root, indexes.settings(data))
    done.set()
    for reader in readers:
        reader.join()
    assert errors == []
    assert [row for row in found if row[1] != row[2] or row[3] is not None] == []
    assert len({generation for generation, *_ in found}) > 3


def test_everything_written_is_for_the_owner_alone(tmp_path):
    root = repositories.repository(tmp_path / "repo")
    old = os.umask(0)
    try:
        indexes.updated(root, tmp_path / "data")
        repositories.write(root, {"x.py": "x = 1\n"})
        indexes.updated(root, tmp_path / "data")
    finally:
        os.umask(old)
    for path in (tmp_path / "data" / "repositories").rglob("*"):
        about = path.stat()  # of a reader of the ranked search a lock may be left, which holds nothing
        assert about.st_mode & 0o077 == 0 or (path.name == ".tantivy-meta.lock" and not about.st_size), path


def test_nothing_is_written_inside_the_repository(tmp_path):
    root = repositories.repository(tmp_path / "repo")
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*") if ".git/" not in str(path)}
    indexes.updated(root, tmp_path / "data")
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*") if ".git/" not in str(path)} == before
    assert repositories.git(root, "status", "--porcelain") == ""
