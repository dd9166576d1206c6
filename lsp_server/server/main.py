"""The server's process: it serves one editor on standard input and output, and ends with it."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any, Final

from lsp_server.server import edit_handlers, handlers
from lsp_server.server.app import Server
from lsp_server.server.factories import Factories
from lsp_server.server.logs import describe, set_up_logs
from lsp_server.server.memory import collect_in_pauses, few_arenas
from lsp_server.server.stdio import take_stdio
from lsp_server.server.transport import Transport

log = logging.getLogger(__name__)

SWITCH_INTERVAL_S: Final = 0.001
"""How soon the engine's thread gives up the interpreter to the loop; Python's own value is 5 ms."""


async def _run(descriptors: tuple[int, int], overrides: Mapping[str, Any], factories: Factories, note: str) -> int:
    transport = Transport(*descriptors)
    server = Server(transport, overrides, factories)
    server.note = note
    edit_handlers.register(server, handlers.register(server))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(number, transport.stop, 0)
    try:
        return await transport.run(server.protocol.receive, lambda: server.protocol.exit_code)
    finally:
        server.close()


def serve(overrides: Mapping[str, Any], factories: Factories | None = None, note: str = "") -> None:
    """Serve an editor on stdin and stdout until it closes them, then end the process.

    :param overrides: settings from the command line.
    :param factories: replaced by tests.
    :param note: shown to the user at the start.
    """
    descriptors = take_stdio()
    few_arenas()
    collect_in_pauses()
    set_up_logs()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        code = asyncio.run(_run(descriptors, overrides, factories or Factories(), note))
    except Exception as error:
        log.error("the server failed: %s", describe(error))
        code = 3
    sys.stderr.flush()
    os._exit(code)  # the engine's thread may be inside a native library, and must not delay or crash the exit
