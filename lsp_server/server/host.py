"""What sessions report to the server around them: messages, states and progress."""

from dataclasses import dataclass
from typing import Final, Protocol

from lsp_server.server.index_process import IndexProgress

STATES: Final = ("problem", "indexing", "model-loading", "starting", "ready", "off")
"""Names of states in ``ondol/status``, the most urgent first; editors rely on them."""


@dataclass(frozen=True, slots=True)
class SessionState:
    """The state of a session, as ``ondol/status`` reports it.

    :param name: one of :data:`STATES`.
    :param percent: progress, where it is known.
    :param documents: files in the index.
    :param generation: of the index.
    """

    name: str = "starting"
    message: str = "starting"
    percent: int | None = None
    documents: int | None = None
    generation: int | None = None


class Host(Protocol):
    """The server around a session. All calls come on the loop."""

    def show_message(self, message: str, *, problem: bool = False) -> None:
        """Show the user a message; each message is shown once."""

    def state_changed(self) -> None:
        """Take note that a session's state changed."""

    def first_index(self, name: str) -> None:
        """Tell the user that a repository is indexed for the first time; several at once are one message."""

    def withdraw(self) -> None:
        """Drop answers in work and remembered texts: they may come from a file that may not be used any more."""

    def show_progress(self, token: str, title: str, step: IndexProgress | None) -> None:
        """Show progress under a token; None ends it."""
