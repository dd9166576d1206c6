"""The pages about the code itself: search, the index, and a playground that shows what would be suggested where.

They read the index and files of the repository that may be read, with secrets covered. They write nothing.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from finetune.dashboard.model_answers import ModelAnswers
from finetune.dashboard.page import Field, Form, Line, Listing, Page, Table
from indexer.config import Settings
from indexer.data_layout import index_directory
from indexer.errors import OndolError
from indexer.repository.walk import walk
from indexer.search.lookup import look_up
from indexer.storage.generations import Store
from lsp_server.commands.serving import read_document
from lsp_server.server.factories import make_engine, open_index
from lsp_server.server.masked_documents import SecretCover
from lsp_server.server.text_buffer import Text
from lsp_server.telemetry.explanations import explain
from lsp_server.types import Answer, Document, Request, settled

Query = Mapping[str, str]
HITS: Final = 8
HIT_LINES: Final = 12
AROUND: Final = 8
"""Hits of a search, lines of each, and lines around the cursor."""

ROWS: Final = 200
FILES: Final = 2_000
"""Rows of a table, and files that the playground proposes."""

_HEADS: Final = ("text", "probability", "written by", "from")


class CodePages:
    """The pages of one repository. The engine and its index are opened at the first use."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self._root, self._settings = root, settings
        self._lock = threading.Lock()
        self._model = ModelAnswers(root, settings)
        self._engine: Any = None
        self._index: Any = None

    def prepare(self) -> None:
        """Open the index and search once before the first page does: the first time takes half a second longer."""
        index = self._opened(Page(""))
        if index is not None:
            with self._lock:
                look_up(index, self._root.name, 1)

    def close(self) -> None:
        """End the model, where one was asked."""
        self._model.close()

    def search(self, query: Query) -> Page:
        """Return what the index finds for the text of the query."""
        text = query.get("text", "").strip()
        page = Page("Search", Form((Field("text", "A name, a line or a question", text),), "Search"))
        index = self._opened(page)
        if index is None or not text:
            return page
        with self._lock:
            hits = look_up(index, text, HITS)
        for hit, defined in hits:
            first = hit.chunk.start_line if defined is None else defined
            lines = hit.chunk.text.split("\n")[first - hit.chunk.start_line :][:HIT_LINES]
            place = _query(file=hit.chunk.path, line=first + 1)
            notes = () if defined is None else ("It is defined here.",)
            shown = [Line(first + 1 + number, line) for number, line in enumerate(lines)]
            page.listings.append(
                Listing(f"{hit.chunk.path}:{first + 1}", shown, notes, (("open", f"/playground?{place}"),))
            )
        if not hits:
            page.problems.append("Nothing was found: ask for other words, or look at the page Index for what is in it.")
        return page

    def index(self, query: Query) -> Page:
        """Return what is in the index, what is left out and why, and sizes."""
        page = Page("Index")
        index = self._opened(page)
        if index is None:
            return page
        counts, store = index.manifest.counts, Store(index_directory(self._settings, self._root))
        page.tiles[:] = [
            ("files", f"{len(index.documents):,}"),
            ("lines", f"{counts.get('lines', 0):,}"),
            ("chunks", f"{counts.get('chunks', 0):,}"),
            ("secrets covered", f"{counts.get('masked', 0):,}"),
            ("MB on disk", f"{store.size(index.manifest) / 1e6:,.1f}"),
        ]
        languages: Counter[str] = Counter()
        sizes: Counter[str] = Counter()
        for document in index.documents.values():
            languages[document.language] += 1
            sizes[document.language] += document.size
        rows = [(name, f"{count:,}", f"{sizes[name] / 1e6:,.2f}") for name, count in languages.most_common()]
        page.tables.append(Table("Languages", ("language", "files", "MB"), rows, "The index holds no file."))
        _, skips = walk(self._root, self._settings)
        reasons = Counter(skip.reason for skip in skips)
        counted = [(reason, f"{count:,}") for reason, count in reasons.most_common()]
        page.tables.append(Table("Left out, by reason", ("reason", "files"), counted, "No file is left out."))
        more = f"and {len(skips) - ROWS:,} more: `ondol index --skipped`" if len(skips) > ROWS else ""
        files = [(skip.path, skip.reason) for skip in skips[:ROWS]]
        page.tables.append(Table("Left out", ("file", "reason"), files, "No file is left out.", more))
        return page

    def playground(self, query: Query) -> Page:
        """Return a file around a cursor, with what would be suggested there and why nothing is."""
        path, line, column = query.get("file", "").strip(), query.get("line", ""), query.get("column", "")
        problems: list[str] = []
        index = self._opened(Page("", problems=problems))
        known = list(index.documents)[:FILES] if index is not None else []
        form = Form(
            (
                Field("file", "File", path, choices=known),
                Field("line", "Line", line, "number"),
                Field("column", "Column (empty: the end of the line)", column, "number"),
            ),
            "Show",
        )
        page = Page("Playground", form, problems=problems)
        if not path:
            page.problems.append("Choose a file and a line. The numbers of lines and the arrows move the cursor.")
            return page
        try:
            document = self._document(path)
        except (OndolError, OSError, ValueError) as error:
            page.problems.append(str(error) if isinstance(error, OndolError) else f"{path} cannot be read here.")
            return page
        with self._lock:
            cut, offset = self._show(page, document, _number(line, 1), _number(column, 0))
        if self._model.is_set:
            self._show_model(page, cut, offset, asked=query.get("model", "") == "1")
        return page

    def _show(self, page: Page, document: Document, line: int, column: int) -> tuple[Document, int]:
        """Add the listing around the cursor, and what is suggested there if the rest of its line is not written yet.

        Return the document without that rest, and the cursor's offset in it.
        """
        buffer = Text(document.text, "utf-32")
        line = max(1, min(line, len(buffer.lines)))
        body = buffer.lines[line - 1].rstrip("\r\n")
        at = len(body) if not column else max(0, min(column - 1, len(body)))
        offset = buffer.offset(line - 1, at)
        rest = body[at:]
        document = replace(document, text=document.text[:offset] + document.text[offset + len(rest) :])
        engine = self._ready()
        engine.update(document)
        automatic = settled(engine.complete(Request(document, offset, True), lambda: False))
        invoked = settled(engine.complete(Request(document, offset, False), lambda: False))
        ghost = (
            automatic.suggestions[0].text[offset - automatic.suggestions[0].start :] if automatic.suggestions else ""
        )
        record = _record(document, line, at + 1, automatic)
        notes = [
            "What stands behind the cursor on its line is grey: it counts as not written yet.",
            *explain(record)[1:-1],
        ]

        def to(new_line: int, new_column: int) -> str:
            return "/playground?" + _query(file=document.path, line=new_line, column=new_column)

        arrows = (("←", to(line, max(1, at))), ("→", to(line, at + 2)), ("↑", to(line - 1, 0)), ("↓", to(line + 1, 0)))
        first = max(0, line - 1 - AROUND)
        lines = []
        for number, text in enumerate(buffer.lines[first : line + AROUND], first + 1):
            plain = text.rstrip("\r\n")
            if number == line:
                lines.append(Line(number, plain[:at], to(number, 0), ghost, plain[at:], here=True))
            else:
                lines.append(Line(number, plain, to(number, 0)))
        page.listings.append(Listing(f"{document.path}:{line}:{at + 1}", lines, notes, arrows, to(line, at + 1)))
        empty = f"Nothing would be suggested on request either: {invoked.reason.sentence}"
        page.tables.append(Table("On request", _HEADS, _rows(invoked, offset), empty))
        return document, offset

    def _show_model(self, page: Page, document: Document, offset: int, *, asked: bool) -> None:
        """Add what the model writes; without being asked for, only the link that asks: it may take seconds."""
        if not asked:
            address = f"{page.listings[-1].here}&model=1"
            page.listings[-1] = replace(page.listings[-1], links=(*page.listings[-1].links, ("ask the model", address)))
            return
        for who, answer in self._model.at(document, offset, self._index, page.problems):
            page.tables.append(
                Table(who.capitalize(), _HEADS, _rows(answer, offset), f"Nothing: {answer.reason.sentence}")
            )

    def _document(self, path: str) -> Document:
        """A file of the repository with its secrets covered.

        :raises OndolError: it may not be read. :raises ValueError: it is not in the repository.
        """
        return SecretCover().document(read_document(self._root, self._root / path, self._settings))

    def _opened(self, page: Page) -> Any:
        """Open the index, once for each generation; None, with a sentence on the page, where there is none."""
        with self._lock:
            try:
                newest = Store(index_directory(self._settings, self._root)).manifest().generation
                if self._index is None or self._index.generation != newest:
                    self._index, self._engine = open_index(self._settings, self._root), None
            except OndolError as error:
                self._index = None
                page.problems.append(f"{error} `ondol index` makes one.")
            return self._index

    def _ready(self) -> Any:
        if self._engine is None:
            self._engine = make_engine(self._settings, self._index)
        return self._engine


def _rows(answer: Answer, offset: int) -> list[tuple[str, ...]]:
    """The suggestions of an answer as rows: text, probability, who wrote it, and where it stands."""
    rows: list[tuple[str, ...]] = []
    for suggestion in answer.suggestions:
        source = ", ".join(f"{one.path}:{one.line}" for one in suggestion.provenance[:3])
        text = suggestion.text[offset - suggestion.start :]
        rows.append((text.strip(), f"{100 * suggestion.probability:.0f} %", suggestion.engine, source))
    return rows


def _record(document: Document, line: int, column: int, answer: Answer) -> dict[str, Any]:
    """The answer as a trace has it, for its explanation."""
    best = answer.suggestions[0] if answer.suggestions else None
    found = {"probability": best.probability, "items": ["1"]} if best is not None else {}
    sources = [f"{one.path}:{one.line}" for one in best.provenance[:3]] if best is not None else []
    place = {"path": document.path, "line": line, "column": column, "automatic": True}
    return {"id": "", **place, "reason": answer.reason, "trace": answer.trace, "provenance": sources, **found}


def _query(**values: object) -> str:
    """The query of an address. A name that is not UTF-8 keeps its bytes."""
    return urlencode(values, errors="surrogateescape")


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else otherwise
