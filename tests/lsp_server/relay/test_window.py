"""A window answers its editor, whatever its engines do."""

import json
import os
import select
import socket
import sys
import threading
from typing import Any

import pytest

from lsp_server.relay import conversation
from lsp_server.relay.channel import Channel
from lsp_server.relay.window import Window
from lsp_server.server.framing import Framer, framed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="windows share engines on POSIX systems alone")


def message(content: dict[str, Any]) -> bytes:
    return framed(json.dumps({"jsonrpc": "2.0", **content}).encode())


def received(descriptor: int) -> list[dict[str, Any]]:
    """The messages that arrive together; fails where none does."""
    framer, found = Framer(), []
    while not found:
        assert select.select([descriptor], [], [], 20)[0]
        found = framer.feed(os.read(descriptor, 65_536))
    return [json.loads(body) for body in found]


@pytest.mark.parametrize("asked_first", [True, False])
def test_an_editor_is_answered_though_the_engine_ends_before_it_answers_initialize(asked_first: bool) -> None:
    from_editor, editor_out = os.pipe()
    editor_in, to_editor = os.pipe()
    engines = [socket.socketpair(), socket.socketpair()]
    told = threading.Event()

    def another() -> int:
        told.wait(20)
        return engines[1][1].detach()

    window = Window(Channel(from_editor, to_editor), engines[0][1].detach(), another)
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(window.run()))
    thread.start()
    initialize = message({"id": 7, "method": "initialize", "params": {"processId": None, "capabilities": {}}})
    if asked_first:
        os.write(editor_out, initialize)
        assert received(engines[0][0].fileno())[0]["method"] == "initialize"
    engines[0][0].close()
    if not asked_first:
        while window._engine is not None:
            pass
        os.write(editor_out, initialize)
        while window._told.initialize_id is None:
            pass
    told.set()
    asked = received(engines[1][0].fileno())[0]
    assert asked["method"] == "initialize"
    engines[1][0].sendall(message({"id": conversation.INITIALIZE, "result": {"capabilities": {"hover": True}}}))
    answer = received(editor_in)
    assert [(one.get("id"), one.get("result")) for one in answer] == [(7, {"capabilities": {"hover": True}})]
    os.close(editor_out)
    thread.join(20)
    assert codes == [1]
    engines[1][0].close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_second_initialize_opens_no_second_descriptor_of_the_editor() -> None:
    from_editor, editor_out = os.pipe()
    editor_in, to_editor = os.pipe()
    engine, other = socket.socketpair()
    window = Window(Channel(from_editor, to_editor), other.detach(), lambda: -1)
    initialize = {"id": 1, "method": "initialize", "params": {"processId": os.getppid(), "capabilities": {}}}
    window._from_editor(json.dumps(initialize).encode())
    before = len(os.listdir("/proc/self/fd"))
    window._from_editor(json.dumps({**initialize, "id": 2}).encode())
    assert len(os.listdir("/proc/self/fd")) == before
    descriptor = window._editor_process
    assert descriptor is not None, "the editor is watched"
    engine.close()
    for opened in (from_editor, editor_out, editor_in, to_editor, descriptor):
        os.close(opened)
