"""The real console script, run as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import platformdirs

SCRIPT = Path(sys.executable).with_name("ondol")


def environment(folder: Path, **more: str) -> dict[str, str]:
    """An environment without this machine's own settings; Ondol's data go to ``folder``/data."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ONDOL_")}
    home = {"HOME": str(folder / "home"), "XDG_CONFIG_HOME": str(folder / "config")}
    # The cache holds compiled rules of Ondol itself. With one of its own, each test compiles them for 6 s.
    home["XDG_CACHE_HOME"] = str(platformdirs.user_cache_path())
    return {**kept, **home, "ONDOL_DATA_DIR": str(folder / "data"), **more}


def run(*args: str | Path, data: Path | None = None, cwd: Path | None = None, **options: Any) -> Any:
    """Run ``ondol`` with the data folder ``data``; ``prefix`` stands before the command, ``env`` adds variables."""
    variables = {**os.environ, **({"ONDOL_DATA_DIR": str(data)} if data else {}), **options.pop("env", {})}
    return subprocess.run(
        [*options.pop("prefix", []), SCRIPT, *args],
        env=variables,
        cwd=cwd,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        **options,
    )


def finished(folder: Path, *arguments: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run ``ondol`` in :func:`environment`."""
    return subprocess.run(
        [SCRIPT, *arguments], capture_output=True, text=True, env=environment(folder, **env), cwd=cwd, check=False
    )


def printed(folder: Path, *arguments: str, cwd: Path | None = None, **env: str) -> str:
    """What ``ondol`` prints in :func:`environment`; it must succeed."""
    done = finished(folder, *arguments, cwd=cwd, **env)
    assert done.returncode == 0, done.stderr
    return done.stdout
