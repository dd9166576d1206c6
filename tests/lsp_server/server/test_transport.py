"""After any byte stream the server goes on, or ends with 3; stdout carries frames only; logs hold no code."""

import json
import logging
import random
from pathlib import Path

import pytest

from lsp_server.commands.lsp_client import Client
from lsp_server.server.framing import MAX_BODY, Framer, FramingLost
from lsp_server.server.logs import RedactingFormatter
from tests.support.lsp_client import double

PING = {"jsonrpc": "2.0", "id": "ping", "method": "workspace/executeCommand", "params": {"command": "ondol.status"}}


def frame(body: bytes, header: bytes = b"Content-Length: %d\r\n\r\n") -> bytes:
    return header.replace(b"%d", str(len(body)).encode()) + body


def message(**fields: object) -> bytes:
    return frame(json.dumps({"jsonrpc": "2.0", **fields}).encode())


NOTE = json.dumps({"jsonrpc": "2.0", "method": "$/nothing", "params": {}}).encode()
INLINE = "textDocument/inlineCompletion"

SURVIVED = {
    "body is not JSON": frame(b"{{{"),
    "body is empty": b"Content-Length: 0\r\n\r\n",
    "body is not UTF-8": frame(b'{"jsonrpc":"2.0","method":"\xff\xfe"}'),
    "body is a number": frame(b"42"),
    "body is null": frame(b"null"),
    "body is a batch": frame(b"[" + NOTE + b"]"),
    "nested 100,000 deep": frame(b'{"jsonrpc":"2.0","method":"x","params":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "a number of 10,000 digits": frame(b'{"jsonrpc":"2.0","id":1' + b"0" * 10_000 + b',"method":"x"}'),
    "no jsonrpc": frame(b'{"id":7,"method":"shutdown"}'),
    "wrong jsonrpc": frame(b'{"jsonrpc":"1.0","id":7,"method":"shutdown"}'),
    "id is an object": message(id={"a": 1}, method="shutdown"),
    "id is null": message(id=None, method="shutdown"),
    "method is a list": message(id=8, method=["shutdown"]),
    "unknown request": message(id=9, method="ondol/no-such-method", params={"text": "SECRET"}),
    "unknown notification": message(method="ondol/no-such-note"),
    "reply to nothing": message(id=12345, result={"SECRET": 1}),
    "error reply to nothing": message(id=12346, error={"code": 1, "message": "SECRET"}),
    "parameters of a wrong type": message(id=10, method="workspace/executeCommand", params=[1, 2]),
    "didChange with no parameters": message(method="textDocument/didChange"),
    "didChange of a document that is not open": message(
        method="textDocument/didChange",
        params={"textDocument": {"uri": "file:///no", "version": 1}, "contentChanges": [{"text": "SECRET"}]},
    ),
    "negative position": message(
        id=11,
        method=INLINE,
        params={
            "textDocument": {"uri": "file:///a.py"},
            "context": {"triggerKind": 2},
            "position": {"line": -5, "character": -1},
        },
    ),
    "second initialize": message(id=13, method="initialize", params={"capabilities": {}}),
    "header in lower case": frame(NOTE, b"content-length: %d\r\n\r\n"),
    "header lines end with LF": frame(NOTE, b"Content-Length: %d\n\n"),
    "unknown headers": frame(NOTE, b"X-Odd: 1\r\nContent-Length: %d\r\nContent-Type: text/plain\r\n\r\n"),
    "the same length twice": frame(NOTE, b"Content-Length: %d\r\nContent-Length: %d\r\n\r\n"),
    "blank lines between messages": b"\r\n\r\n" + frame(NOTE),
}

LOST = {
    "length too small": b"Content-Length: 10\r\n\r\n" + NOTE + frame(NOTE),
    "length too large": b"Content-Length: %d\r\n\r\n" % (len(NOTE) + 5) + NOTE + frame(NOTE),
    "length far too large": b"Content-Length: 100000\r\n\r\n" + NOTE + frame(NOTE),
    "two different lengths": b"Content-Length: 5\r\nContent-Length: 50\r\n\r\n" + NOTE,
    "no length": b"Content-Type: x\r\n\r\n" + NOTE,
    "no header": NOTE + b"\r\n" + NOTE,
    "2 GiB": b"Content-Length: 2147483648\r\n\r\n",
    "10 ** 18": b"Content-Length: 1000000000000000000\r\n\r\n",
    "10 ** 30": b"Content-Length: 1000000000000000000000000000000\r\n\r\n",
    "negative length": b"Content-Length: -1\r\n\r\n",
    "empty length": b"Content-Length: \r\n\r\n",
    "binary": bytes(range(256)) * 50,
    "an endless header": b"X: " + b"a" * 100_000,
}


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory):
    with double(tmp_path_factory.mktemp("wire")) as client:
        client.initialize()
        yield client


def ping(client: Client, name: str) -> dict:
    client.replies.pop(name, None)
    client.send({**PING, "id": name})
    return client.wait(name)


@pytest.mark.parametrize("name", SURVIVED)
def test_a_malformed_message_does_not_stop_the_next_one(lasting: Client, name: str) -> None:
    lasting.send_bytes(SURVIVED[name])
    assert ping(lasting, name)["result"]["state"]
    assert not lasting.of("window/showMessage")
    assert not lasting.stray
    assert b"SECRET" not in lasting.errors


def test_every_malformed_request_was_answered(lasting: Client) -> None:
    for name in SURVIVED:
        lasting.send_bytes(SURVIVED[name])
    ping(lasting, "all")
    codes = {i: lasting.replies[i][1].get("error", {}).get("code") for i in (7, 8, 9, 10, 11, 13)}
    assert codes == {7: -32600, 8: -32600, 9: -32601, 10: -32602, 11: None, 13: -32600}
    assert lasting.replies[11][1]["result"] == {"items": []}


@pytest.mark.parametrize("name", LOST)
def test_lost_framing_ends_with_3_and_one_line(tmp_path: Path, name: str) -> None:
    with double(tmp_path) as client:
        client.initialize()
        client.send_bytes(LOST[name])
        client.send(PING)
        assert client.process.wait(60) == 3
        client._threads[1].join(60)
        assert client.errors.decode().count("lost the framing") == 1
        assert not client.of("window/showMessage")


def test_requests_before_initialize_are_refused_and_not_lost(tmp_path: Path) -> None:
    with double(tmp_path) as client:
        client.send({"id": 900, "method": "shutdown"})
        assert client.wait(900)["error"]["code"] == -32002
        assert client.initialize()["capabilities"]["inlineCompletionProvider"] == {}


def test_the_framer_gives_the_same_bodies_however_the_stream_is_cut() -> None:
    seed = 4711
    print("seed", seed)
    rng = random.Random(seed)
    bodies = [bytes(rng.randrange(256) for _ in range(rng.randrange(200))) for _ in range(60)]
    stream = b"".join(
        frame(body, rng.choice([b"Content-Length: %d\r\n\r\n", b"content-LENGTH:%d\n\n"])) for body in bodies
    )
    for _ in range(50):
        framer, got, at = Framer(), [], 0
        while at < len(stream):
            step = rng.randint(1, 300)
            got += framer.feed(stream[at : at + step])
            at += step
        assert got == bodies
        assert not framer.waiting


def test_mutated_streams_end_in_bodies_or_in_lost_framing() -> None:
    seed = 815
    print("seed", seed)
    rng = random.Random(seed)
    good = b"".join(frame(body) for body in (NOTE, b"{}", b"[1]"))
    for _ in range(20_000):
        data = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(data))
            kind = rng.randrange(3)
            if kind == 0:
                data[at] = rng.randrange(256)
            elif kind == 1:
                del data[at]
            else:
                data.insert(at, rng.randrange(256))
        framer = Framer()
        try:
            framer.feed(bytes(data))
        except FramingLost:
            continue
        assert len(framer._data) <= MAX_BODY


@pytest.mark.parametrize("kind", [INLINE, "ondol/x"])
def test_mutated_messages_leave_the_server_answering(lasting: Client, kind: str) -> None:
    seed = 99
    print("seed", seed)
    rng = random.Random(seed)
    lasting.open("file:///mutated.py", "def add(\n")
    whole = json.dumps(
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": kind,
            "params": {
                "textDocument": {"uri": "file:///mutated.py"},
                "position": {"line": 0, "character": 8},
                "context": {"triggerKind": 2},
            },
        }
    )
    for _ in range(150):
        body = bytearray(whole.encode())
        for _ in range(rng.randint(1, 3)):
            body[rng.randrange(len(body))] = rng.choice(b'{}[]":,0a\\\xff')
        lasting.send_bytes(frame(bytes(body)))
    assert ping(lasting, f"mutated {kind}")["result"]
    assert not lasting.of("window/showMessage")


def test_nothing_but_frames_reaches_stdout(tmp_path: Path) -> None:
    with double(tmp_path, "print") as client:
        client.initialize()
        client.open("file:///a.py", "def add(")
        for _ in range(3):
            assert client.complete("file:///a.py", 0, 8)
        assert client.stop() == 0
        assert not client.stray
        assert b"stray descriptor" in client.errors


def test_logs_hold_no_code() -> None:
    formatter = RedactingFormatter()
    try:
        raise ValueError("password = 'SECRET'")
    except ValueError:
        import sys

        theirs = logging.LogRecord("pygls.x", logging.ERROR, __file__, 1, "params %s", ("SECRET",), sys.exc_info())
        ours = logging.LogRecord("lsp_server.x", logging.ERROR, __file__, 1, "failed", (), sys.exc_info())
    for record in (theirs, ours):
        line = formatter.format(record)
        assert "SECRET" not in line
        assert "ValueError" in line
        assert "\n" not in line
