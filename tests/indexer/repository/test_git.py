"""Git works in every state of a repository, and starts no program that a repository names."""

import os
import subprocess
from pathlib import Path

import pytest

from indexer.config import Settings
from indexer.errors import UserError
from indexer.repository import git as ondol_git
from indexer.repository import policy, walk
from indexer.repository.listing import read_listing
from indexer.types import Source
from tests.support import commit_histories, console, repositories
from tests.support.repositories import ENVIRONMENT, git, place, repository


def test_find_root_looks_upward_and_stops_at_plain_folders(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", {"src/deep/a.py": "x = 1\n"})
    for start in (root, root / "src" / "deep", root / "src" / "deep" / "a.py"):
        assert ondol_git.find_root(start) == root
    plain = tmp_path / "plain"
    plain.mkdir()
    assert ondol_git.find_root(plain) == plain
    with pytest.raises(UserError, match="there is no folder"):
        ondol_git.find_root(tmp_path / "missing")


def test_blob_id_is_gits(tmp_path: Path) -> None:
    root = repository(tmp_path, {"a.bin": b"\0\r\n\xff", "empty": b""})
    assert ondol_git.blob_id(b"\0\r\n\xff") == git(root, "rev-parse", "HEAD:a.bin")
    assert ondol_git.blob_id(b"") == git(root, "rev-parse", "HEAD:empty")


def test_ls_tree_lists_files_links_and_submodules_with_their_ids(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", {"a.py": "x = 1\n", "한글/tab\tname": "y\n"})
    (root / "link").symlink_to("a.py")
    git(root, "add", "link")
    git(root, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
    git(root, "commit", "-q", "-m", "link and submodule")
    found = ondol_git.ls_tree(root, "HEAD")
    assert [(entry.mode, entry.path, entry.is_regular) for entry in found] == [
        ("100644", "a.py", True),
        ("120000", "link", False),
        ("160000", "module", False),
        ("100644", "한글/tab\tname", True),
    ]
    assert found[0].blob == ondol_git.blob_id(b"x = 1\n")
    with pytest.raises(UserError):
        ondol_git.ls_tree(root, "no-such-commit")


def test_states(tmp_path: Path) -> None:
    empty = repository(tmp_path / "empty", {}, commit=False)
    assert (ondol_git.head(empty), ondol_git.branch(empty)) == (None, "main")
    full = repository(tmp_path / "full", {"a.py": "x = 1\n"})
    commit = git(full, "rev-parse", "HEAD")
    assert (ondol_git.head(full), ondol_git.branch(full), ondol_git.is_shallow(full)) == (commit, "main", False)
    git(full, "commit", "-q", "--allow-empty", "-m", "second")
    git(full, "checkout", "-q", "--detach")
    assert ondol_git.branch(full) is None
    git(tmp_path, "clone", "-q", "--depth=1", full.as_uri(), "shallow")
    assert ondol_git.is_shallow(tmp_path / "shallow")
    assert [entry.path for entry in walk.walk(tmp_path / "shallow", Settings())[0]] == ["a.py"]


def test_a_bare_repository_and_a_broken_one_are_reported_in_a_sentence(tmp_path: Path) -> None:
    full = repository(tmp_path / "full", {"a.py": "x = 1\n"})
    git(tmp_path, "clone", "-q", "--bare", str(full), "bare")
    bare = tmp_path / "bare"
    assert ondol_git.is_bare(bare)
    assert ondol_git.find_root(bare / "objects") == bare
    with pytest.raises(UserError, match="bare repository, so it has no files; clone it"):
        walk.walk(bare, Settings())
    assert ondol_git.head(bare) == git(full, "rev-parse", "HEAD")
    (full / ".git" / "index").write_bytes(b"DIRC" + b"\xff" * 40)
    with pytest.raises(UserError, match=r"git ls-files failed in .*; run git fsck there\.$"):
        walk.walk(full, Settings())


def test_an_empty_git_folder_is_no_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    place(tmp_path, "a.py", "x = 1\n")
    assert [entry.path for entry in walk.walk(tmp_path, Settings())[0]] == ["a.py"]


def test_a_linked_work_tree_is_a_repository(tmp_path: Path) -> None:
    full = repository(tmp_path / "full", {"a.py": "x = 1\n"})
    git(full, "worktree", "add", "-q", str(tmp_path / "linked"), "-b", "other")
    assert ondol_git.find_root(tmp_path / "linked") == tmp_path / "linked"
    assert ondol_git.branch(tmp_path / "linked") == "other"
    assert [entry.path for entry in walk.walk(tmp_path / "linked", Settings())[0]] == ["a.py"]


def test_a_relative_root_is_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = repository(tmp_path / "r", {"a.py": "x = 1\n"})
    monkeypatch.chdir(tmp_path)
    (root / "b.py").write_text("y = 1\n")
    assert read_listing(Path("r")) == read_listing(root)
    assert [entry.path for entry in walk.walk(Path("r"), Settings())[0]] == ["a.py", "b.py"]


def test_cat_file_batch_streams_in_order(tmp_path: Path) -> None:
    files = {f"f{number}.txt": f"line {number}\n" * number for number in range(200)}
    root = repository(tmp_path, {**files, "big.bin": b"z" * 300_000})
    ids = {name: git(root, "rev-parse", f"HEAD:{name}") for name in list(files)[:3]}
    asked = [f"HEAD:{name}" for name in files] + ["HEAD:big.bin", "0" * 40, "HEAD:no such", "a\nb", *ids.values()]
    answers = list(ondol_git.cat_file_batch(root, iter(asked), max_bytes=100_000))
    assert [name for name, _ in answers] == asked
    contents = [data for _, data in answers]
    assert contents[:200] == [text.encode() for text in files.values()]
    assert contents[200:204] == [None, None, None, None]
    assert contents[204:] == [files[name].encode() for name in ids]
    assert dict(ondol_git.cat_file_batch(root, ["HEAD:big.bin"]))["HEAD:big.bin"] == b"z" * 300_000


def test_cat_file_batch_may_be_left_early(tmp_path: Path) -> None:
    root = repository(tmp_path, {f"f{number}": b"x" * 100_000 for number in range(50)})
    answers = ondol_git.cat_file_batch(root, [f"HEAD:f{number}" for number in range(50)])
    assert next(answers)[1] == b"x" * 100_000
    answers.close()


def test_gits_variables_are_taken_out_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = repository(tmp_path / "mine", {"a.py": "x = 1\n"})
    other = repository(tmp_path / "other", {"b.py": "y = 1\n"})
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.quotepath")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
    assert [entry.path for entry in walk.walk(mine, Settings())[0]] == ["a.py"]


def test_only_reading_commands_are_started(tmp_path: Path) -> None:
    for args in (("fetch",), ("commit",), ("-c", "x=y", "log"), ("status",), ("grep", "x"), ()):
        with pytest.raises(ValueError, match="not one of the reading commands"):
            ondol_git.run_git(tmp_path, *args)


def test_git_in_the_working_directory_is_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = repository(tmp_path / "r", {"a.py": "x = 1\n"})
    script = place(root, "git", f"#!/bin/sh\ntouch {tmp_path}/PWNED\n")
    script.chmod(0o755)
    monkeypatch.chdir(root)
    monkeypatch.setenv("PATH", os.pathsep.join([".", "", os.environ["PATH"]]))
    assert ondol_git.head(root)
    assert not (tmp_path / "PWNED").exists()


def test_missing_git_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = repository(tmp_path, {"a.py": "x = 1\n"})
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(UserError, match="git is not installed; install git"):
        ondol_git.head(root)


# --- a repository made to run something when it is opened ----------------------------------------------------------


def hostile(root: Path, marker: Path) -> Path:
    """A repository whose every door leads to a program that creates ``marker``."""
    repository(
        root,
        {
            "a.py": "x = 1\n",
            "b.py": "y = 1\n",
            ".gitattributes": "*.py diff=bad filter=bad merge=bad\n",
            "json.py": f"open({str(marker)!r}, 'w')\n",
            "sitecustomize.py": f"open({str(marker)!r}, 'w')\n",
            "conftest.py": f"open({str(marker)!r}, 'w')\n",
            "indexer/__init__.py": f"open({str(marker)!r}, 'w')\n",
            "tree_sitter.py": f"open({str(marker)!r}, 'w')\n",
            ".ondol.toml": "data_dir = '/tmp/elsewhere'\nremote_url = 'http://evil.invalid'\n",
        },
    )
    script = place(root, "evil.sh", f"#!/bin/sh\ntouch '{marker}'\ncat\n")
    script.chmod(0o755)
    hooks = root / "hooks"
    hooks.mkdir()
    for name in ("post-index-change", "post-checkout", "pre-commit", "reference-transaction", "fsmonitor-watchman"):
        place(hooks, name, f"#!/bin/sh\ntouch '{marker}'\n").chmod(0o755)
        place(root / ".git" / "hooks", name, f"#!/bin/sh\ntouch '{marker}'\n").chmod(0o755)
    included = place(root, "included.cfg", f"[core]\n\tfsmonitor = {script}\n[alias]\n\tls-files = !{script}\n")
    with (root / ".git" / "config").open("a") as config:
        config.write(
            f"""
[core]
\tfsmonitor = {script}
\thooksPath = {hooks}
\tpager = {script}
\teditor = {script}
\tsshCommand = {script}
\tgitProxy = {script}
\taskPass = {script}
\talternateRefsCommand = {script}
\tattributesFile = {root}/.gitattributes
\tworktree = {marker.parent}/other
[alias]
\tls-files = !{script}
\tlog = !{script}
\tcat-file = !{script}
[diff]
\texternal = {script}
[diff "bad"]
\ttextconv = {script}
\tcommand = {script}
[filter "bad"]
\tclean = {script}
\tsmudge = {script}
\tprocess = {script}
\trequired = true
[merge "bad"]
\tdriver = {script}
[pager]
\tlog = {script}
\tls-files = {script}
[gpg]
\tprogram = {script}
[gpg "ssh"]
\tprogram = {script}
[log]
\tshowSignature = true
[credential]
\thelper = !{script}
[include]
\tpath = {included}
[includeIf "gitdir:/"]
\tpath = {included}
[protocol "ext"]
\tallow = always
[protocol]
\tallow = always
[remote "origin"]
\turl = ext::{script} %S
\tpromisor = true
\tpartialclonefilter = blob:none
\tuploadpack = {script}
\tvcs = bad
[uploadpack]
\tpackObjectsHook = {script}
[extensions]
\tpartialClone = origin
[submodule]
\trecurse = true
"""
        )
    return root


def signed_commit(root: Path) -> None:
    """A commit with a signature header, so that a signature checker would be called."""
    tree = git_raw(root, "write-tree")
    body = (
        f"tree {tree}\nauthor A <a@a.invalid> 1 +0000\ncommitter A <a@a.invalid> 1 +0000\n"
        "gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ==\n -----END PGP SIGNATURE-----\n\nsigned\n"
    )
    commit = git_raw(root, "hash-object", "-t", "commit", "-w", "--stdin", stdin=body)
    (root / ".git" / "refs" / "heads" / "main").write_text(commit + "\n")


def git_raw(root: Path, *args: str, stdin: str = "") -> str:
    return subprocess.run(
        ["git", *args], cwd=root, env=ENVIRONMENT, input=stdin, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_hostile_repository_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = tmp_path / "PWNED"
    (tmp_path / "other").mkdir()
    place(tmp_path / "other", "private.py", "secret_of_another_folder = 1\n")
    root = tmp_path / "r"
    repository(root, {"first.py": "z = 1\n"})
    signed_commit(root)
    hostile(root, marker)
    lost = git_raw_unhooked(root, "HEAD:a.py")
    (root / ".git" / "objects" / lost[:2] / lost[2:]).unlink()  # a partial clone would now fetch it
    monkeypatch.chdir(root)
    marker.unlink(missing_ok=True)

    assert ondol_git.find_root(root) == root
    entries, skips = walk.walk(root, Settings())
    assert {"a.py", "b.py", "evil.sh", "first.py"} <= {entry.path for entry in entries}
    assert not [item for item in [*entries, *skips] if "private" in item.path]
    sources = [policy.read_source(root, entry, Settings()) for entry in entries]
    assert len([source for source in sources if isinstance(source, Source)]) >= 8
    assert ondol_git.head(root)
    ondol_git.branch(root)
    assert not ondol_git.is_shallow(root)
    assert dict(ondol_git.cat_file_batch(root, ["HEAD:b.py"])) == {"HEAD:b.py": b"y = 1\n"}
    with pytest.raises(UserError, match="is a partial clone"):
        dict(ondol_git.cat_file_batch(root, [lost]))
    assert b"signed" in ondol_git.run_git(root, "log", "--format=%s", "-n", "5")
    ondol_git.run_git(root, "log", "-p", "-n", "1", "--", "b.py", "evil.sh")
    ondol_git.run_git(root, "show", "HEAD:b.py")
    ondol_git.run_git(root, "diff-tree", "-r", "-p", "--root", "HEAD", "--", "b.py")
    ondol_git.run_git(root, "ls-tree", "-r", "HEAD")
    ondol_git.run_git(root, "rev-list", "--all")
    for args in (("cat-file", "-p", lost), ("log", "-p", "--", "a.py"), ("rev-list", "--objects", "--all", lost)):
        with pytest.raises(UserError):
            ondol_git.run_git(root, *args)
    assert not marker.exists()


def git_raw_unhooked(root: Path, name: str) -> str:
    return ondol_git.run_git(root, "rev-parse", name).decode().strip()


def test_the_hostile_repository_is_hostile(tmp_path: Path) -> None:
    """Git without our precautions does what the repository says; otherwise the test above proves nothing."""
    marker = tmp_path / "PWNED"
    (tmp_path / "other").mkdir()
    root = hostile(tmp_path / "r", marker)
    for args in (["ls-files", "-o"], ["log", "-p"], ["diff", "HEAD"]):
        marker.unlink(missing_ok=True)
        subprocess.run(["git", *args], cwd=root, env=ENVIRONMENT, capture_output=True, check=False, timeout=60)
        assert marker.exists(), args


@pytest.mark.slow
def test_a_partial_clone_is_named_with_its_cure_and_fetches_nothing(tmp_path):
    origin = commit_histories.growing(tmp_path / "origin", 12)
    repositories.git(origin, "config", "uploadpack.allowFilter", "true")
    repositories.git(tmp_path, "clone", "-q", "--filter=blob:none", origin.as_uri(), "clone")
    called, clone = tmp_path / "called", tmp_path / "clone"
    script = tmp_path / "upload"
    script.write_text(f'#!/bin/sh\ntouch {called}\nexec git-upload-pack "$@"\n')
    script.chmod(0o700)
    repositories.git(clone, "config", "remote.origin.uploadpack", str(script))
    assert console.run("index", clone, data=tmp_path / "data").returncode == 0
    replayed = console.run("eval", clone, "--commits", "4", "--cases", "4", data=tmp_path / "data")
    assert (replayed.returncode, replayed.stdout, called.exists()) == (1, "", False)
    cure = "git fetch --refetch --no-filter"
    assert f"is a partial clone, which lacks some of its history, and nothing is fetched; run {cure}" in replayed.stderr
    repositories.git(clone, *cure.split()[1:])
    assert called.exists()
    assert console.run("eval", clone, "--commits", "4", "--cases", "4", data=tmp_path / "data").returncode == 0
