"""Handlers for next edits, in the dialect of GitHub's Copilot language server, and for all places of an edit.

``textDocument/copilotInlineEdit`` answers with at most one edit. Its range covers what changes, whole words of it.
"""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from indexer.text.lines import line_end
from lsp_server.edits.changed_lines import GONE
from lsp_server.edits.offered import Offer
from lsp_server.positions import body_length, split_at, units
from lsp_server.server.app import Server
from lsp_server.server.documents import OpenDocument
from lsp_server.server.handlers import Handlers, guarded, id_of
from lsp_server.server.next_edits import ShownEdit

NEXT_EDIT = "textDocument/copilotInlineEdit"
ACCEPTED = "ondol.editAccepted"
DISMISSED = "ondol.editDismissed"
EVERYWHERE = "ondol.repeatEdit"

_WORD: Final = re.compile(r"\w")


def register(server: Server, handlers: Handlers) -> None:
    """Register the handlers of next edits with pygls."""
    edits = EditHandlers(server, handlers)
    for name, handler in ((NEXT_EDIT, edits.next_edit), ("textDocument/didShowInlineEdit", edits.shown)):
        server.feature(name, None)(functools.partial(handler))
    commands: tuple[tuple[str, Callable[..., Any]], ...] = (
        (ACCEPTED, edits.accepted),
        (DISMISSED, edits.dismissed),
        (EVERYWHERE, edits.everywhere),
    )
    for command, run in commands:
        server.command(command)(functools.partial(run))


class EditHandlers:
    """The handlers of next edits of one server."""

    def __init__(self, server: Server, handlers: Handlers) -> None:
        self._server = server
        self._handlers = handlers

    def failed(self, name: str, error: Exception) -> None:
        """Count and log the error of a handler."""
        self._handlers.failed(name, error)

    async def next_edit(self, params: Any) -> dict[str, Any]:
        """Answer with the next edit; with an empty list where there is none."""
        given = _Given.of(params)
        if given is None:
            return {"edits": []}
        try:
            shown = await self._server.next_edits.next_edit(given.uri, given.version, given.line, self._column(given))
            return {"edits": [self._edit(shown)] if shown is not None else []}
        except Exception as error:
            self.failed("the next edit", error)
            return {"edits": []}

    @guarded(lambda: None)
    def shown(self, params: Any) -> None:
        """Take the report that an edit is shown."""
        item = params.get("item") if isinstance(params, dict) else None
        command = item.get("command") if isinstance(item, dict) else None
        arguments = command.get("arguments") if isinstance(command, dict) else None
        if isinstance(arguments, list) and arguments and isinstance(arguments[0], str):
            self._server.next_edits.feedback.tell(arguments[0], "shown")

    @guarded(lambda: None)
    def accepted(self, *arguments: Any) -> None:
        """Take the report that an edit was accepted; the change of the document that follows teaches it again."""
        self._server.next_edits.accepted(id_of(arguments))

    @guarded(lambda: None)
    def dismissed(self, *arguments: Any) -> None:
        """Do not offer an edit again that the user refused."""
        self._server.next_edits.dismissed(id_of(arguments))

    async def everywhere(self, *arguments: Any) -> dict[str, Any]:
        """List all places of the newest edit, for a preview: title, and the edits of each file."""
        given = _Given.of(arguments[0] if arguments else None)
        if given is None:
            return {"title": "", "files": []}
        try:
            title, files = await self._server.next_edits.everywhere(given.uri, given.line)
        except Exception as error:
            self.failed("all places of an edit", error)
            return {"title": "", "files": []}
        listed = [
            {"uri": f.uri, "path": f.path, "edits": [self._listed(f.uri, offer) for offer in f.offers]} for f in files
        ]
        return {"title": title, "files": listed}

    def _column(self, given: "_Given") -> int:
        """The cursor's column in code points."""
        document = self._server.documents.get(given.uri)
        if document is None:
            return given.column
        line = min(given.line, len(document.buffer.lines) - 1)
        start = document.buffer.offset(line, 0)
        return document.buffer.offset(line, given.column) - start

    def _edit(self, shown: ShownEdit) -> dict[str, Any]:
        range_, text = self._change(shown.uri, shown.offer)
        return {
            "text": text,
            "textDocument": {"uri": shown.uri, "version": shown.version},
            "range": range_,
            "command": {"title": "Accept", "command": ACCEPTED, "arguments": [shown.id]},
        }

    def _listed(self, uri: str, offer: Offer) -> dict[str, Any]:
        range_, text = self._change(uri, offer)
        start, end = (range_[side]["character"] for side in ("start", "end"))
        one_line = range_["start"]["line"] == range_["end"]["line"]
        old = _between(offer.old, start, end, self._server.documents.encoding) if one_line else offer.old
        return {"range": range_, "newText": text, "oldText": old, "probability": round(offer.probability, 3)}

    def _change(self, uri: str, offer: Offer) -> tuple[dict[str, Any], str]:
        """The range that an offer replaces, and the new text with the document's line ends."""
        document = self._server.documents.get(uri)
        if offer.new == GONE:
            return self._whole_lines(document, offer), ""
        start, end, text = smallest_change(offer.old, offer.new)
        if "\n" in text and document is not None:
            text = text.replace("\n", line_end(document.buffer.lines[0]) if document.buffer.lines else "\n")
        encoding = self._server.documents.encoding
        first, last = (units(offer.old[:at], encoding) for at in (start, end))
        place = {"line": offer.line}
        return {"start": {**place, "character": first}, "end": {**place, "character": last}}, text

    def _whole_lines(self, document: OpenDocument | None, offer: Offer) -> dict[str, Any]:
        """The range of lines with their line ends; at a document's end with the line end before them."""
        line, behind = offer.line, offer.line + len(offer.lines)
        if line and document is not None and behind >= len(document.buffer.lines):
            above = document.buffer.lines[line - 1]
            encoding = self._server.documents.encoding
            end = units(offer.lines[-1], encoding)
            start = {"line": line - 1, "character": units(above[: body_length(above)], encoding)}
            return {"start": start, "end": {"line": behind - 1, "character": end}}
        return {"start": {"line": line, "character": 0}, "end": {"line": behind, "character": 0}}


@dataclass(frozen=True)
class _Given:
    """The position that a request names."""

    uri: str
    version: int | None
    line: int
    column: int

    @classmethod
    def of(cls, params: Any) -> "_Given | None":
        """Read a position; None where it is not one."""
        if not isinstance(params, dict):
            return None
        document, position = params.get("textDocument", params), params.get("position")
        if not isinstance(document, dict) or not isinstance(position, dict):
            return None
        uri, version = document.get("uri"), document.get("version")
        line, column = position.get("line"), position.get("character")
        if not isinstance(uri, str) or not isinstance(line, int) or not isinstance(column, int):
            return None
        if line < 0 or column < 0:
            return None
        return cls(uri, version if isinstance(version, int) else None, line, column)


def smallest_change(old: str, new: str) -> tuple[int, int, str]:
    """Return the range of ``old`` that becomes another text in ``new``, and that text; words are not cut."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    while start and _WORD.match(old[start - 1]) and _joins(old, new, start):
        start -= 1
    while end and _WORD.match(old[len(old) - end]) and _joins(old, new, -end):
        end -= 1
    return start, len(old) - end, new[start : len(new) - end]


def _joins(old: str, new: str, at: int) -> bool:
    """Whether a place between two characters is inside a word, before or after the change."""
    sides = [(text[:at][-1:], text[at:][:1]) for text in (old, new)]
    return any(left and right and _WORD.match(left) and _WORD.match(right) for left, right in sides)


def _between(line: str, start: int, end: int, encoding: str) -> str:
    """The text between two columns that are given in units."""
    return split_at(split_at(line, end, encoding)[0], start, encoding)[1]
