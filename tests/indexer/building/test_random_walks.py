"""An update equals a fresh build: random changes of a repository, both indexes compared in full."""

import dataclasses
import os
import random
import shutil
import time
from pathlib import Path

import pytest

from indexer import fsio
from indexer.building.build import build
from indexer.search.hybrid import search
from indexer.storage import compaction, segment
from indexer.storage.reader import Index
from tests.support import indexes, repositories

pytestmark = pytest.mark.slow

WORDS = ["walrus", "heron", "badger", "otter", "stoat", "plover", "marten", "lynx"]


class Walk:
    """A repository that changes at random: everything people and tools do to files."""

    WITH_GIT = ("do_commit_and_switch", "do_stage", "do_track_no_more", "do_back_to_the_last_commit")

    def __init__(self, root: Path, rng: random.Random) -> None:
        self.root, self.rng, self.count = root, rng, 0
        self.step_names = [name for name in dir(self) if name.startswith("do_")]
        repositories.repository(root)
        repositories.git(root, "branch", "other")

    def step(self) -> str:
        name = self.rng.choice(self.step_names)
        getattr(self, name)()
        return name

    def files(self) -> list[Path]:
        return sorted(
            path
            for path in self.root.rglob("[!.]*")
            if ".git" not in path.parts and path.is_file() and not path.is_symlink()
        )

    def some(self) -> Path:
        return self.rng.choice(self.files() or [self.do_add()])

    def text(self) -> str:
        self.count += 1
        body = "".join(
            f"def {self.rng.choice(WORDS)}_{self.rng.randrange(6)}(x):\n    return x + {self.rng.randrange(99)}\n\n\n"
            for _ in range(self.rng.randrange(1, 30))
        )
        return f"# number {self.count}\n{body}"

    def write(self, place: str, text: str) -> None:
        """Write a file, unless an earlier step has made a folder of this name."""
        if not (self.root / place).is_dir():
            (self.root / place).write_text(text)

    def do_add(self) -> Path:
        folder = self.rng.choice(["", "a/", "a/b/", "c/"])
        path = (
            self.root
            / f"{folder}{self.rng.choice(WORDS)}{self.rng.randrange(9)}.{self.rng.choice(['py', 'js', 'txt'])}"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_dir() and not path.is_symlink():
            path.write_text(self.text())
        return path

    def do_edit(self) -> None:
        self.some().write_text(self.text())

    def do_edit_with_the_old_times(self) -> None:
        path = self.some()
        before = path.stat()
        data = path.read_bytes()
        path.write_bytes(data.replace(b"x", b"y"))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def do_touch(self) -> None:
        moment = self.rng.randrange(2**31)
        os.utime(self.some(), (moment, moment))

    def do_delete(self) -> None:
        self.some().unlink()

    def do_rename(self) -> None:
        path = self.some()
        target = path.with_name(f"moved{self.rng.randrange(9)}{path.suffix}")
        if not target.is_dir():
            path.rename(target)

    def do_rename_case(self) -> None:
        path = self.some()
        target = path.with_name(path.name.swapcase())
        if not target.is_dir():
            path.rename(target)

    def do_copy(self) -> None:
        path = self.some()
        target = path.with_name(f"copy{self.rng.randrange(9)}{path.suffix}")
        if not target.is_dir():
            target.write_bytes(path.read_bytes())

    def do_chmod(self) -> None:
        self.some().chmod(self.rng.choice([0o600, 0o755]))

    def do_turn_into_a_link_and_back(self) -> None:
        path = self.some()
        target = self.some()
        if path != target:
            path.unlink()
            path.symlink_to(target)

    def do_folder_in_the_place_of_a_file(self) -> None:
        path = self.some()
        path.unlink()
        path.mkdir()
        (path / "inner.py").write_text(self.text())

    def do_commit_and_switch(self) -> None:
        repositories.git(self.root, "add", "-A")
        repositories.git(self.root, "commit", "-qm", "step", "--allow-empty")
        branch = self.rng.choice(["main", "other"])
        repositories.git(self.root, "checkout", "-qf", branch)

    def do_ignore(self) -> None:
        folder = self.rng.choice([self.root, *(path.parent for path in self.files())])
        names = self.rng.choice(["*.js\n", "b/\n", "\n", "moved*\n", "!*.js\n", "/a\n"])
        self.write(str(folder.relative_to(self.root) / ".ondolignore"), names)

    def do_ignore_no_more(self) -> None:
        for path in sorted(self.root.rglob(".ondolignore"))[:1]:
            path.unlink()

    def do_ignore_in_git(self) -> None:
        place = self.rng.choice([".gitignore", "a/.gitignore", ".git/info/exclude"])
        if (self.root / place).parent.is_dir():
            self.write(place, self.rng.choice(["copy*\n", "*.txt\n", "\n", "c/\n"]))

    def do_rename_a_folder(self) -> None:
        folder = self.root / self.rng.choice(["a", "c", "d"])
        target = self.root / self.rng.choice(["a", "c", "d"])
        if folder.is_dir() and not folder.is_symlink() and not target.exists():
            folder.rename(target)

    def do_link_in_the_place_of_a_folder(self) -> None:
        folder = self.root / self.rng.choice(["a", "a/b", "c"])
        target = self.root.parent / f"elsewhere{self.count}"
        if folder.is_dir() and not folder.is_symlink() and not target.exists():
            folder.rename(target)
            folder.symlink_to(target)

    def do_folder_in_the_place_of_a_link(self) -> None:
        for name in ("a", "c"):
            if (self.root / name).is_symlink():
                target = (self.root / name).resolve()
                (self.root / name).unlink()
                shutil.copytree(target, self.root / name, symlinks=True)

    def do_nested_repository(self) -> None:
        folder = self.root / self.rng.choice(["a", "c", "n"])
        if not folder.exists() or (folder.is_dir() and not folder.is_symlink() and not (folder / ".git").exists()):
            repositories.repository(folder, {"inner.py": self.text()})

    def do_nested_repository_no_more(self) -> None:
        for name in ("a", "c", "n"):
            if not (self.root / name).is_symlink():
                shutil.rmtree(self.root / name / ".git", ignore_errors=True)

    def do_delete_and_make_again(self) -> None:
        path = self.some()
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data if self.rng.random() < 0.5 else self.text().encode())

    def do_generated(self) -> None:
        path = self.some()
        path.write_text("# @generated\n" + path.read_text("utf-8", "replace"))

    def do_large(self) -> None:
        self.some().write_text("x = 1\n" * 400_000)

    def do_left_out_by_name(self) -> None:
        self.write(self.rng.choice(["picture.png", "vendor.lock", "yarn.lock"]), self.text())

    def do_stage(self) -> None:
        repositories.git(self.root, "add", "-A")

    def do_track_no_more(self) -> None:
        tracked = repositories.git(self.root, "ls-files", "-z").split("\0")[:-1]
        if tracked:
            repositories.git(self.root, "rm", "-q", "-f", "--cached", "--", self.rng.choice(tracked))

    def do_back_to_the_last_commit(self) -> None:
        repositories.git(self.root, "reset", "-q", "--hard")


class Disturbed:
    """An index whose table is lost, damaged, or of another moment than the index itself."""

    def __init__(self, index: Path, rng: random.Random) -> None:
        self.index, self.rng = index, rng
        self.table = index / "hints"
        self.tables: list[bytes] = []

    def step(self) -> str:
        if self.table.exists():
            self.tables.append(self.table.read_bytes())
        name = self.rng.choice(["nothing"] * 8 + [name for name in dir(self) if name.startswith("do_")])
        if name != "nothing" and self.tables:
            getattr(self, name)()
        return name

    def do_lose_the_table(self) -> None:
        self.table.unlink()

    def do_damage_the_table(self) -> None:
        data = bytearray(self.table.read_bytes())
        data[self.rng.randrange(len(data))] ^= 1 << self.rng.randrange(8)
        self.table.write_bytes(data)

    def do_truncate_the_table(self) -> None:
        self.table.write_bytes(self.table.read_bytes()[: self.rng.randrange(200)])

    def do_bring_back_an_older_table(self) -> None:
        """As after an update that ended between its commit and the table."""
        self.table.write_bytes(self.rng.choice(self.tables))

    def do_lose_the_newest_generation(self) -> None:
        generations = sorted((self.index / "generations").iterdir())
        if len(generations) > 1:
            shutil.rmtree(generations[-1])


@pytest.mark.parametrize("walk", range(6))
def test_an_update_equals_a_fresh_build(tmp_path, monkeypatch, walk):
    """In most walks the times of every file count as old, so that the table of the last update is believed."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rng = random.Random(seed)
    if walk:
        later = time.time_ns() + 10**18 * 2
        monkeypatch.setattr(fsio, "now_ns", lambda: later)
    monkeypatch.setattr(segment, "SMALL_BYTES", rng.choice([200, 2_000, 1_000_000]))
    monkeypatch.setattr(compaction, "SEGMENT_BYTES", rng.choice([3_000, 4_000_000]))
    repository = Walk(tmp_path / "repo", rng)
    if walk == 1:
        shutil.rmtree(repository.root / ".git")
        repository.step_names = [name for name in repository.step_names if name not in Walk.WITH_GIT]
    data = tmp_path / "data"
    disturbed = Disturbed(indexes.directory(repository.root, data), rng)
    history = []
    for turn in range(7):
        history.append([repository.step() for _ in range(rng.choice([0, 1, 1, 2, 8]))])
        history[-1].append(disturbed.step())
        exclude = rng.choice([(), (), (), (), ("*.js",)])
        updated, report = _built(repository.root, data, exclude)
        fresh, expected = _built(repository.root, tmp_path / f"fresh{turn}", exclude)
        assert indexes.holds(updated) == indexes.holds(fresh), (seed, history)
        assert _figures(report) == _figures(expected), (seed, history)
        for document in list(updated.documents.values())[:5]:
            keys = [(hit.chunk.path, hit.chunk.start_line) for hit in _found(updated, document)]
            assert (document.path, updated.chunks(document)[0].start_line) in keys if document.chunks else True, (
                seed,
                history,
            )
            assert set(keys) == {
                (hit.chunk.path, hit.chunk.start_line) for hit in _found(fresh, fresh.documents[document.path])
            }


def _built(root, data, exclude):
    settings = dataclasses.replace(indexes.settings(data), exclude=exclude)
    report = build(root, settings)
    return Index.open(indexes.directory(root, data)), report


def _figures(report):
    """What a report says of the repository."""
    names = ("files", "chunks", "lines", "text_bytes", "masked", "skips")
    return {name: getattr(report, name) for name in names}


def _found(index, document):
    """All chunks that share the first chunk's number line, a term that few chunks have."""
    text = index.text(document).split("\n")[0]
    return search(index, text, 1000, per_file=None) if document.chunks else []
