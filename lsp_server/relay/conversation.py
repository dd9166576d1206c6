"""What an editor has told its engine, kept so that another engine can take over in the middle.

Documents are kept as they are now, not as messages: a day of typing takes no more memory than its documents. Of other
messages those are kept that change how the engine answers: folders, settings, switches. Knows the protocol's JSON; what
does not fit the protocol is left to the engine, which answers it.
"""

import logging
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from lsp_server.positions import UTF16
from lsp_server.server.documents import Change, Documents, key_of

log = logging.getLogger(__name__)

KEPT: Final = 500
"""Messages about folders, settings and switches that are kept at most; the oldest go first."""

MOST_CHANGES: Final = 5_000
"""The engine closes a document with more changes in one message."""

INITIALIZE: Final = "ondol-initialize-again"
"""The id of an ``initialize`` that is said again; its reply does not concern the editor."""

AGAIN: Final = "ondol-again"
"""The id of other requests that are said again."""

_KEPT_NOTIFICATIONS: Final = (
    "workspace/didChangeWorkspaceFolders",
    "workspace/didChangeConfiguration",
    "$/setTrace",
)
_SWITCH: Final = "ondol.setEnabled"


class Conversation:
    """One editor's session as its engine has to know it."""

    def __init__(self) -> None:
        self.process_id: int | None = None
        self.shut_down = False
        self._initialize: dict[str, Any] | None = None
        self._initialized = False
        self._kept: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._documents = Documents()
        self._notebooks: dict[str, dict[str, Any]] = {}

    @property
    def initialize_id(self) -> Any:
        """The id of the editor's ``initialize``; None before it."""
        return self._initialize["id"] if self._initialize is not None else None

    def initialized_with(self, reply: dict[str, Any]) -> None:
        """Take the reply to ``initialize``: it says in which units columns are counted."""
        result = reply.get("result")
        capabilities = result.get("capabilities") if isinstance(result, dict) else None
        if isinstance(capabilities, dict):
            self._documents.encoding = str(capabilities.get("positionEncoding") or UTF16)

    def take(self, message: dict[str, Any]) -> None:
        """Take a message of the editor; a malformed one changes nothing."""
        try:
            self._take(message)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            log.debug("a message of the editor is not kept: %s", type(error).__name__)

    def _take(self, message: dict[str, Any]) -> None:
        method, params = message.get("method"), message.get("params")
        if method == "initialize" and self._initialize is None and "id" in message:
            self._initialize = message
            given = params.get("processId") if isinstance(params, dict) else None
            self.process_id = given if isinstance(given, int) else None
        elif method == "initialized":
            self._initialized = True
        elif method == "shutdown":
            self.shut_down = True
        elif method in _KEPT_NOTIFICATIONS:
            self._kept.append(message)
        elif method == "workspace/executeCommand" and isinstance(params, dict) and params.get("command") == _SWITCH:
            self._kept.append({**message, "id": AGAIN})
        elif isinstance(params, dict):
            self._take_document(str(method), params)

    def _take_document(self, method: str, params: dict[str, Any]) -> None:
        if method == "textDocument/didOpen":
            self._open(params["textDocument"])
        elif method == "textDocument/didChange":
            self._change(params["textDocument"], params["contentChanges"])
        elif method == "textDocument/didClose":
            self._documents.close(params["textDocument"]["uri"])
        elif method == "notebookDocument/didOpen":
            notebook = params["notebookDocument"]
            self._notebooks[key_of(notebook["uri"])] = {**notebook, "cells": list(notebook["cells"])}
            for cell in params["cellTextDocuments"]:
                self._open(cell, notebook["uri"])
        elif method == "notebookDocument/didChange":
            self._change_notebook(params["notebookDocument"], params["change"].get("cells") or {})
        elif method == "notebookDocument/didClose":
            self._notebooks.pop(key_of(params["notebookDocument"]["uri"]), None)
            for cell in params["cellTextDocuments"]:
                self._documents.close(cell["uri"])

    def _open(self, item: dict[str, Any], notebook: str | None = None) -> None:
        version = int(item.get("version") or 0)
        self._documents.put(item["uri"], item.get("languageId") or "", version, item["text"], notebook)

    def _change(self, which: dict[str, Any], changes: list[dict[str, Any]]) -> None:
        if len(changes) > MOST_CHANGES:
            self._documents.close(which["uri"])
            return
        made = [_plain(change) for change in changes]
        self._documents.change(which["uri"], int(which.get("version") or 0), made)

    def _change_notebook(self, which: dict[str, Any], cells: dict[str, Any]) -> None:
        notebook = self._notebooks[key_of(which["uri"])]
        notebook["version"] = which.get("version", notebook.get("version"))
        structure = cells.get("structure")
        if structure is not None:
            start, count = structure["array"]["start"], structure["array"]["deleteCount"]
            notebook["cells"][start : start + count] = structure["array"].get("cells") or []
            for opened in structure.get("didOpen") or []:
                self._open(opened, notebook["uri"])
            for closed in structure.get("didClose") or []:
                self._documents.close(closed["uri"])
        for text in cells.get("textContent") or []:
            self._change(text["document"], text["changes"])

    def again(self) -> Iterator[dict[str, Any]]:
        """The messages that bring a new engine to where the editor is; nothing before ``initialize``."""
        if self._initialize is None:
            return
        yield {**self._initialize, "id": INITIALIZE}
        if not self._initialized:
            return
        yield {"jsonrpc": "2.0", "method": "initialized", "params": {}}
        yield from self._kept
        for document in self._documents.open.values():
            if document.notebook is None:
                yield _said("textDocument/didOpen", {"textDocument": self._item(document)})
        for notebook in self._notebooks.values():
            cells = [one for one in self._documents.open.values() if one.notebook == key_of(notebook["uri"])]
            params = {"notebookDocument": notebook, "cellTextDocuments": [self._item(cell) for cell in cells]}
            yield _said("notebookDocument/didOpen", params)

    @staticmethod
    def _item(document: Any) -> dict[str, Any]:
        return {
            "uri": document.uri,
            "languageId": document.language_id,
            "version": document.version,
            "text": document.buffer.text,
        }


def _said(method: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


def _plain(event: dict[str, Any]) -> Change:
    span = event.get("range")
    if span is None:
        return Change(str(event["text"]))
    start, end = ((int(span[side]["line"]), int(span[side]["character"])) for side in ("start", "end"))
    return Change(str(event["text"]), start, end)
