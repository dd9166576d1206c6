"""Fixtures: a home folder and a repository per test, and the editors. Run the tests with run.sh."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

if not os.environ.get("ONDOL_EDITOR_TESTS"):
    collect_ignore_glob = ["test_*.py"]  # run.sh sets it; an ordinary test run has no editors
else:
    from editor import Editor, discard, make_repository

FAKE = Path(__file__).resolve().parent / "fake_server.py"


@pytest.fixture
def home() -> Iterator[Path]:
    """A home folder. Its path is shorter than that of `tmp_path`, because the path of a tmux socket is limited."""
    path = Path(tempfile.mkdtemp(prefix="on-"))
    yield path
    discard(path)


@pytest.fixture
def repo(home: Path) -> Path:
    """An empty git repository."""
    return make_repository(home / "repo", {"a.py": "# hello\n"})


@pytest.fixture(params=["0.12", "0.10"])
def version(request: pytest.FixtureRequest) -> str:
    """The Neovim versions, which show suggestions with Neovim's own module and with the plugin's ghost text."""
    return str(request.param)


@pytest.fixture
def log(home: Path) -> Path:
    """The file for the events of the fake server."""
    return home / "events.jsonl"


@pytest.fixture
def edit(home: Path, repo: Path, log: Path, version: str) -> Iterator[Callable[..., Any]]:
    """Start editors with the fake server: edit(setup="...", fault="...", file="a.py")."""
    opened = []
    program = home / "bin" / "ondol"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{FAKE}' \"$@\"\n")
    program.chmod(0o755)

    def start(
        setup: str = "", *, fault: str = "", file: str | None = "a.py", env: dict[str, str] | None = None, **more: Any
    ) -> Any:
        keys = "keys = { accept = '<Tab>', accept_word = '<C-l>', accept_line = '<C-j>' }"
        options = f"{{ cmd = {{ '{program}', 'serve', '--stdio' }}, {keys}, {setup} }}"
        editor = Editor(
            version,
            home,
            more.pop("folder", repo),
            options,
            env={"FAKE_LOG": str(log), "FAKE_FAULT": fault, **(env or {})},
            **more,
        )
        opened.append(editor)
        if file:
            editor.open(repo / file)
        return editor

    yield start
    for editor in opened:
        editor.close()
