"""The server process: takes standard input and output, runs the server until the editor goes, and ends."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any, Final

from lsp_server.server import handlers
from lsp_server.server.app import Server
from lsp_server.server.factories import Parts
from lsp_server.server.logs import describe, set_up_logs
from lsp_server.server.transport import Wire, take_stdio

log = logging.getLogger(__name__)

SWITCH_INTERVAL_S: Final = 0.001
"""The loop must not wait the usual 5 ms for the engine's thread to give up the interpreter."""


async def _run(descriptors: tuple[int, int], overrides: Mapping[str, Any], parts: Parts) -> int:
    wire = Wire(*descriptors)
    server = Server(wire, overrides, parts)
    handlers.register(server)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(number, wire.stop, 0)
    try:
        return await wire.run(server.protocol.receive, lambda: server.protocol.exit_code)
    finally:
        server.close()


def serve(overrides: Mapping[str, Any], parts: Parts | None = None) -> None:
    """Serve an editor on stdin and stdout until it goes, then end the process.

    :param overrides: settings from the command line.
    """
    descriptors = take_stdio()
    set_up_logs()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        code = asyncio.run(_run(descriptors, overrides, parts or Parts()))
    except Exception as error:
        log.error("the server failed: %s", describe(error))
        code = 3
    sys.stderr.flush()
    os._exit(code)  # the engine's thread may be inside a native library, and must not hold up or crash the exit
