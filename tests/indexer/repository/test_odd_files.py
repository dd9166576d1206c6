"""Files and folders that programs stumble over: paths without end, pipes, sockets, pointers of Git LFS, odd settings of git."""

import contextlib
import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

from indexer.config import Settings
from indexer.repository import git, policy
from indexer.repository.git_folder import changing_files
from indexer.repository.walk import walk
from tests.support import repositories

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and long paths of POSIX")


def reasons(root: Path) -> tuple[list[str], dict[str, str]]:
    entries, skips = walk(root, Settings())
    return [entry.path for entry in entries], {skip.path: skip.reason for skip in skips}


@pytest.mark.parametrize("as_git", [True, False])
def test_a_path_that_is_too_long_does_not_stop_a_folder(tmp_path: Path, as_git: bool) -> None:
    root = tmp_path / "repo"
    repositories.write(root, {"a.py": "x = 1\n"})
    if as_git:
        repositories.git(root, "init", "-q")
    before = os.getcwd()
    deep = root / "deep"
    deep.mkdir()
    try:
        os.chdir(deep)
        for _ in range(25):
            os.mkdir("d" * 250)
            os.chdir("d" * 250)
        Path("b.py").write_text("y = 2\n")
    finally:
        os.chdir(before)
    try:
        found, _ = reasons(root)
        assert "a.py" in found
    finally:
        shutil.rmtree(deep, ignore_errors=True)


@pytest.mark.parametrize("where", [".gitignore", "sub/.gitignore", ".git/info/exclude", ".git/config", ".git/index"])
def test_a_pipe_where_git_reads_does_not_hang(tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git, "SUSPICIOUS_S", 1.0)
    root = repositories.repository(tmp_path / "repo", {"a.py": "x = 1\n", "sub/b.py": "y = 2\n"})
    (root / where).unlink(missing_ok=True)
    os.mkfifo(root / where)
    found, skips = reasons(root)
    assert found == ["a.py", "sub/b.py"]
    if not where.startswith(".git/"):
        assert skips[where] == policy.SPECIAL


@pytest.mark.parametrize("kind", ["pipe", "socket"])
@pytest.mark.parametrize("name", ["x.py", ".ondolignore", ".ondol.toml", "sub/.editorconfig", ".gitattributes"])
def test_what_is_no_file_is_left_out_and_read_by_nobody(tmp_path: Path, kind: str, name: str) -> None:
    root = repositories.repository(tmp_path / "r", {"a.py": "x = 1\n", "sub/b.py": "y = 2\n"})
    place = root / name
    if kind == "pipe":
        os.mkfifo(place)
    else:
        with contextlib.chdir(place.parent), socket.socket(socket.AF_UNIX) as listening:
            listening.bind(place.name)
    found, skips = reasons(root)
    assert found == ["a.py", "sub/b.py"]
    assert skips.get(name) in (None, policy.SPECIAL)  # git lists no pipes


def test_a_pointer_of_git_lfs_is_left_out_with_its_reason(tmp_path: Path) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d" * 32 + b"\nsize 12345\n"
    assert policy.source_from_bytes("a.py", pointer, Settings()) == policy.Skip("a.py", policy.LFS_POINTER)
    longer = pointer + b"# a file about Git LFS\n" * 100
    assert isinstance(policy.source_from_bytes("a.md", longer, Settings()), policy.Source)


def test_the_encoding_of_logs_is_ours_whatever_the_repository_sets(tmp_path: Path) -> None:
    root = repositories.repository(tmp_path / "repo", {"a.py": "x = 1\n"})
    repositories.git(root, "commit", "-q", "--allow-empty", "-m", "왜가리")
    repositories.git(root, "config", "i18n.logOutputEncoding", "EUC-KR")
    assert git.run_git(root, "log", "-1", "--format=%s").decode("utf-8").strip() == "왜가리"


def test_the_files_that_a_checkout_changes_are_found_in_every_kind_of_work_tree(tmp_path: Path) -> None:
    main = repositories.repository(tmp_path / "main")
    repositories.git(main, "worktree", "add", "-q", "-b", "work", str(tmp_path / "tree"))
    outer = repositories.repository(tmp_path / "outer", {"a.py": "x = 1\n"})
    repositories.git(outer, "submodule", "add", "-q", str(main), "lib")
    for root in (main, tmp_path / "tree", outer / "lib"):
        before = {path: path.stat().st_mtime_ns for path in changing_files(root) if path.exists()}
        assert any(path.name == "HEAD" for path in before)
        repositories.git(root, "checkout", "-q", "-b", "elsewhere" + root.name)
        assert {path: path.stat().st_mtime_ns for path in changing_files(root) if path.exists()} != before
    assert changing_files(tmp_path) == ()


def test_a_folder_in_the_place_of_a_pointer_is_none(tmp_path: Path) -> None:
    root = repositories.repository(tmp_path / "repo", {"a.py": "x = 1\n"})
    before = changing_files(root)
    (root / ".git" / "commondir").mkdir()
    assert changing_files(root) == before
