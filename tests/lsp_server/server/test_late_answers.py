"""Requests that wait for a model, over the real wire: how long, what ends the wait, and what comes after it."""

import time
from pathlib import Path

from lsp_server.commands.lsp_client import Client, edit
from tests.support.lsp_client import double
from tests.support.waiting import eventually

URI = "file:///shop/late.py"
READY = "ondol/completionReady"


def opened(client: Client, text: str, *, ready: bool = True) -> None:
    client.initialize([], options={"completionReady": True} if ready else {})
    client.wait_state("ready")
    client.open(URI, text)


def announced(client: Client) -> int:
    return len(client.of(READY))


def test_a_client_is_told_about_a_late_answer_and_gets_it_when_it_asks_again(tmp_path: Path) -> None:
    with double(tmp_path) as client:
        opened(client, "late \n")
        assert client.complete(URI, 0, 5, automatic=True) == []  # the wait is over before the answer is there
        client.wait_for(lambda m: m.get("method") == READY and m["params"] == {"uri": URI})
        (item,) = client.complete(URI, 0, 5, automatic=True)
        assert item["insertText"] == "at last"


def test_a_key_and_a_cancel_end_the_wait_at_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with double(tmp_path, DOUBLE_LOG=str(log)) as client:
        opened(client, "patient \n")
        began = time.monotonic()
        asked = client.ask(URI, 0, 8, automatic=True)
        eventually(lambda: log.read_text().count('"ask"') == 1)
        client.change(URI, 2, edit(0, 8, "x"))
        assert client.wait(asked)["result"] is None
        client.change(URI, 3, edit(0, 8, "", end=(0, 9)))
        asked = client.ask(URI, 0, 8, automatic=True)
        eventually(lambda: log.read_text().count('"ask"') == 2)
        client.notify("$/cancelRequest", {"id": asked})
        assert client.wait(asked)["error"]["code"] == -32800
        assert time.monotonic() - began < 50  # a request waits for a minute


def test_an_answer_that_the_text_has_left_behind_is_not_announced(tmp_path: Path) -> None:
    with double(tmp_path) as client:
        opened(client, "late \n")
        assert client.complete(URI, 0, 5, automatic=True) == []
        client.change(URI, 2, edit(0, 5, "x"))
        time.sleep(0.8)
        client.command("ondol.status")
        assert announced(client) == 0


def test_a_client_that_does_not_ask_for_it_is_told_nothing(tmp_path: Path) -> None:
    with double(tmp_path) as client:
        opened(client, "late \n", ready=False)
        assert client.complete(URI, 0, 5, automatic=True) == []
        time.sleep(0.8)
        client.command("ondol.status")
        assert announced(client) == 0


def test_other_requests_are_answered_while_one_waits(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with double(tmp_path, DOUBLE_LOG=str(log)) as client:
        opened(client, "patient \n")
        client.open("file:///shop/other.py", "def add(\n")
        waiting = client.ask(URI, 0, 8, automatic=True)
        eventually(lambda: log.read_text().count('"ask"') == 1)
        (item,) = client.complete("file:///shop/other.py", 0, 8, automatic=True)
        assert item["insertText"].startswith("a, b)")
        client.change(URI, 2, edit(0, 8, "x"))
        assert client.wait(waiting)["result"] is None
