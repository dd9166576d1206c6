"""The client that protocol tests share: a real server process over stdio, with the real engine or with a double."""

import os
import sys
from pathlib import Path

from lsp_server.commands.lsp_client import Client, edit
from lsp_server.server.index_process import console_script

__all__ = ["Client", "double", "edit", "environment", "real"]

HERE = Path(__file__).parent


def environment(data_dir: Path, **more: str) -> dict[str, str]:
    """An environment in which nothing of this machine's own settings counts."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ONDOL_")}
    home = {"HOME": str(data_dir / "home"), "XDG_CONFIG_HOME": str(data_dir / "config")}
    return {**kept, **home, "ONDOL_DATA_DIR": str(data_dir / "data"), **more}


def real(data_dir: Path, *arguments: str, cwd: Path | None = None, **env: str) -> Client:
    """The server as users start it."""
    return Client([*console_script(), "serve", "--stdio", *arguments], cwd=cwd, env=environment(data_dir, **env))


def double(data_dir: Path, behaviour: str = "", **env: str) -> Client:
    """The real server process with an engine that does what ``behaviour`` says; see ``double_server.py``."""
    command = [sys.executable, str(HERE / "double_server.py"), behaviour]
    return Client(command, env=environment(data_dir, **env))
