"""Handlers of the requests, commands and notifications of editors; they translate to and from Ondol's own types.

A handler that fails is counted and logged, and answers as if there were nothing to suggest: editors open a window for
every error reply, so for every keystroke.
"""

import asyncio
import functools
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, TypeVar, cast

from lsprotocol import types

from indexer.text.printable import printable
from lsp_server.server.app import Server
from lsp_server.server.completion_request import EditorRequest
from lsp_server.server.documents import OpenDocument, path_of
from lsp_server.server.item_memory import Item
from lsp_server.server.logs import describe
from lsp_server.server.rule_files import RULE_FILES
from lsp_server.telemetry.edit_feedback import EVENTS
from lsp_server.telemetry.explanations import explain

T = TypeVar("T")
log = logging.getLogger(__name__)

ACCEPTED = "ondol.accepted"
DISMISSED = "ondol.dismissed"
_TRIGGERS = (".", "(", " ")


def register(server: Server) -> "Handlers":
    """Register every handler with pygls."""
    handlers = Handlers(server)
    methods: tuple[tuple[str, Any, Callable[..., Any]], ...] = (
        (types.INITIALIZED, None, server.start),
        (types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions(), handlers.inline_completion),
        (types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=_TRIGGERS), handlers.completion),
        (types.TEXT_DOCUMENT_DID_SAVE, types.SaveOptions(include_text=False), handlers.saved),
        (types.WORKSPACE_DID_CHANGE_CONFIGURATION, None, handlers.configuration),
        (types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS, None, handlers.folders),
        ("textDocument/didShowCompletion", None, handlers.shown),
        ("textDocument/didPartiallyAcceptCompletion", None, handlers.partially_accepted),
    )
    for name, options, handler in methods:
        server.feature(name, options)(functools.partial(handler))  # pygls sets attributes on it, which methods refuse
    for name, handler in (
        (ACCEPTED, handlers.accepted),
        (DISMISSED, handlers.dismissed),
        ("ondol.index", handlers.index),
        ("ondol.explain", handlers.explain),
        ("ondol.status", handlers.status),
        ("ondol.setEnabled", handlers.set_enabled),
        ("ondol.sources", handlers.sources),
    ):
        server.command(name)(functools.partial(handler))
    return handlers


def guarded(default: Callable[[], Any]) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Wrap a handler: an error is counted and logged, and the answer is ``default()``."""

    def wrap(handler: Callable[..., T]) -> Callable[..., T]:
        @functools.wraps(handler)
        def guard(self: "Handlers", *arguments: Any) -> T:
            try:
                return handler(self, *arguments)
            except Exception as error:
                self.failed(handler.__name__, error)
                return cast(T, default())

        return guard

    return wrap


def _nothing() -> None:
    return None


class Handlers:
    """The handlers of one server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def failed(self, name: str, error: Exception) -> None:
        """Count and log the error of a handler."""
        self._server.protocol.faults += 1
        log.error("%s failed: %s", name, describe(error))

    # Completions

    async def inline_completion(self, params: types.InlineCompletionParams) -> types.InlineCompletionList | None:
        """Answer with ghost text. In Neovim an empty list hides the present ghost text, and null keeps it."""
        nothing = types.InlineCompletionList(items=[])
        context = params.context
        request = _request(params, context.trigger_kind != types.InlineCompletionTriggerKind.Invoked)
        chosen = context.selected_completion_info
        if chosen is not None:
            start, end = chosen.range.start, chosen.range.end
            request.popup = ((start.line, start.character), (end.line, end.character), chosen.text)
        return await self._guard(self._inline(request), nothing)

    async def _inline(self, request: EditorRequest) -> types.InlineCompletionList | None:
        items = await self._server.completions.complete(request)
        document = self._server.documents.get(request.uri)
        if items is None or (items and document is None):
            return None
        return types.InlineCompletionList(
            items=[
                types.InlineCompletionItem(insert_text=item.text, range=_range(document, item), command=_accept(item))
                for item in items
                if document is not None
            ]
        )

    async def completion(self, params: types.CompletionParams) -> types.CompletionList | None:
        """Answer with the same text in the editor's list, for clients without ghost text."""
        request = _request(params, True)
        request.channel = "list"
        return await self._guard(self._list(request), None)

    async def _list(self, request: EditorRequest) -> types.CompletionList | None:
        items = await self._server.completions.complete(request)
        document = self._server.documents.get(request.uri)
        if items is None or document is None:
            return None
        found = [
            types.CompletionItem(
                label=item.text.strip().split("\n")[0].rstrip("\r") or "…",
                kind=types.CompletionItemKind.Text,
                detail="Ondol",
                documentation=item.text,
                filter_text=item.text,
                sort_text="\x7f",
                insert_text_format=types.InsertTextFormat.PlainText,
                text_edit=types.TextEdit(_range(document, item), item.text),
                command=_accept(item),
            )
            for item in (_from_word(document, item) for item in items)
        ]
        return types.CompletionList(is_incomplete=True, items=found)

    async def _guard(self, work: Coroutine[Any, Any, T], default: T) -> T:
        try:
            return await work
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self.failed("a completion", error)
            return default

    # Notifications

    @guarded(_nothing)
    def saved(self, params: types.DidSaveTextDocumentParams) -> None:
        """Update a repository's index soon after a document was saved."""
        document = self._server.documents.get(params.text_document.uri)
        if document is not None:
            session = self._server.repositories.owner(document).session
            if PurePosixPath(params.text_document.uri).name in RULE_FILES:
                self._server.repositories.rules_changed(session)
            self._server.next_edits.saved(params.text_document.uri)
            self._server.repositories.saved(document)

    async def configuration(self, params: types.DidChangeConfigurationParams) -> None:
        """Take changed settings; a client that sends none is asked for its section ``ondol``."""
        given = params.settings
        if isinstance(given, dict) and "ondol" in given:
            given = given["ondol"]
        workspace = self._server.client_capabilities.workspace
        try:
            if not given and workspace is not None and workspace.configuration:
                asked = types.ConfigurationParams(items=[types.ConfigurationItem(section="ondol")])
                answer = await self._server.workspace_configuration_async(asked)
                given = answer[0] if answer else None
            if isinstance(given, dict):
                self._server.configure(given)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self.failed("configuration", error)

    @guarded(_nothing)
    def folders(self, params: types.DidChangeWorkspaceFoldersParams) -> None:
        """Open and close workspace folders."""
        for folder in params.event.removed:
            if (path := path_of(folder.uri)) is not None:
                self._server.repositories.remove_folder(path)
        for folder in params.event.added:
            if (path := path_of(folder.uri)) is not None:
                self._server.repositories.add_folder(path)
        self._server.watch_files()

    @guarded(_nothing)
    def shown(self, params: Any) -> None:
        """Count an item that the editor shows."""
        self._server.feedback.shown(_id_of_item(params))

    @guarded(_nothing)
    def partially_accepted(self, params: Any) -> None:
        """Count an item whose beginning the user accepted."""
        length = params.get("acceptedLength") if isinstance(params, dict) else None
        if isinstance(length, int):
            self._server.feedback.partially_accepted(_id_of_item(params), length)

    # Commands

    @guarded(_nothing)
    def accepted(self, *arguments: Any) -> None:
        """Count an accepted suggestion, and begin the next one."""
        self._server.feedback.accepted(id_of(arguments))
        self._server.completions.accepted(id_of(arguments))

    @guarded(_nothing)
    def dismissed(self, *arguments: Any) -> None:
        """Suggest nothing more on the line of a suggestion that the user dismissed (Escape)."""
        self._server.completions.dismissed(id_of(arguments))

    @guarded(_nothing)
    def index(self, *_: Any) -> None:
        """Update every index now."""
        for session in self._server.repositories.sessions():
            session.update_index()

    @guarded(lambda: "")
    def explain(self, *arguments: Any) -> str:
        """Explain why a completion was shown or not, as Markdown or, with ``plain``, as text; by default the last one.

        With ``full``, the numbers behind it are added.
        """
        given = arguments[0] if arguments and isinstance(arguments[0], dict) else {}
        record = self._server.traces.find(id_of(arguments))
        if record is None:
            return "No completion was requested yet."
        first, *rest = (printable(line) for line in explain(record, full=given.get("full") is True))
        if given.get("plain") is True:
            return "\n".join([first, "", *rest])
        return "\n".join([f"**{first}**", "", *(f"- {line}" for line in rest)])

    @guarded(list)
    def sources(self, *arguments: Any) -> list[str]:
        """List where a suggestion's text comes from, as file:line."""
        record = self._server.traces.find(id_of(arguments))
        return list(record.get("provenance", [])) if record is not None else []

    @guarded(lambda: {"state": "problem", "message": "see the log"})
    def status(self, *_: Any) -> dict[str, Any]:
        """The parameters of ``ondol/status``, with the faults and the next edits counted in this session."""
        faults = self._server.protocol.faults + self._server.completions.errors + self._server.next_edits.errors
        edits = {event: self._server.next_edits.feedback.counts[event] for event in EVENTS}
        return {**self._server.status(), "faults": faults, "edits": edits}

    @guarded(_nothing)
    def set_enabled(self, *arguments: Any) -> None:
        """Switch completions on or off, everywhere or for one language."""
        given = arguments[0] if arguments and isinstance(arguments[0], dict) else {}
        enabled, language = given.get("enabled"), given.get("language")
        if not isinstance(enabled, bool):
            return
        switches = self._server.completions.switches
        if isinstance(language, str) and language:
            (switches.languages.discard if enabled else switches.languages.add)(language.lower())
        else:
            switches.enabled = enabled
        self._server.state_changed()


def _request(params: Any, automatic: bool) -> EditorRequest:
    return EditorRequest(params.text_document.uri, params.position.line, params.position.character, automatic)


def _from_word(document: OpenDocument, item: Item) -> Item:
    """The item from the start of the word before it: Emacs's eglot replaces that word whatever the range."""
    text, start = document.buffer.text, item.start
    while start and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    return replace(item, text=text[start : item.start] + item.text, start=start)


def _range(document: OpenDocument | None, item: Item) -> types.Range:
    assert document is not None
    start, end = document.buffer.position(item.start), document.buffer.position(item.end)
    return types.Range(types.Position(*start), types.Position(*end))


def _accept(item: Item) -> types.Command:
    return types.Command(title="Accept", command=ACCEPTED, arguments=[{"id": item.id}])


def id_of(arguments: Any) -> str:
    """Return the id that a command's arguments name, or the empty string."""
    first = arguments[0] if arguments else None
    if isinstance(first, dict):
        first = first.get("id")
    return first if isinstance(first, str) else ""


def _id_of_item(params: Any) -> str:
    item = params.get("item") if isinstance(params, dict) else None
    command = item.get("command") if isinstance(item, dict) else None
    return id_of(command.get("arguments")) if isinstance(command, dict) else ""
