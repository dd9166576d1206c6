"""The protocol between the transport and pygls: checks every message, and keeps Ondol's documents instead of pygls's.

Whatever is wrong with a message, a request gets an answer, the next message is handled, and no window opens. pygls left
5 of 26 malformed messages unanswered and opened a window for 12 of them (measured). Knows the protocol's types and
nothing of completions.
"""

import json
import logging
from collections.abc import Generator, Mapping
from typing import Any, Final, Protocol

from cattrs import Converter
from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.protocol import (
    JsonRPCNotification,
    JsonRPCRequestMessage,
    LanguageServerProtocol,
    default_converter,
    lsp_method,
)

from lsp_server.server import file_events
from lsp_server.server.documents import Change, Documents
from lsp_server.server.file_events import FileEvents
from lsp_server.server.logs import describe
from lsp_server.server.memory import forget_class_making
from lsp_server.server.transport import Transport

log = logging.getLogger(__name__)

forget_class_making(types)

COMPLETIONS: Final = (types.TEXT_DOCUMENT_INLINE_COMPLETION, types.TEXT_DOCUMENT_COMPLETION)
LONGEST_LIST: Final = 5_000
"""Lists of other messages are never as long; each item takes about 20 us of the loop to read."""

MOST_CHANGES: Final = 5_000
"""A document with more changes in one message is closed until the editor opens it again."""

_NOT_INITIALIZED, _INVALID_REQUEST, _INVALID_PARAMS, _PARSE_ERROR = -32002, -32600, -32602, -32700


class DocumentHost(Protocol):
    """What the protocol needs of the server: lifecycle and documents."""

    transport: Transport
    documents: Documents
    file_events: FileEvents
    fallback: bool

    def prepare(self, params: types.InitializeParams) -> None:
        """Take the parameters of ``initialize``."""

    def opened(self, item: types.TextDocumentItem, notebook: str | None = None) -> None:
        """A document or a cell was opened."""

    def changed(self, which: types.VersionedTextDocumentIdentifier, changes: list[Change]) -> None:
        """A document or a cell was edited."""

    def closed(self, uri: str) -> None:
        """A document or a cell was closed."""


def converter() -> Converter:
    """Make pygls's converter; parameters of methods outside the protocol stay plain dictionaries."""
    made: Converter = default_converter()  # type: ignore[no-untyped-call]

    def keep_request(message: Mapping[str, Any], _: type) -> JsonRPCRequestMessage:
        return JsonRPCRequestMessage(message["id"], message["method"], message["jsonrpc"], message.get("params"))

    def keep_notification(message: Mapping[str, Any], _: type) -> JsonRPCNotification:
        return JsonRPCNotification(message["method"], message["jsonrpc"], message.get("params"))

    made.register_structure_hook(JsonRPCRequestMessage, keep_request)
    made.register_structure_hook(JsonRPCNotification, keep_notification)
    return made


class OndolProtocol(LanguageServerProtocol):
    """pygls's protocol with Ondol's documents; pygls's own split lines wrongly and cost 16 ms per keystroke."""

    def __init__(self, server: LanguageServer, made: Converter) -> None:
        super().__init__(server, made)
        self.host: DocumentHost = server  # type: ignore[assignment]
        self.faults = 0
        self._initialized = False
        self._cells: dict[str, list[types.NotebookCell]] = {}

    # Receiving

    def receive(self, body: bytes) -> None:
        """Handle one message."""
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            self._refuse(None, _PARSE_ERROR, "the message is not JSON")
            return
        if not isinstance(message, dict):
            self._refuse(None, _INVALID_REQUEST, "the message is not an object")
            return
        method, identifier = message.get("method"), message.get("id")
        asks = "id" in message and method is not None
        wrong = self._wrong(message, method, identifier, asks)
        if wrong is not None:
            if asks:
                valid = isinstance(identifier, int | str) and not isinstance(identifier, bool)
                self._refuse(identifier if valid else None, *wrong)
            return
        try:
            if method in file_events.METHODS:
                self.host.file_events.take(str(method), message.get("params"))
                return
            if method == types.TEXT_DOCUMENT_DID_CHANGE:
                self._document_changed(message["params"])
                return
            if method in COMPLETIONS:
                _mend(message)
            self.handle_message(self.structure_message(message))
        except Exception as error:
            self.faults += 1
            log.warning("a message could not be handled: %s", describe(error))
            if asks and method in COMPLETIONS:
                self._reply({"id": identifier, "result": {"items": []} if method == COMPLETIONS[0] else None})
            elif asks:
                self._refuse(identifier, _INVALID_PARAMS, "the parameters do not fit the method")

    def _wrong(self, message: dict[str, Any], method: Any, identifier: Any, asks: bool) -> tuple[int, str] | None:
        """The error code and sentence for a message that may not be handled (now); None if it may."""
        if asks and (isinstance(identifier, bool) or not isinstance(identifier, int | str)):
            return _INVALID_REQUEST, "the id is neither a number nor a string"
        if message.get("jsonrpc") != "2.0" or not isinstance(method, str | None):
            return _INVALID_REQUEST, "this is not JSON-RPC 2.0"
        if asks and method in types.METHOD_TO_TYPES and types.METHOD_TO_TYPES[method][1] is None:
            return _INVALID_REQUEST, "this method is a notification, which has no id"
        if method != types.TEXT_DOCUMENT_DID_CHANGE and method not in file_events.METHODS and _has_long_list(message):
            return _INVALID_PARAMS, f"a list has more than {LONGEST_LIST:,} items"
        if method == types.INITIALIZE and self._initialized:
            return _INVALID_REQUEST, "initialize was sent before"
        if method not in (None, types.INITIALIZE, types.EXIT) and not self._initialized:
            return _NOT_INITIALIZED, "initialize comes first"
        if self._shutdown and method != types.EXIT:
            return _INVALID_REQUEST, "the server is shutting down"
        return None

    def _refuse(self, identifier: Any, code: int, said: str) -> None:
        self.faults += 1
        log.warning("a message was refused: %s", said)
        self._reply({"id": identifier, "error": {"code": code, "message": said}})

    def _reply(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.host.transport.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    # Lifecycle

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Generator[Any, Any, types.InitializeResult]:
        """Answer at once; slow work begins afterwards."""
        self._initialized = True
        self.host.prepare(params)
        result: types.InitializeResult = yield from super().lsp_initialize(params)
        encoding = result.capabilities.position_encoding or types.PositionEncodingKind.Utf16
        self.host.documents.encoding = str(getattr(encoding, "value", encoding))
        if result.capabilities.workspace is not None:
            result.capabilities.workspace.file_operations = self.host.file_events.offered()
        if not self.host.fallback:
            result.capabilities.completion_provider = None
        return result

    @lsp_method(types.EXIT)
    def lsp_exit(self, *_: Any) -> None:  # type: ignore[override]
        """End the process with 0 after shutdown, else with 1, as the protocol demands."""
        self.host.transport.stop(self.exit_code)

    @property
    def exit_code(self) -> int:
        """The exit code of the process when the editor closes the stream."""
        return 0 if self._shutdown else 1

    # Documents

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        """Keep the document."""
        self.host.opened(params.text_document)

    def _document_changed(self, params: dict[str, Any]) -> None:
        """Follow the edits; read here, since a message may have thousands, at 20 us each in pygls's converter."""
        uri, changes = params["textDocument"]["uri"], params["contentChanges"]
        if len(changes) > MOST_CHANGES:
            log.warning("a document was closed: one message has %d changes of it", len(changes))
            self.host.closed(uri)
            return
        which = types.VersionedTextDocumentIdentifier(int(params["textDocument"].get("version") or 0), uri)
        self.host.changed(which, [_plain_change(event) for event in changes])

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        """Forget the document."""
        self.host.closed(params.text_document.uri)

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_OPEN)
    def lsp_notebook_document__did_open(self, params: types.DidOpenNotebookDocumentParams) -> None:
        """Keep the cells, in their order."""
        uri = params.notebook_document.uri
        self._cells[uri] = list(params.notebook_document.cells)
        for cell in params.cell_text_documents:
            self.host.opened(cell, uri)
        self._order_cells(uri)

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def lsp_notebook_document__did_change(self, params: types.DidChangeNotebookDocumentParams) -> None:
        """Follow cells that come, go and move, and the edits in them."""
        uri, cells = params.notebook_document.uri, params.change.cells
        if cells is None:
            return
        if cells.structure is not None:
            array = cells.structure.array
            known = self._cells.setdefault(uri, [])
            known[array.start : array.start + array.delete_count] = list(array.cells or [])
            for cell in cells.structure.did_open or []:
                self.host.opened(cell, uri)
            for closed in cells.structure.did_close or []:
                self.host.closed(closed.uri)
        for text in cells.text_content or []:
            self.host.changed(text.document, [_change(event) for event in text.changes])
        self._order_cells(uri)

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def lsp_notebook_document__did_close(self, params: types.DidCloseNotebookDocumentParams) -> None:
        """Forget the cells."""
        self._cells.pop(params.notebook_document.uri, None)
        for cell in params.cell_text_documents:
            self.host.closed(cell.uri)

    def _order_cells(self, uri: str) -> None:
        code = [cell.document for cell in self._cells.get(uri, []) if cell.kind == types.NotebookCellKind.Code]
        self.host.documents.set_cells(uri, code)


def _change(event: Any) -> Change:
    if not isinstance(event, types.TextDocumentContentChangePartial):
        return Change(event.text)
    start, end = event.range.start, event.range.end
    return Change(event.text, (start.line, start.character), (end.line, end.character))


def _plain_change(event: dict[str, Any]) -> Change:
    text, span = event["text"], event.get("range")
    if not isinstance(text, str):
        raise TypeError("a change whose text is no text")
    if span is None:
        return Change(text)
    start, end = ((int(span[side]["line"]), int(span[side]["character"])) for side in ("start", "end"))
    return Change(text, start, end)


def _has_long_list(value: Any, depth: int = 6) -> bool:
    """Whether a list in a message is longer than any that an editor sends."""
    if isinstance(value, dict):
        return depth > 0 and any(_has_long_list(inner, depth - 1) for inner in value.values())
    if isinstance(value, list):
        return len(value) > LONGEST_LIST or (depth > 0 and any(_has_long_list(inner, depth - 1) for inner in value))
    return False


def _mend(message: dict[str, Any]) -> None:
    """Accept what older clients send: before 3.18 a trigger kind of 0 meant Invoked."""
    params = message.get("params")
    context = params.get("context") if isinstance(params, dict) else None
    if message["method"] != types.TEXT_DOCUMENT_INLINE_COMPLETION or not isinstance(params, dict):
        return
    if not isinstance(context, dict):
        params["context"] = {"triggerKind": 2}
    elif context.get("triggerKind") not in (1, 2):
        context["triggerKind"] = 1 if context.get("triggerKind") == 0 else 2
