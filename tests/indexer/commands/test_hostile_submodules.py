"""Submodules and linked folders that try to run something, or to show what lies outside of the repository."""

import json
from pathlib import Path

import pytest

from tests.support import console
from tests.support.lsp_client import real
from tests.support.repositories import git, place, repository

pytestmark = pytest.mark.slow
OUTSIDE = "def quartz_ledger_outside(amount):\n    return amount\n"


def config(script: Path, worktree: Path) -> str:
    """Git's settings that run a program, or move the work tree."""
    return f"""
[core]
\tfsmonitor = {script}
\thooksPath = {script.parent}
\tpager = {script}
\tsshCommand = {script}
\tworktree = {worktree}
[diff]
\texternal = {script}
[filter "evil"]
\tclean = {script}
\tsmudge = {script}
\tprocess = {script}
\trequired = true
[submodule "evil"]
\tupdate = !{script}
\turl = ext::{script}
[submodule]
\trecurse = true
"""


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A repository with submodules of every hostile kind; ``tmp_path/PWNED`` appears when something of them runs."""
    script = place(tmp_path, "evil/evil.sh", f"#!/bin/sh\ntouch '{tmp_path}/PWNED'\ncat\n")
    for name in ("post-checkout", "post-index-change", "pre-commit", "fsmonitor-watchman", "reference-transaction"):
        place(tmp_path, f"evil/{name}", script.read_bytes()).chmod(0o755)
    script.chmod(0o755)
    outside = repository(tmp_path / "outside", {"outside.py": OUTSIDE})
    inner = repository(tmp_path / "inner", {"inner.py": "inner = 1\n", ".gitattributes": "* filter=evil diff=evil\n"})
    root = repository(tmp_path / "repo")
    git(root, "submodule", "add", "-q", str(inner), "plain")
    git(root, "commit", "-q", "-m", "submodule")
    with (root / ".git/modules/plain/config").open("a") as file:
        file.write(config(script, outside))
    rows = (
        ("up", "../../outside", "ext::" + str(script)),
        ("option", "-u./payload", f"-u{script}"),
        ("up2", "..", ".."),
    )
    modules = "".join(
        f'[submodule "{name}"]\n\tpath = {path}\n\turl = {url}\n\tupdate = !{script}\n\tfetchRecurseSubmodules = true\n'
        for name, path, url in rows
    )
    place(
        root, ".gitmodules", (root / ".gitmodules").read_text() + modules + f'[submodule "../../x"]\n\tpath = {root}\n'
    )
    place(root, "points_out/.git", f"gitdir: {outside}/.git\n")
    place(root, "points_out/own.py", "own = 1\n")
    place(root, "points_up/.git", "gitdir: ../../../../../../../../etc\n")
    place(root, "points_at_itself/.git", "gitdir: .\n")
    place(root, "bare/HEAD", "ref: refs/heads/main\n")
    for name in ("objects", "refs"):
        (root / "bare" / name).mkdir()
    place(root, "bare/config", "[core]\n\tbare = true\n" + config(script, outside))
    return root


def test_nothing_of_a_hostile_submodule_runs_and_nothing_outside_is_read(tmp_path: Path, hostile: Path) -> None:
    for folder in (".", "plain", "points_out", "points_up", "points_at_itself", "bare"):
        for arguments in (("index", "--json"), ("search", "quartz_ledger_outside"), ("doctor",)):
            done = console.finished(tmp_path, *arguments, cwd=hostile / folder)
            assert done.returncode in (0, 1) and "Traceback" not in done.stderr, (folder, arguments, done.stderr)
            assert "amount" not in done.stdout, (folder, arguments, done.stdout)
    assert not (tmp_path / "PWNED").exists()


def test_a_server_runs_nothing_of_them_either(tmp_path: Path, hostile: Path) -> None:
    for folder in (hostile / "plain", hostile / "points_out", hostile):
        with real(tmp_path) as client:
            client.initialize([folder])
            client.wait_state("ready")
            uri = (folder / "new.py").as_uri()
            client.open(uri, "def quartz_ledger_outside(")
            offered = json.dumps(client.complete(uri, 0, 26, automatic=False))
            assert "amount" not in offered, folder
    assert not (tmp_path / "PWNED").exists()


def test_a_message_that_git_has_opened_in_the_editor_is_no_source(tmp_path: Path) -> None:
    root = repository(tmp_path / "repo")
    separate = tmp_path / "elsewhere"
    with real(tmp_path) as client:
        client.initialize([root])
        client.wait_state("ready")
        for path in (root / ".git/COMMIT_EDITMSG", root / ".git/config", separate / "MERGE_MSG"):
            uri = path.as_uri()
            client.open(uri, "quartz_ledger_message = weigh(keeper, amount)\nquartz_ledger_mess")
            assert client.complete(uri, 1, 18, automatic=False) == []
        here = (root / "src/new.py").as_uri()
        client.open(here, "quartz_ledger_message = ")
        assert "keeper" not in json.dumps(client.complete(here, 0, 24, automatic=False))
