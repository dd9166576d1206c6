"""What a window says and reads by itself: messages as dictionaries, empty answers, and its own log.

Imports little, as ``window`` does.
"""

from __future__ import annotations

import json
from contextlib import suppress

TYPE_CHECKING = False  # a name that type checkers take for true; `typing` takes .7 MB in each window's process
if TYPE_CHECKING:
    from typing import Any, Final

EMPTY: Final[dict[str, Any]] = {
    "textDocument/inlineCompletion": {"items": []},
    "textDocument/completion": None,
    "textDocument/copilotInlineEdit": {"edits": []},
    "shutdown": None,
}
CANCELLED: Final = -32802


def parsed(body: bytes) -> dict[str, Any] | None:
    """Return the message of a body; None for what is none."""
    with suppress(ValueError, RecursionError):
        message = json.loads(body)
        return message if isinstance(message, dict) else None
    return None


def key_of(identifier: Any) -> str:
    """An id of the protocol as text: 1 and "1" are two ids."""
    return json.dumps(identifier)


def say(level: str, said: str, *values: object) -> None:
    """Log something; most windows have nothing to log, and ``logging`` takes a megabyte."""
    import logging

    from lsp_server.server.logs import set_up_logs

    set_up_logs()
    logging.getLogger(__package__).log(logging.getLevelNamesMapping()[level.upper()], said, *values)
