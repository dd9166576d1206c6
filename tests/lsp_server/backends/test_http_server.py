"""The real server process with a remote model that misbehaves: the answer of retrieval in time, and one message."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lsp_server.commands.lsp_client import Client
from tests.support.console import printed
from tests.support.http_model_server import STREAM, Handler, serving
from tests.support.lsp_client import explanation, messages, real
from tests.support.shop import TYPED, shop
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

DEADLINE_MS = 400


class Mood:
    """What the server does with the next request; changed by each test."""

    def __init__(self) -> None:
        self.answer: Callable[[Handler], None] = lambda handler: handler.stream("fine()")

    def __call__(self, handler: Handler) -> None:
        self.answer(handler)


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Path, Mood]]:
    place, mood = tmp_path_factory.mktemp("remote"), Mood()
    root = shop(place / "shop")
    with (
        serving(lambda handler: mood(handler)) as (url, _),
        real(place, "--backend", "remote", ONDOL_REMOTE_URL=url, ONDOL_REMOTE_MODEL="team") as client,
    ):
        client.initialize([root], options={"deadlineMs": DEADLINE_MS})
        client.wait_for(
            lambda m: m.get("method") == "ondol/status" and m["params"]["message"].endswith("5 files indexed; team"),
            300,
        )
        yield client, root, mood


def hang(handler: Handler) -> None:
    time.sleep(1.5)


def half(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", STREAM)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'data: {"choices": [{"text": "par')


BAD: dict[str, tuple[Callable[[Handler], None], str]] = {
    "hangs": (hang, ""),
    "trickles": (lambda h: h.stream(*"nothing of use", pause=0.2), ""),
    "nonsense": (lambda h: h.body(b"<html>hello", kind="text/html"), "gave no usable answer"),
    "500": (lambda h: h.body(b"oops", 500), "answers with status 500"),
    "redirect": (lambda h: h.body(b"", 307, Location="http://127.0.0.1:9/"), "redirect, which is not followed"),
    "closes half way": (half, "gave no usable answer"),
    "closes at once": (lambda h: h.connection.close(), "gave no usable answer"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_server_loses_no_copy_and_the_next_request_works(remote: tuple[Client, Path, Mood], name: str) -> None:
    client, root, mood = remote
    answer, said = BAD[name]
    mood.answer = answer
    uri = (root / f"new_{name.replace(' ', '_')}.py").as_uri()
    client.open(uri, TYPED)
    began = time.monotonic()
    items = client.complete(uri, 4, 20)
    took = time.monotonic() - began
    assert items[0]["insertText"].startswith('encoding="utf-8") as source:')
    assert took < 3 + DEADLINE_MS / 1000
    if said:
        eventually(lambda: messages(client, "127.0.0.1", said))
    else:
        assert "model_reason: late" in explanation(client)
    mood.answer = lambda handler: handler.stream("fine()")
    line = f"zz_{len(name)}_{name[0]} ="
    client.open(uri + "x.py", line)

    def works() -> bool:  # an earlier request may still be ending
        return any(item["insertText"] == "fine()" for item in client.complete(uri + "x.py", 0, len(line)) or ())

    eventually(works, 60)


def test_every_problem_was_shown_once(remote: tuple[Client, Path, Mood]) -> None:
    shown = messages(remote[0], "127.0.0.1")
    assert len(shown) == len(set(shown)) > 0
    assert remote[0].command("ondol.status")["faults"] == 0


def test_the_command_complete_uses_the_remote_model(tmp_path: Path) -> None:
    root = shop(tmp_path / "shop")
    (root / "new.py").write_text("zzqv = \n")
    with serving(lambda handler: handler.stream("team_answer(1)")) as (url, _):
        command = ["complete", "new.py:1:8", "--backend", "remote"]
        found = json.loads(printed(tmp_path, *command, "--json", cwd=root, ONDOL_REMOTE_URL=url))
        assert "team_answer(1)" in [suggestion["ghost_text"] for suggestion in found["suggestions"]]
        assert "by 127.0.0.1" in printed(tmp_path, *command, cwd=root, ONDOL_REMOTE_URL=url)
