"""The client that protocol tests share: a real server process over stdio, with the real engine or with a double."""

import sys
from pathlib import Path

from lsp_server.commands.lsp_client import Client, edit
from lsp_server.server.index_process import console_script
from tests.support.console import environment

__all__ = ["Client", "double", "edit", "environment", "explanation", "messages", "real", "state"]

HERE = Path(__file__).parent


def real(folder: Path, *arguments: str, cwd: Path | None = None, **env: str) -> Client:
    """The server as users start it."""
    return Client([*console_script(), "serve", "--stdio", *arguments], cwd=cwd, env=environment(folder, **env))


def double(folder: Path, behaviour: str = "", **env: str) -> Client:
    """The real server process with an engine that does what ``behaviour`` says; see ``double_server.py``."""
    command = [sys.executable, "-P", str(HERE / "double_server.py"), behaviour]  # its folder has a `tokenizers.py`
    return Client(command, env=environment(folder, **env))


def state(client: Client) -> str:
    """The state that the server reported last; empty before its first report."""
    reports = client.of("ondol/status")
    return str(reports[-1]["state"]) if reports else ""


def messages(client: Client, *words: str) -> list[str]:
    """The messages shown to the user that contain all ``words``."""
    shown = [note["message"] for note in client.of("window/showMessage")]
    return [message for message in shown if all(word in message for word in words)]


def explanation(client: Client) -> str:
    """The server's explanation of its last answer, with all numbers."""
    explained: str = client.command("ondol.explain", {"full": True})
    return explained
