"""Edits read from real git repositories."""

import subprocess
from pathlib import Path

import pytest

from indexer.repository import history


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    return root


def git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    return subprocess.run(["git", *identity, *arguments], cwd=root, capture_output=True, text=True, check=True).stdout


def commit(root: Path, message: str = "change") -> None:
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", message)


def test_commits_come_newest_first_without_merges(repository: Path) -> None:
    (repository / "a.py").write_text("one\n")
    commit(repository)
    git(repository, "checkout", "-q", "-b", "side")
    (repository / "b.py").write_text("b\n")
    commit(repository)
    git(repository, "checkout", "-q", "main")
    (repository / "c.py").write_text("c\n")
    commit(repository)
    git(repository, "merge", "-q", "--no-ff", "-m", "merge", "side")
    found = history.commits(repository)
    assert len(found) == 3
    assert [one.parent is None for one in found] == [False, False, True]
    assert "@" not in found[0].author


def test_hunks_are_counted_from_zero_and_hold_added_lines_only(repository: Path) -> None:
    path = repository / "a.py"
    path.write_text("".join(f"line {i}\n" for i in range(10)))
    commit(repository)
    lines = path.read_text().split("\n")
    path.write_text("\n".join(["top", *lines[:3], "in place", *lines[4:8], *lines[9:]]))
    commit(repository)
    (change,) = history.changes(repository, history.commits(repository)[0])
    assert change.status == "M"
    assert change.hunks == (history.Hunk(0, 0, 0, 1), history.Hunk(3, 1, 4, 1), history.Hunk(8, 1, 9, 0))
    assert change.added == 2


def test_moves_deletions_links_and_binaries(repository: Path) -> None:
    body = "".join(f"def f{i}(): return {i}\n" for i in range(30))
    (repository / "old name.py").write_text(body)
    (repository / "gone.py").write_text("x\n")
    commit(repository)
    git(repository, "mv", "old name.py", "neu\tname.py")
    (repository / "neu\tname.py").write_text(body + "added = 1\n")
    (repository / "gone.py").unlink()
    (repository / "link.py").symlink_to("neu\tname.py")
    (repository / "data.bin").write_bytes(b"\0\1\2" * 50)
    commit(repository)
    changes = {change.path: change for change in history.changes(repository, history.commits(repository)[0])}
    assert set(changes) == {"neu\tname.py", "data.bin"}
    assert changes["neu\tname.py"].old_path == "old name.py"
    assert changes["neu\tname.py"].added == 1
    assert changes["data.bin"].hunks == ()


def test_added_lines_that_look_like_headers_are_not_headers(repository: Path) -> None:
    (repository / "a.py").write_text("x\n")
    (repository / "b.py").write_text("y\n")
    commit(repository)
    (repository / "a.py").write_text("x\ndiff --git a/q b/q\n@@ -1 +1 @@\n+++ b/q\n")
    (repository / "b.py").write_text("y\nz\n")
    commit(repository)
    changes = history.changes(repository, history.commits(repository)[0])
    assert [(change.path, change.added) for change in changes] == [("a.py", 3), ("b.py", 1)]


def test_the_first_commit_adds_everything(repository: Path) -> None:
    (repository / "a.py").write_text("one\ntwo")
    commit(repository)
    (change,) = history.changes(repository, history.commits(repository)[0])
    assert (change.status, change.old_blob, change.added) == ("A", history.NO_BLOB, 2)


@pytest.mark.parametrize(
    ("before", "added"),
    [
        ("class A\n  def one\n    1\n  end\nend\n", "\n  def two\n    2\n  end\n"),
        ("int one(void)\n{\n\treturn 1;\n}\n", "\nint two(void)\n{\n\treturn 2;\n}\n"),
        (
            "module a;\n  always @(posedge c) begin\n    q <= d;\n  end\nendmodule\n",
            "\n  always @* begin\n    e = q;\n  end\n",
        ),
    ],
)
def test_an_added_block_is_the_hunk_that_was_written(repository: Path, before: str, added: str) -> None:
    lines = before.splitlines(keepends=True)
    outer = lines[-1].startswith("end")
    (repository / "a.txt").write_text(before)
    commit(repository)
    body = "".join(lines[:-1]) if outer else before
    (repository / "a.txt").write_text(body + added + (lines[-1] if outer else ""))
    commit(repository)
    (change,) = history.changes(repository, history.commits(repository)[0])
    assert change.hunks == (history.Hunk(body.count("\n"), 0, body.count("\n"), added.count("\n")),)


def test_hunks_next_to_each_other_stay_apart(repository: Path) -> None:
    (repository / "a.txt").write_text("a\nb\nc\nd\ne")
    commit(repository)
    (repository / "a.txt").write_text("A\nb\nc\nnew\nd\nE\n")
    commit(repository)
    (change,) = history.changes(repository, history.commits(repository)[0])
    assert change.hunks == (history.Hunk(0, 1, 0, 1), history.Hunk(3, 0, 3, 1), history.Hunk(4, 1, 5, 1))
