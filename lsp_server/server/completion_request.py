"""A completion request: as the editor made it, and while it is answered. Knows no protocol types."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from lsp_server.reasons import Reason
from lsp_server.server.documents import OpenDocument, key_of
from lsp_server.server.live_text import Snapshot
from lsp_server.server.refusals import Standing
from lsp_server.server.workspace import RequestContext

T = TypeVar("T")


@dataclass(slots=True)
class EditorRequest:
    """One request as the editor made it.

    :param line: from 0.
    :param column: in units of the position encoding, from 0.
    :param popup: two positions (line, column) and the text of the selected entry of the editor's list.
    :param channel: a request supersedes an older one of its channel only: the editor's list and ghost text are two.
    """

    uri: str
    line: int
    column: int
    automatic: bool
    popup: tuple[tuple[int, int], tuple[int, int], str] | None = None
    channel: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """The document and the channel, which have one newest request."""
        return key_of(self.uri), self.channel


@dataclass(slots=True)
class RunningRequest:
    """A request that is being answered.

    :param version: of the document, when the request came. :param offset: the cursor, in code points of the document.
    :param context: what the request needs from the workspace, and ``snapshot`` the text; both are replaced when the
        rules change while it is answered.
    :param standing: what was refused on its line. :param record: what is traced of it.
    :param ended: set to a reason when the request is superseded, outdated or withdrawn.
    """

    request: EditorRequest
    document: OpenDocument
    version: int | None
    context: RequestContext
    snapshot: Snapshot
    offset: int
    standing: Standing
    record: dict[str, Any]
    ended: "asyncio.Future[Reason]"


def timed(record: dict[str, Any], work: Callable[[], T]) -> T:
    """Do a request's work on the engine's thread, and record how long it took by the clock and on the processor.

    The difference to the request's own time is what it waited for; that between both, what took the processor from it.
    """
    began, began_cpu = time.perf_counter(), time.thread_time()
    try:
        return work()
    finally:
        record["engine_ms"] = round(1e3 * (time.perf_counter() - began), 2)
        record["engine_cpu_ms"] = round(1e3 * (time.thread_time() - began_cpu), 2)
