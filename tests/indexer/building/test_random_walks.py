"""An update equals a fresh build: random changes of a repository, both indexes compared in full."""

import os
import random
from pathlib import Path

import pytest

from indexer.search.hybrid import search
from indexer.storage import compaction
from tests.support import indexes, repositories

pytestmark = pytest.mark.slow

WORDS = ["walrus", "heron", "badger", "otter", "stoat", "plover", "marten", "lynx"]


class Walk:
    """A repository that changes at random: everything people and tools do to files."""

    def __init__(self, root: Path, rng: random.Random) -> None:
        self.root, self.rng, self.count = root, rng, 0
        repositories.repository(root)
        repositories.git(root, "branch", "other")

    def step(self) -> str:
        name = self.rng.choice([name for name in dir(self) if name.startswith("do_")])
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
        (self.root / ".ondolignore").write_text(self.rng.choice(["*.js\n", "a/b/\n", "\n", "moved*\n"]))


@pytest.mark.parametrize("walk", range(3))
def test_an_update_equals_a_fresh_build(tmp_path, monkeypatch, walk):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rng = random.Random(seed)
    monkeypatch.setattr(compaction, "SMALL_BYTES", rng.choice([200, 2_000, 1_000_000]))
    monkeypatch.setattr(compaction, "SEGMENT_BYTES", rng.choice([3_000, 4_000_000]))
    repository = Walk(tmp_path / "repo", rng)
    history = []
    for turn in range(5):
        history.append([repository.step() for _ in range(8)])
        updated = indexes.updated(repository.root, tmp_path / "data")
        fresh = indexes.updated(repository.root, tmp_path / f"fresh{turn}")
        assert indexes.holds(updated) == indexes.holds(fresh), (seed, history)
        for document in list(updated.documents.values())[:5]:
            keys = [(hit.chunk.path, hit.chunk.start_line) for hit in _found(updated, document)]
            assert (document.path, updated.chunks(document)[0].start_line) in keys if document.chunks else True, (
                seed,
                history,
            )
            assert set(keys) == {
                (hit.chunk.path, hit.chunk.start_line) for hit in _found(fresh, fresh.documents[document.path])
            }


def _found(index, document):
    """All chunks that share the first chunk's number line, a term that few chunks have."""
    text = index.text(document).split("\n")[0]
    return search(index, text, 1000, per_file=None) if document.chunks else []
