"""What an editor has told its engine, kept so that another engine can take over in the middle.

Documents are kept as they are now, not as messages: a day of typing takes no more memory than its documents. Of other
messages those are kept that change how the engine answers: folders, settings, switches. Knows the protocol's JSON; what
does not fit the protocol is left to the engine, which answers it. Imports little, see ``window``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from lsp_server.positions import UTF16
from lsp_server.server.text_buffer import Text

TYPE_CHECKING = False  # a name that type checkers take for true; `typing` takes .7 MB in each window's process
if TYPE_CHECKING:
    from typing import Any, Final

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


_Change = tuple[str, tuple[int, int] | None, tuple[int, int] | None]
"""A new text, and from where to where it stands; without places it replaces the whole document."""


class _Document:
    """A document that is open; cut into lines once it is changed.

    :param notebook: the key of its notebook, for a cell.
    """

    __slots__ = ("_text", "language", "notebook", "uri", "version")

    def __init__(self, uri: str, language: str, version: int, text: str, notebook: str | None) -> None:
        self.uri, self.language, self.version, self.notebook = uri, language, version, notebook
        self._text: str | Text = text

    @property
    def item(self) -> dict[str, Any]:
        """The document as the protocol opens it."""
        text = self._text if isinstance(self._text, str) else self._text.text
        return {"uri": self.uri, "languageId": self.language, "version": self.version, "text": text}

    def change(self, change: _Change, encoding: str) -> None:
        """Apply a change."""
        text, start, end = change
        if start is None or end is None:
            self._text = text
            return
        if isinstance(self._text, str):
            self._text = Text(self._text, encoding, limit=0)
        self._text.replace(start, end, text)


class Conversation:
    """One editor's session as its engine has to know it."""

    def __init__(self) -> None:
        self.process_id: int | None = None
        self.shut_down = False
        self._initialize: dict[str, Any] | None = None
        self._initialized = False
        self._kept: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._encoding = UTF16
        self._documents: dict[str, _Document] = {}
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
            self._encoding = str(capabilities.get("positionEncoding") or UTF16)

    def take(self, message: dict[str, Any]) -> None:
        """Take a message of the editor; a malformed one changes nothing."""
        try:
            self._take(message)
        except (KeyError, TypeError, ValueError, AttributeError):
            return

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
            self._close(params["textDocument"]["uri"])
        elif method == "notebookDocument/didOpen":
            notebook = params["notebookDocument"]
            self._notebooks[_key(notebook["uri"])] = {**notebook, "cells": list(notebook["cells"])}
            for cell in params["cellTextDocuments"]:
                self._open(cell, notebook["uri"])
        elif method == "notebookDocument/didChange":
            self._change_notebook(params["notebookDocument"], params["change"].get("cells") or {})
        elif method == "notebookDocument/didClose":
            self._notebooks.pop(_key(params["notebookDocument"]["uri"]), None)
            for cell in params["cellTextDocuments"]:
                self._close(cell["uri"])

    def _open(self, item: dict[str, Any], notebook: str | None = None) -> None:
        version, uri, text = int(item.get("version") or 0), item["uri"], item["text"]
        if not isinstance(text, str):
            raise TypeError(text)
        cell_of = _key(notebook) if notebook else None
        self._documents[_key(uri)] = _Document(uri, item.get("languageId") or "", version, text, cell_of)

    def _close(self, uri: str) -> None:
        self._documents.pop(_key(uri), None)

    def _change(self, which: dict[str, Any], changes: list[dict[str, Any]]) -> None:
        if len(changes) > MOST_CHANGES:
            self._close(which["uri"])
            return
        document = self._documents.get(_key(which["uri"]))
        made = [_plain(change) for change in changes]
        if document is not None:
            for change in made:
                document.change(change, self._encoding)
            document.version = int(which.get("version") or 0)

    def _change_notebook(self, which: dict[str, Any], cells: dict[str, Any]) -> None:
        notebook = self._notebooks[_key(which["uri"])]
        notebook["version"] = which.get("version", notebook.get("version"))
        structure = cells.get("structure")
        if structure is not None:
            start, count = structure["array"]["start"], structure["array"]["deleteCount"]
            notebook["cells"][start : start + count] = structure["array"].get("cells") or []
            for opened in structure.get("didOpen") or []:
                self._open(opened, notebook["uri"])
            for closed in structure.get("didClose") or []:
                self._close(closed["uri"])
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
        for document in self._documents.values():
            if document.notebook is None:
                yield _said("textDocument/didOpen", {"textDocument": document.item})
        for notebook in self._notebooks.values():
            cells = [one for one in self._documents.values() if one.notebook == _key(notebook["uri"])]
            params = {"notebookDocument": notebook, "cellTextDocuments": [cell.item for cell in cells]}
            yield _said("notebookDocument/didOpen", params)


def _said(method: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


def _plain(event: dict[str, Any]) -> _Change:
    span, text = event.get("range"), str(event["text"])
    if span is None:
        return text, None, None
    start, end = ((int(span[side]["line"]), int(span[side]["character"])) for side in ("start", "end"))
    return text, start, end


def _key(uri: str) -> str:
    """As ``documents.key_of``."""
    if "%" not in uri:
        return uri
    from urllib.parse import unquote

    return unquote(uri)
