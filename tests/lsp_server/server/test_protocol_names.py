"""The names that editor extensions rely on; an extension of an earlier version must keep working."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lsp_server.server import edit_handlers, handlers, host

SERVER = Path(handlers.__file__).parent
COMMANDS = {"ondol.accepted", "ondol.index", "ondol.explain", "ondol.status", "ondol.setEnabled", "ondol.sources"}
COMMANDS |= {"ondol.dismissed", "ondol.editAccepted", "ondol.editDismissed", "ondol.repeatEdit"}
METHODS = {"textDocument/didShowCompletion", "textDocument/didPartiallyAcceptCompletion"}
METHODS |= {"textDocument/copilotInlineEdit", "textDocument/didShowInlineEdit"}
NOTIFICATIONS = {"ondol/status", "ondol/nextEditReady", "ondol/completionReady"}
STATES = {"problem", "indexing", "model-loading", "starting", "ready", "off"}
STATUS_KEYS = {"state", "message", "percent", "documents", "generation"}


class Registry:
    """Stands for the server while the handlers are registered."""

    def __init__(self) -> None:
        self.methods: set[str] = set()
        self.commands: set[str] = set()

    def start(self) -> None: ...

    def feature(self, name: str, options: Any) -> Callable[[Any], Any]:
        self.methods.add(name)
        return lambda handler: handler

    def command(self, name: str) -> Callable[[Any], Any]:
        self.commands.add(name)
        return lambda handler: handler


def source() -> str:
    return "\n".join(path.read_text("utf-8") for path in sorted(SERVER.glob("*.py")))


def test_commands_and_methods_keep_their_names() -> None:
    registry = Registry()
    edit_handlers.register(registry, handlers.register(registry))  # type: ignore[arg-type]
    assert registry.commands == COMMANDS
    assert registry.methods >= {*METHODS, "textDocument/inlineCompletion", "textDocument/completion"}


def test_notifications_keep_their_names() -> None:
    assert set(re.findall(r'notify\(\s*"([^"]+)"', source())) == NOTIFICATIONS


def test_states_and_the_keys_of_a_status_keep_their_names() -> None:
    assert set(host.STATES) == STATES
    assert set(re.findall(r'(?:SessionState\(|replace\(self\.state, name=|"state": )"([^"]+)"', source())) <= STATES
    assert set(re.findall(r'"(\w+)": state\.\w+', source())) == STATUS_KEYS
