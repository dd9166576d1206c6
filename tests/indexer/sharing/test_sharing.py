"""An index that is exported once is imported elsewhere: the same answers, little copied, and bad shares leave all as it was."""

import contextlib
import hashlib
import json
import os
import random
import shutil
from pathlib import Path

import pytest

from indexer import fsio
from indexer.building.build import build
from indexer.errors import Locked, OndolError, UserError
from indexer.repository import policy
from indexer.search.hybrid import search
from indexer.secrets import masking
from indexer.sharing.exporting import export_index
from indexer.sharing.importing import import_index
from indexer.sharing.manifest import LARGEST_BYTES, read_manifest
from indexer.sharing.places import MANIFEST, Store, open_place
from indexer.storage.reader import Index
from tests.support import console, indexes, repositories

posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX links and pipes")


@pytest.fixture
def shared(tmp_path):
    """A repository, its index exported to a folder, and a clone of it."""
    root = repositories.repository(tmp_path / "repo")
    exported(root, tmp_path / "data", tmp_path / "share")
    repositories.git(tmp_path, "clone", "-q", str(root), "laptop")
    return tmp_path / "laptop", tmp_path / "share"


def exported(root: Path, data: Path, where):
    settings = indexes.settings(data)
    build(root, settings)
    return export_index(settings, root, open_place(str(where)))


def imported(root: Path, data: Path, where):
    return import_index(indexes.settings(data), root, open_place(str(where)))


def own_index(root: Path, data: Path) -> int:
    """An index of other files than the exported ones; its generation."""
    repositories.write(root, {"mine.py": "only_here = 1\n"})
    return indexes.updated(root, data).generation


def refused(root: Path, data: Path, where, match: str) -> None:
    """The import ends with one sentence, and the index is as it was."""
    before = lasting_files(data)
    with pytest.raises(UserError, match=match) as raised:
        imported(root, data, where)
    said = str(raised.value)
    assert said.endswith(".") and "; " in said and "\n" not in said
    assert lasting_files(data) == before


def lasting_files(data: Path) -> list[Path]:
    """The files of a data folder without locks and caches; tantivy takes a lock whenever it likes."""
    passing = ("LOCK", "verified", ".tantivy-meta.lock", ".tantivy-writer.lock")
    return sorted(path for path in data.rglob("*") if path.is_file() and path.name not in passing)


def rewritten(share: Path, change) -> None:
    """Change the manifest of an export and give it right checksums again, as an attacker would."""
    outer = json.loads((share / MANIFEST).read_text())
    export = json.loads(outer["export"])
    inner = json.loads(export["index"])
    index = json.loads(inner["manifest"])
    change(export, index)
    inner["manifest"] = json.dumps(index)
    inner["checksum"] = hashlib.sha256(inner["manifest"].encode()).hexdigest()
    export["index"] = json.dumps(inner)
    body = json.dumps(export)
    (share / MANIFEST).write_text(json.dumps({"checksum": hashlib.sha256(body.encode()).hexdigest(), "export": body}))


def test_the_imported_index_is_the_exported_one(shared, tmp_path):
    root, share = shared
    report = imported(root, tmp_path / "second", share)
    assert (report.taken > 0, report.had) == (True, 0)
    mine = Index.open(indexes.directory(root, tmp_path / "second"), verify=True)
    assert mine.root == root
    own = indexes.updated(root, tmp_path / "own")
    assert indexes.holds(mine) == indexes.holds(own)
    for query in ("badger count", "왜가리 높이", "fish"):
        assert search(mine, query, 5) == search(own, query, 5)


def test_after_an_import_only_what_differs_is_indexed(shared, tmp_path):
    root, share = shared
    repositories.write(root, {"src/heron.py": "def heron_width(cm):\n    return cm\n", "new.py": "novelty = 1\n"})
    (root / "README.md").unlink()
    imported(root, tmp_path / "second", share)
    report = build(root, indexes.settings(tmp_path / "second"))
    assert (report.full, report.added, report.removed) == (False, 2, 2)
    mine = Index.open(indexes.directory(root, tmp_path / "second"))
    assert indexes.holds(mine) == indexes.holds(indexes.updated(root, tmp_path / "own"))
    assert build(root, indexes.settings(tmp_path / "second")).changed is False


def test_a_second_export_and_import_copy_only_what_is_new(shared, tmp_path):
    root, share = shared
    imported(root, tmp_path / "second", share)
    original = tmp_path / "repo"
    repositories.write(original, {"src/otter.py": "def otter(fish):\n    return fish\n"})
    repositories.git(original, "add", "-A")
    repositories.git(original, "commit", "-q", "-m", "otter")
    done = exported(original, tmp_path / "data", share)
    assert 0 < done.written_bytes < done.bytes
    repositories.git(root, "pull", "-q")
    report = imported(root, tmp_path / "second", share)
    assert report.had > 0 and report.taken < done.files
    assert "src/otter.py" in indexes.updated(root, tmp_path / "second").documents
    again = exported(original, tmp_path / "data", share)
    assert again.written == 0
    names = {path.name for path in (share / "files").iterdir()}
    manifest = read_manifest(open_place(str(share)))
    assert names == {*manifest.names, *manifest.before}


def test_own_changes_survive_an_import_and_excluded_files_do_not_come_with_it(shared, tmp_path):
    root, share = shared
    data = tmp_path / "second"
    repositories.write(root, {"mine.py": "only_here = 1\n", ".ondolignore": "*.c\n"})
    indexes.updated(root, data)
    imported(root, data, share)
    index = indexes.updated(root, data)
    assert "mine.py" in index.documents and "src/deep/badger.c" not in index.documents
    for path in indexes.directory(root, data).rglob("texts.bin"):
        assert b"badger" not in path.read_bytes()
    assert all(
        document.path != "src/deep/badger.c" for segment in index.segments.values() for document in segment.documents
    )


def test_an_export_holds_no_secret_no_excluded_file_and_no_place_of_the_machine(tmp_path):
    secret = "ghp_" + "".join(random.Random(7).choices("abcdefghijkmnpqrstuvwxyzABCDEFGH23456789", k=36))
    files = {
        "a.py": f'token = "{secret}"\n',
        "hidden/b.py": "hidden_walrus = 1\n",
        ".ondolignore": "hidden/\n",
        "id_rsa": "key\n",
    }
    root = repositories.repository(tmp_path / "repo", files)
    exported(root, tmp_path / "data", tmp_path / "share")
    clone = repositories.git(tmp_path, "clone", "-q", str(root), "laptop") or tmp_path / "laptop"
    imported(clone, tmp_path / "second", tmp_path / "share")
    index = Index.open(indexes.directory(clone, tmp_path / "second"))
    assert set(index.documents) == {"a.py", ".ondolignore"}
    assert secret not in index.text(index.documents["a.py"])
    for path in (tmp_path / "share").rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        assert secret.encode() not in data and b"hidden_walrus" not in data and str(tmp_path).encode() not in data


def test_the_report_counts_what_is_not_committed(tmp_path):
    root = repositories.repository(tmp_path / "repo")
    assert exported(root, tmp_path / "data", tmp_path / "share").uncommitted == 0
    repositories.write(root, {"scratch.py": "private = 1\n", "src/heron.py": "changed = 1\n"})
    assert exported(root, tmp_path / "data", tmp_path / "share").uncommitted == 2


def test_a_store_works_like_a_folder(shared, tmp_path):
    pytest.importorskip("fsspec")
    root, _ = shared
    where = f"memory://team/{tmp_path.name}"
    first = exported(tmp_path / "repo", tmp_path / "data", where)
    assert first.written == first.files
    assert exported(tmp_path / "repo", tmp_path / "data", where).written == 0
    imported(root, tmp_path / "second", where)
    index = Index.open(indexes.directory(root, tmp_path / "second"), verify=True)
    assert indexes.holds(index) == indexes.holds(indexes.updated(root, tmp_path / "own"))
    refused(root, tmp_path / "third", "memory://nothing/here", "there is no exported index")


def test_a_store_that_cannot_be_used_says_so_without_its_password(tmp_path):
    pytest.importorskip("fsspec")
    with pytest.raises(UserError, match="cannot be used") as raised:
        Store("nosuchprotocol://user:hunter2@store/team?key=hunter3")
    assert "hunter" not in str(raised.value) and "store/team" in str(raised.value)


@pytest.mark.slow
def test_the_commands_say_what_they_did(shared, tmp_path):
    root, share = shared
    done = console.run("index", root, "--import", share, data=tmp_path / "second")
    assert done.returncode == 0, done.stderr
    assert "was imported from" in done.stderr and "up to date" in done.stdout
    out = console.run("index", root, "--export", tmp_path / "other", data=tmp_path / "second")
    assert out.returncode == 0 and "was exported to" in out.stderr
    wrong = console.run("index", root, "--import", tmp_path / "nowhere", data=tmp_path / "third")
    assert wrong.returncode == 1 and "there is no exported index" in wrong.stderr
    assert console.run("index", root, "--full", "--import", share, data=tmp_path / "third").returncode == 2


@pytest.mark.slow
def test_an_export_among_files_of_another_kind_is_refused_and_writes_nothing(shared, tmp_path):
    root, _ = shared
    other, data = repositories.repository(tmp_path / "other"), tmp_path / "data"
    (index,) = data.glob("repositories/*/index")
    refusals = {
        "": "an empty name is no place",
        root: "lies in the repository itself",
        root / "out/index": "lies in the repository itself",
        other: "lies in the repository",
        other / "new": "lies in the repository",
        data: "lies in the data folder",
        index: "lies in the data folder",
        **({"/proc/x": "cannot be created"} if Path("/proc/self").exists() else {}),
    }
    for place, said in refusals.items():
        there = {path for folder in (root, other, data) for path in folder.rglob("*ondol-index*")}
        done = console.run("index", root, "--export", place, data=data, cwd=tmp_path)
        assert done.returncode == 1 and said in done.stderr, (place, done.stderr)
        assert {path for folder in (root, other, data) for path in folder.rglob("*ondol-index*")} == there
        assert not (root / "out").exists() and not (other / "new").exists()
    assert not (tmp_path / "ondol-index.json").exists()


def test_a_share_that_is_half_copied_is_refused_and_nothing_changes(shared, tmp_path):
    root, share = shared
    own = own_index(root, tmp_path / "second")
    largest = max((share / "files").iterdir(), key=lambda path: path.stat().st_size)
    largest.rename(tmp_path / "later")
    refused(root, tmp_path / "second", share, "is not complete")
    (tmp_path / "later").rename(largest)
    whole = (share / MANIFEST).read_bytes()
    (share / MANIFEST).write_bytes(whole[: len(whole) // 2])
    refused(root, tmp_path / "second", share, "is damaged")
    (share / MANIFEST).unlink()
    refused(root, tmp_path / "second", share, "there is no exported index")
    assert Index.open(indexes.directory(root, tmp_path / "second")).generation == own


def test_any_flipped_byte_of_the_share_is_noticed(shared, tmp_path):
    root, share = shared
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    draw = random.Random(seed)
    for path in [share / MANIFEST, *sorted((share / "files").iterdir())]:
        data = path.read_bytes()
        if not data:
            continue
        place = draw.randrange(len(data))
        path.write_bytes(data[:place] + bytes([data[place] ^ 1 << draw.randrange(8)]) + data[place + 1 :])
        refused(root, tmp_path / "second", share, "is not what its name says|is damaged|another version")
        path.write_bytes(data)
    imported(root, tmp_path / "second", share)


def test_a_file_that_is_longer_than_it_says_is_not_copied_to_its_end(shared, tmp_path):
    root, share = shared
    longest = max((share / "files").iterdir(), key=lambda path: path.stat().st_size)
    with longest.open("ab") as stream:
        stream.truncate(1 << 40)  # without a block on disk
    refused(root, tmp_path / "second", share, "is not what its name says")


def test_a_manifest_of_enormous_size_is_not_read(shared, tmp_path):
    root, share = shared
    with (share / MANIFEST).open("r+b") as stream:
        stream.truncate(1 << 40)
    refused(root, tmp_path / "second", share, f"larger than {LARGEST_BYTES >> 20} MiB")


@posix
def test_links_and_pipes_in_a_share_are_not_followed(shared, tmp_path):
    root, share = shared
    first = sorted((share / "files").iterdir())[0]
    kept = first.read_bytes()
    (tmp_path / "elsewhere").write_bytes(kept)
    first.unlink()
    first.symlink_to(tmp_path / "elsewhere")
    refused(root, tmp_path / "second", share, "cannot be used")
    first.unlink()
    os.mkfifo(first)
    refused(root, tmp_path / "second", share, "cannot be used")
    first.unlink()
    (share / "files" / first.name).symlink_to(tmp_path / "victim")
    exported(tmp_path / "repo", tmp_path / "data", share)  # writes the file again, not through the link
    assert not (tmp_path / "victim").exists() and first.read_bytes() == kept
    imported(root, tmp_path / "second", share)


EVIL = {
    "a path that leads out": lambda export, index: index["files"].update(
        {"../../../evil": next(iter(index["files"].values()))}
    ),
    "an absolute path": lambda export, index: index["files"].update({"/tmp/evil": next(iter(index["files"].values()))}),
    "a file of no segment": lambda export, index: index["files"].update(
        {"segments/00009999/texts.bin": next(iter(index["files"].values()))}
    ),
    "a hash that is a path": lambda export, index: next(iter(index["files"].values())).update(sha256="../" * 21 + "x"),
    "a size below zero": lambda export, index: next(iter(index["files"].values())).update(size=-1),
    "a size that is text": lambda export, index: next(iter(index["files"].values())).update(size="1"),
    "a deleted document that is none": lambda export, index: index["segments"][0].update(dead=[10**9]),
    "deleted documents that are text": lambda export, index: index["segments"][0].update(dead="ab"),
    "a segment twice": lambda export, index: index["segments"].append(index["segments"][0]),
    "a segment with a number below zero": lambda export, index: index["segments"][0].update(number=-1),
    "a field too many": lambda export, index: index.update(evil=1),
    "a field too few": lambda export, index: index.pop("segments"),
    "a commit that is an option": lambda export, index: export.update(commit="--output=/tmp/evil"),
    "a list as repository": lambda export, index: export.update(repository=[]),
    "segments that are none": lambda export, index: index.update(segments=5),
    "a later format": lambda export, index: export.update(format=99),
    "a later format of the index": lambda export, index: index.update(format=99),
    "another version's shape": lambda export, index: index.update(shape="0" * 64),
}


@pytest.mark.parametrize("change", EVIL.values(), ids=list(EVIL))
def test_a_manifest_that_cannot_be_true_is_refused(shared, tmp_path, change):
    root, share = shared
    rewritten(share, change)
    refused(root, tmp_path / "second", share, "damaged|version|another")
    assert not Path("/tmp/evil").exists()


def test_an_impossible_size_says_how_much_is_missing(shared, tmp_path):
    root, share = shared
    rewritten(share, lambda export, index: next(iter(index["files"].values())).update(size=1 << 44))
    refused(root, tmp_path / "second", share, "needs .* MiB, and .* MiB left; free some space")


def test_another_repositorys_export_is_refused(shared, tmp_path):
    _, share = shared
    other = repositories.repository(tmp_path / "other", {"x.py": "x = 1\n"})
    refused(other, tmp_path / "second", share, "is of another repository, repo")
    plain = tmp_path / "plain"
    repositories.write(plain, {"x.py": "x = 1\n"})
    refused(plain, tmp_path / "second", share, "is of another repository")


def test_a_shallow_clone_and_one_that_is_behind_are_the_same_repository(shared, tmp_path):
    root, share = shared
    repositories.git(tmp_path, "clone", "-q", "--depth", "1", (tmp_path / "repo").as_uri(), "shallow")
    imported(tmp_path / "shallow", tmp_path / "second", share)
    repositories.write(tmp_path / "repo", {"later.py": "later = 1\n"})
    repositories.git(tmp_path / "repo", "add", "-A")
    repositories.git(tmp_path / "repo", "commit", "-q", "-m", "later")
    exported(tmp_path / "repo", tmp_path / "data", share)
    imported(root, tmp_path / "second", share)  # it has the same first commit, and not the newest one
    assert "later.py" not in indexes.updated(root, tmp_path / "second").documents
    refused(tmp_path / "shallow", tmp_path / "second", share, "is not in this one")


def test_a_full_disk_in_the_middle_leaves_the_index_as_it_was(shared, tmp_path, monkeypatch):
    root, share = shared
    before = own_index(root, tmp_path / "second")
    original, calls = fsio.write, []

    def write(descriptor, data):
        calls.append(1)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        original(descriptor, data)

    monkeypatch.setattr(fsio, "write", write)
    refused(root, tmp_path / "second", share, "no space is left")
    monkeypatch.undo()
    assert Index.open(indexes.directory(root, tmp_path / "second")).generation == before


def test_a_full_share_keeps_the_export_before(shared, tmp_path, monkeypatch):
    root, share = shared
    repositories.write(tmp_path / "repo", {"src/otter.py": "def otter(fish):\n    return fish\n"})
    build(tmp_path / "repo", indexes.settings(tmp_path / "data"))
    original, calls = fsio.write, []

    def write(descriptor, data):
        calls.append(1)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        original(descriptor, data)

    monkeypatch.setattr(fsio, "write", write)
    with pytest.raises(UserError, match="what was exported before is untouched"):
        export_index(indexes.settings(tmp_path / "data"), tmp_path / "repo", open_place(str(share)))
    monkeypatch.undo()
    imported(root, tmp_path / "second", share)
    assert exported(tmp_path / "repo", tmp_path / "data", share).written > 0


def test_an_export_in_the_middle_of_an_import_makes_it_begin_anew(shared, tmp_path, monkeypatch):
    root, share = shared
    repositories.write(tmp_path / "repo", {"src/otter.py": "def otter(fish):\n    return fish\n"})
    build(tmp_path / "repo", indexes.settings(tmp_path / "data"), full=True)
    place = open_place(str(share))
    original, calls = place.pieces, []

    def pieces(name):
        calls.append(name)
        if len(calls) == 3:
            # Twice, so that the files of the export that is being read are gone.
            for _ in range(2):
                export_index(indexes.settings(tmp_path / "data"), tmp_path / "repo", open_place(str(share)))
        yield from original(name)

    monkeypatch.setattr(place, "pieces", pieces)
    import_index(indexes.settings(tmp_path / "second"), root, place)
    assert "src/otter.py" in Index.open(indexes.directory(root, tmp_path / "second"), verify=True).documents


def test_two_exports_to_one_folder_do_not_mix(shared, tmp_path):
    _, share = shared
    with open_place(str(share)).writing(), pytest.raises(Locked, match="exporting to"):
        exported(tmp_path / "repo", tmp_path / "data", share)


@pytest.mark.slow
def test_an_import_that_ends_at_any_operation_leaves_the_index_before_or_after(shared, tmp_path, monkeypatch):
    root, share = shared
    repositories.write(root, {"mine.py": "only_here = 1\n"})
    indexes.updated(root, tmp_path / "start")
    number, done = 0, False
    while not done:
        number += 1
        data = tmp_path / f"run{number}"
        shutil.copytree(tmp_path / "start", data)
        count = [0]
        with pytest.MonkeyPatch.context() as patch:
            for name in fsio.OPERATIONS:
                patch.setattr(fsio, name, struck(getattr(fsio, name), count, number))
            with contextlib.suppress(OSError, OndolError):
                imported(root, data, share)
        done = count[0] < number
        index = Index.open(indexes.directory(root, data), verify=True)
        assert set(index.documents) in (set(repositories.FILES), {*repositories.FILES, "mine.py"})
        assert "mine.py" in indexes.updated(root, data).documents
        shutil.rmtree(data, ignore_errors=True)  # a thread of tantivy may still write there
    assert number > 20


def struck(operation, count, at):
    """The operation, which fails if it is number ``at`` of all."""

    def counted(*args, **values):
        count[0] += 1
        if count[0] == at:
            raise OSError(5, "Input/output error")
        return operation(*args, **values)

    return counted


def test_files_that_the_index_has_are_hashed_and_not_masked_again(shared, tmp_path, monkeypatch):
    root, share = shared
    imported(root, tmp_path / "second", share)
    masked = []
    original = masking.mask
    monkeypatch.setattr(masking, "mask", lambda text, path: masked.append(path) or original(text, path))
    repositories.write(root, {"src/heron.py": "def heron_width(cm):\n    return cm\n"})
    assert build(root, indexes.settings(tmp_path / "second")).added == 1
    assert masked == ["src/heron.py"]
    # Other settings may leave out what was accepted, so that everything is checked again.
    report = build(root, indexes.settings(tmp_path / "second", max_line_chars=30))
    assert report.skipped[policy.LONG_LINES] >= 1 and len(masked) > 1
