"""Fixtures: a home and a repository of their own for each test, and the editors. The tests need what install.sh fetches: use run.sh."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

if not os.environ.get("ONDOL_EDITOR_TESTS"):
    collect_ignore_glob = ["test_*.py"]  # run.sh sets it: an ordinary test run has no editors
else:
    from editor import Editor, discard, make_repository

FAKE = Path(__file__).resolve().parent / "fake_server.py"


@pytest.fixture
def home() -> Iterator[Path]:
    """A home folder. Not pytest's own: the path of tmux's socket inside has to stay short."""
    path = Path(tempfile.mkdtemp(prefix="on-"))
    yield path
    discard(path)


@pytest.fixture
def repo(home: Path) -> Path:
    """An empty git repository."""
    return make_repository(home / "repo", {"a.py": "# hello\n"})


@pytest.fixture(params=["0.12", "0.10"])
def version(request: pytest.FixtureRequest) -> str:
    """Both ways of showing suggestions: Neovim's own module and the plugin's."""
    return str(request.param)


@pytest.fixture
def log(home: Path) -> Path:
    """Where the fake server writes its events."""
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
        options = f"{{ cmd = {{ '{program}', 'serve', '--stdio' }}, keys = {{ accept = '<Tab>', accept_word = '<C-l>', accept_line = '<C-j>' }}, {setup} }}"
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
