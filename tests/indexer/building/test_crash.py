"""An index survives a process that ends at any point, failing and full disks, damage, lost power, two writers."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from indexer import fsio
from indexer.building.build import build
from indexer.errors import IndexDamaged, IndexMissing, UserError
from indexer.search.hybrid import search
from indexer.storage import cache_files
from indexer.storage.generations import Store
from indexer.storage.reader import Index
from tests.support import console, indexes, repositories

pytestmark = pytest.mark.slow

posix = pytest.mark.skipif(os.name == "nt", reason="needs fork and POSIX limits")
CHANGES = {"src/walrus.py": "changed_walrus = 1\n", "src/new.py": "novelty = 1\n"}


def drive(mode: str, root: Path, data: Path, work: Path) -> list[dict]:
    driver = Path(__file__).with_name("crash_driver.py")
    work.mkdir()
    done = subprocess.run([sys.executable, driver, mode, root, data, work], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def blobs(root: Path, data: Path) -> dict[str, str]:
    index = Index.open(indexes.directory(root, data))
    return {path: document.blob for path, document in index.documents.items()}


def two_states(tmp_path: Path) -> tuple[Path, Path, dict[str, str], dict[str, str]]:
    """A repository with an index of its first state, changed since; and what an index holds before and after."""
    root, data = tmp_path / "repo", tmp_path / "data"
    repositories.write(root, repositories.FILES)
    indexes.updated(root, data)
    before = blobs(root, data)
    repositories.write(root, CHANGES)
    shutil.copytree(data, tmp_path / "after")
    indexes.updated(root, tmp_path / "after")
    return root, data, before, blobs(root, tmp_path / "after")


@posix
@pytest.mark.parametrize("mode", ["exit", "error"])
def test_an_update_that_ends_at_any_operation_leaves_the_state_before_or_after(tmp_path, mode):
    root, data, before, after = two_states(tmp_path)
    results = drive(mode, root, data, tmp_path / "work")
    assert len(results) > 40
    assert results[-1]["code"] == 0
    for result in results:
        found = result["state"]
        assert found["problem"] is None, result
        assert found["documents"] in (before, after), result
        assert found["found"] == (found["documents"] == before), result
        assert result["again"] in (0, len(after)), result
        if result["code"] in (0, 3):
            assert found["documents"] == after
    assert any(result["code"] == 3 for result in results) == (mode == "error")


@posix
def test_a_first_build_that_ends_at_any_operation_leaves_nothing_or_all(tmp_path):
    root = tmp_path / "repo"
    repositories.write(root, repositories.FILES)
    results = drive("exit", root, tmp_path / "data", tmp_path / "work")
    indexes.updated(root, tmp_path / "whole")
    whole = blobs(root, tmp_path / "whole")
    assert results[-1]["state"]["documents"] == whole
    assert all(result["state"] is None or result["state"]["documents"] == whole for result in results)


@posix
def test_a_full_disk_is_said_and_leaves_the_state_before(tmp_path):
    root, data, before, after = two_states(tmp_path)
    results = drive("limit", root, data, tmp_path / "work")
    assert results[-1]["code"] == 0
    assert results[-1]["state"]["documents"] == after
    assert len(results) > 10
    for result in results[:-1]:
        assert result["code"] == 7, result
        assert result["state"]["documents"] == before, result


def test_damage_of_every_kind_is_noticed_and_repaired(tmp_path):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rng = random.Random(seed)
    root, data = tmp_path / "repo", tmp_path / "data"
    repositories.write(root, repositories.FILES)
    first = indexes.updated(root, data)
    before = indexes.holds(first)
    old = {name: (indexes.directory(root, data) / name).read_bytes() for name in first.manifest.files}
    repositories.write(root, CHANGES)
    second = indexes.updated(root, data)
    after = indexes.holds(second)
    own = sorted(set(second.manifest.files) - set(first.manifest.files))
    shared = sorted(set(second.manifest.files) & set(first.manifest.files))
    names = [*second.manifest.files, f"generations/{second.generation:08d}/manifest.json", "CURRENT"]
    for name in names:
        for kind in ("delete", "zero", "truncate", "flip", "swap", "older", "empty", "longer"):
            copy = tmp_path / f"copy-{names.index(name)}-{kind}"
            shutil.copytree(indexes.directory(root, data), copy, copy_function=os.link)
            if kind == "swap" and name == "CURRENT":
                continue  # The other file would be the damaged one.
            if not damage(copy / name, kind, copy / rng.choice([*own, *shared]), old, rng):
                continue
            try:
                index = Index.open(copy)
            except IndexDamaged as error:
                assert name in shared or kind == "swap", (name, kind)
                assert "rebuild it with `ondol index --full`" in str(error)
                continue
            if name == "CURRENT" and index.generation == second.generation:
                continue
            assert index.generation == first.generation, (name, kind)
            assert f"generation {first.generation} is used instead" in index.problem
            assert {path: index.text(document) for path, document in index.documents.items()} == {
                path: held[2] for path, held in before.items()
            }
    victim = indexes.directory(root, data) / rng.choice(own)
    content = victim.read_bytes()
    victim.unlink()  # It may be a hard link to a file of the generation before.
    victim.write_bytes(content + b"x")
    report = build(root, indexes.settings(data))
    assert (report.full, report.generation) == (False, second.generation + 1)
    assert "is used instead" in report.notes[0]
    third = Index.open(indexes.directory(root, data))
    assert (indexes.holds(third), third.problem) == (after, None)
    victim = indexes.directory(root, data) / rng.choice([name for name in shared if name in third.manifest.files])
    victim.write_bytes(victim.read_bytes()[:-1])
    report = build(root, indexes.settings(data))
    assert report.full
    assert "it is rebuilt" in report.notes[0]
    assert indexes.holds(Index.open(indexes.directory(root, data), verify=True)) == after


def damage(path: Path, kind: str, other: Path, old: dict[str, bytes], rng: random.Random) -> bool:
    """Damages ``path``; False when this kind would change nothing."""
    data = path.read_bytes()
    path.unlink()  # It is a hard link to the original.
    if kind == "delete":
        return True
    place = rng.randrange(len(data)) if data else 0
    if kind == "swap":
        result = other.read_bytes() if other != path else data
        other.unlink(missing_ok=True)
        other.write_bytes(data)
    elif kind == "older":
        result = next((value for name, value in old.items() if Path(name).name == path.name), data)
    else:
        result = {
            "zero": bytes(len(data)),
            "truncate": data[:place],
            "flip": data[:place] + bytes([(data[place] ^ 1 << rng.randrange(8)) if data else 0]) + data[place + 1 :],
            "empty": b"",
            "longer": data + b"\0",
        }[kind]
    path.write_bytes(result)
    return result != data


@pytest.mark.parametrize("name", ["hints", "report", "verified"])
def test_a_damaged_cache_costs_time_and_never_truth(tmp_path, name):
    root, data = repositories.repository(tmp_path / "repo"), tmp_path / "data"
    indexes.updated(root, data)
    before = indexes.holds(indexes.updated(root, data))
    path = indexes.directory(root, data) / name
    for content in (b"", b"\0" * 100, b"x" * 64 + b"\n{}", b'{"files": {}}'):
        path.write_bytes(content)
        assert indexes.holds(indexes.updated(root, data)) == before


def flip(file: Path) -> bytes:
    """Change the last bit of a file but not its size and time; return what it held."""
    before, content = file.stat(), file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    return content


def test_hashes_are_checked_again_when_a_file_was_touched(tmp_path, monkeypatch):
    root, data = repositories.repository(tmp_path / "repo"), tmp_path / "data"
    indexes.updated(root, data)
    later = time.time_ns() + 3_600_000_000_000
    monkeypatch.setattr(fsio, "now_ns", lambda: later)
    where = indexes.directory(root, data)
    Index.open(where)
    assert cache_files.read_cache(where / "verified")
    hashed = []
    monkeypatch.setattr(fsio, "hash_file", lambda path, known=fsio.hash_file: hashed.append(path) or known(path))
    index = Index.open(where)
    assert hashed == []
    victim = where / next(name for name in index.manifest.files if name.endswith("texts.bin"))
    flip(victim)
    with pytest.raises(IndexDamaged, match="does not match its hash"):
        Index.open(where)


def test_after_an_update_its_new_files_alone_are_hashed_again(tmp_path, monkeypatch):
    """And of the others those that were changed, though an update changes the times of files that it links."""
    root, data = repositories.repository(tmp_path / "repo"), tmp_path / "data"
    first = indexes.updated(root, data)
    where = indexes.directory(root, data)
    repositories.write(root, CHANGES)
    second = indexes.updated(root, data)
    repositories.write(root, {"src/newer.py": "newest = 1\n\nif newest:\n    print((newest, [2, 3]))\n"})
    build(root, indexes.settings(data))
    hashed = []
    monkeypatch.setattr(fsio, "hash_file", lambda path, known=fsio.hash_file: hashed.append(path) or known(path))
    third = Index.open(where)
    files = [(Path(name).name, record) for index in (first, second) for name, record in index.manifest.files.items()]
    names = {path.relative_to(where).as_posix() for path in hashed}
    assert names == {name for name, record in third.manifest.files.items() if (Path(name).name, record) not in files}
    assert third.generation == 3 and len(names) < len(third.manifest.files) / 2
    for part in ("/bm25/", "/texts.bin"):
        victim = where / next(name for name in third.manifest.files if part in name and name not in names)
        content = flip(victim)
        with pytest.raises(IndexDamaged, match="does not match its hash"):
            Index.open(where)
        victim.write_bytes(content)


def test_a_directory_that_cannot_be_read_is_reported_and_not_deleted(tmp_path, monkeypatch):
    root, data = repositories.repository(tmp_path / "repo"), tmp_path / "data"
    indexes.updated(root, data)

    def refuse(path):
        raise OSError(24, "Too many open files", str(path))

    with monkeypatch.context() as exhausted:
        exhausted.setattr(fsio, "hash_file", refuse)
        with pytest.raises(OSError, match="Too many open files"):
            build(root, indexes.settings(data))
    assert set(Index.open(indexes.directory(root, data), verify=True).documents) == set(repositories.FILES)


def test_no_index_is_said_with_the_command_that_makes_one(tmp_path):
    with pytest.raises(IndexMissing, match="run `ondol index`"):
        Index.open(tmp_path / "none")


@posix
def test_one_writer_at_a_time_and_the_lock_dies_with_its_process(tmp_path):
    root, data = repositories.repository(tmp_path / "repo"), tmp_path / "data"
    indexes.updated(root, data)
    lock = indexes.directory(root, data) / "LOCK"
    code = (
        "import sys, time; from pathlib import Path; from indexer import lock\n"
        "with lock.hold(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, lock], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        refused = console.run("index", root, data=data)
        assert refused.returncode == 75
        told = f"another Ondol process (PID {holder.pid}) is writing this index; wait until it is done, or end it."
        assert refused.stderr == f"ondol: {told}\n"
        assert search(Index.open(indexes.directory(root, data)), "feed_walrus", 1)
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert lock.exists()
    assert console.run("index", root, data=data).returncode == 0


def test_two_indexers_at_once_leave_one_whole_index(tmp_path):
    root, data = repositories.repository(tmp_path / "repo"), tmp_path / "data"
    environment = {**os.environ, "ONDOL_DATA_DIR": str(data)}
    both = [
        subprocess.Popen([console.SCRIPT, "index", root, "--quiet"], env=environment, stderr=subprocess.PIPE)
        for _ in "ab"
    ]
    codes = sorted(process.wait(60) for process in both)
    said = b"".join(process.stderr.read() for process in both)
    for process in both:
        process.stderr.close()
    assert codes in ([0, 0], [0, 75])
    assert codes == [0, 0] or b"is writing this index" in said
    assert set(Index.open(indexes.directory(root, data), verify=True).documents) == set(repositories.FILES)


@posix
def test_killed_at_random_moments_it_is_always_whole(tmp_path):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rng = random.Random(seed)
    root, data = repositories.repository(tmp_path / "repo"), tmp_path / "data"
    indexes.updated(root, data)
    for number in range(8):
        repositories.write(root, {"src/walrus.py": f"round_{number} = 1\n"})
        process = subprocess.Popen([console.SCRIPT, "index", root, "--quiet", "--data-dir", data])
        time.sleep(rng.uniform(0.2, 1.0))
        process.kill()
        process.wait()
        text = Index.open(indexes.directory(root, data), verify=True)
        assert text.problem is None
        assert any(f"round_{n} = 1\n" == text.text(text.documents["src/walrus.py"]) for n in range(number + 1)) or (
            text.text(text.documents["src/walrus.py"]) == repositories.FILES["src/walrus.py"]
        )


def _children(folder: Path) -> dict[str, tuple[int, bool]]:
    """Return what is in a folder; a thread of tantivy may still remove its passing files there."""
    found = {}
    for child in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            found[child.name] = (child.stat().st_ino, child.is_dir())
    return found


class Power:
    """Remembers what of a directory would survive a loss of power, from the calls that made it durable.

    A file keeps what it had at its last ``fsync``; a directory keeps the names it had at its last ``fsync_dir``.
    """

    def __init__(self, top: Path, monkeypatch) -> None:
        self.top, self.contents, self.names = top, {}, {}
        self.images = []
        for path in [top, *top.rglob("*")]:
            self._keep(path)
        for name in ("create", "write", "fsync", "rename", "fsync_dir", "unlink", "mkdir", "rmdir", "link"):
            monkeypatch.setattr(fsio, name, self._wrapped(name, getattr(fsio, name)))

    def _keep(self, path: Path) -> None:
        inode = path.stat().st_ino
        if path.is_dir():
            self.names[inode] = _children(path)
        else:
            self.contents[inode] = path.read_bytes()

    def _present_names(self):
        """A kinder disk, which keeps names at once: whatever it holds, contents still need their ``fsync``."""
        folders = [path for path in [self.top, *self.top.rglob("*")] if path.is_dir()]
        return {folder.stat().st_ino: _children(folder) for folder in folders}

    def _wrapped(self, name, operation):
        def recorded(*args):
            if name == "mkdir":
                result = operation(*args)
                self.names.setdefault(args[0].stat().st_ino, {})
            else:
                result = operation(*args)
            if name == "create":
                self.contents.setdefault(os.fstat(result).st_ino, b"")
            elif name == "fsync":
                self.contents[os.fstat(args[0]).st_ino] = Path(f"/proc/self/fd/{args[0]}").read_bytes()
            elif name == "fsync_dir":
                self._keep(args[0])
            contents = dict(self.contents)
            self.images.append((name, contents, {key: dict(value) for key, value in self.names.items()}))
            self.images.append((name, contents, self._present_names()))
            return result

        return recorded

    def materialize(self, image, target: Path) -> None:
        """Makes the directory as it would be found after the power came back."""
        _, contents, names = image

        def make(inode: int, place: Path) -> None:
            place.mkdir(mode=0o700)
            for name, (child, is_directory) in names.get(inode, {}).items():
                if is_directory:
                    make(child, place / name)
                else:
                    (place / name).write_bytes(contents.get(child, b""))

        make(self.top.stat().st_ino, target)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_after_a_loss_of_power_at_any_operation_the_state_before_or_after_is_there(tmp_path, monkeypatch):
    root, data, before, after = two_states(tmp_path)
    power = Power(indexes.directory(root, data), monkeypatch)
    build(root, indexes.settings(data))
    monkeypatch.undo()
    found = []
    for number, image in enumerate(power.images):
        # A folder of its own: tantivy takes its lock file from a thread, maybe after the index was opened.
        target = tmp_path / f"image{number}"
        power.materialize(image, target)
        index = Index.open(target)
        found.append({path: document.blob for path, document in index.documents.items()})
        assert found[-1] in (before, after), image[0]
        assert all(index.text(document) is not None for document in index.documents.values())
        shutil.rmtree(target, ignore_errors=True)
    assert found[0] == before
    assert found[-1] == after


def test_another_users_index_is_refused(tmp_path, monkeypatch):
    root, data = repositories.repository(tmp_path / "repo"), tmp_path / "data"
    indexes.updated(root, data)
    owner = indexes.directory(root, data).stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(UserError, match="belongs to another user"):
        Index.open(indexes.directory(root, data))


def test_what_an_interrupted_update_left_is_removed_by_the_next_one(tmp_path, monkeypatch):
    """Its segment holds text that rules may forbid by then, and no generation lists it."""
    root = repositories.repository(tmp_path / "repo", {"a.py": "x = 1\n"})
    data = tmp_path / "data"
    first = indexes.updated(root, data)
    repositories.write(root, {"secret.py": "word = 'unpublished'\n"})

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Store, "commit", interrupted)
        build(root, indexes.settings(data))
    segments = indexes.directory(root, data) / "segments"
    assert len(list(segments.iterdir())) == len(first.segments) + 1
    (root / "secret.py").unlink()
    build(root, indexes.settings(data))
    assert len(list(segments.iterdir())) == len(first.segments)
