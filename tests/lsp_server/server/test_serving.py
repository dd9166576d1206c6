"""What editors rely on, over the real transport, with an engine of fixed behaviour (``double_server.py``)."""

import json
import random
import time
from pathlib import Path

import pytest

from lsp_server.commands.lsp_client import Client, edit
from tests.support.lsp_client import double
from tests.support.waiting import eventually

URI = "file:///work/a.py"


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory):
    """One server for the tests that do not change its state."""
    with double(tmp_path_factory.mktemp("serving")) as client:
        yield started(client)


def started(client: Client, **more: object) -> Client:
    client.initialize(**more)  # type: ignore[arg-type]
    client.wait_state("ready")
    return client


def facts(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


# The shape of answers


def test_an_item_is_plain_text_a_range_on_one_line_and_a_command(lasting: Client) -> None:
    client = lasting
    client.open(URI, "x\ndef add(\n")
    (item,) = client.complete(URI, 1, 8, automatic=True)
    assert item["insertText"] == "a, b):\n    return a + b"
    assert item["range"] == {"start": {"line": 1, "character": 8}, "end": {"line": 1, "character": 8}}
    assert item["command"]["command"] == "ondol.accepted"
    assert set(item["command"]["arguments"][0]) == {"id"}
    client.change(URI, 2, edit(0, 0, "y = mid(, z)\n"))
    (item,) = client.complete(URI, 0, 8)
    assert item["insertText"] == "1, 2, z)"
    assert item["range"]["end"] == {"line": 0, "character": 12}


def test_automatic_gives_one_item_and_invoked_up_to_three(lasting: Client) -> None:
    client = lasting
    client.open(URI, "three")
    assert len(client.complete(URI, 0, 5, automatic=True)) == 1
    assert len(client.complete(URI, 0, 5, automatic=False)) == 3


def test_nothing_is_an_empty_list_and_not_null(lasting: Client) -> None:
    client = lasting
    client.open(URI, "nothing here")
    assert client.complete(URI, 0, 12) == []
    assert client.complete("file:///never/opened.py", 0, 0) == []
    assert client.complete("untitled:Untitled-1", 0, 0) == []
    assert not client.of("window/showMessage")


@pytest.mark.parametrize(("encoding", "column"), [("utf-8", 17), ("utf-16", 12), ("utf-32", 11)])
def test_every_position_encoding_is_negotiated(tmp_path: Path, encoding: str, column: int) -> None:
    with double(tmp_path) as client:
        result = client.initialize(encodings=[encoding])
        assert result["capabilities"]["positionEncoding"] == encoding
        client.open(URI, "가é😀 emoji(\n")
        client.change(URI, 2, edit(0, column - 8, "x"))
        (item,) = client.complete(URI, 0, column)
        assert item["insertText"] == "😀)"
        assert item["range"]["start"]["character"] == column


def test_the_popups_entry_reaches_the_engine(lasting: Client) -> None:
    client = lasting
    client.open(URI, "a = fo")
    span = {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 6}}
    reply = client.wait(client.ask(URI, 0, 6, automatic=True, selectedCompletionInfo={"range": span, "text": "foo"}))
    (item,) = reply["result"]["items"]
    assert (item["insertText"], item["range"]) == ("foo_more", span)


def test_trigger_kinds_of_older_clients_are_taken(lasting: Client) -> None:
    client = lasting
    client.open(URI, "three")
    params = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 5}}
    assert len(client.request("textDocument/inlineCompletion", {**params, "context": {"triggerKind": 0}})["items"]) == 3
    assert len(client.request("textDocument/inlineCompletion", params)["items"]) == 1


def test_typing_through_a_suggestion_keeps_it_without_asking_the_engine(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with double(tmp_path, "log", DOUBLE_LOG=str(log)) as client:
        started(client)
        client.open(URI, "def add(\nrest\n")
        (first,) = client.complete(URI, 0, 8, automatic=True)
        for version, typed in enumerate("a, b", 2):
            client.change(URI, version, edit(0, 6 + version, typed))
            (item,) = client.complete(URI, 0, 7 + version, automatic=True)
            assert item["command"] == first["command"]
            assert item["insertText"] == first["insertText"][version - 1 :]
            assert item["range"]["start"] == item["range"]["end"] == {"line": 0, "character": 7 + version}
        assert sum(fact["event"] == "ask" for fact in facts(log)) == 1
        client.change(URI, 9, edit(0, 12, "Q"))
        assert client.complete(URI, 0, 13, automatic=True) == []
        client.change(URI, 10, edit(0, 12, "", (0, 13)))
        assert client.complete(URI, 0, 12, automatic=True) == [], "it was typed past"


def test_a_text_stays_while_it_is_typed_though_another_with_the_same_end_was_refused(tmp_path: Path) -> None:
    with double(tmp_path) as client:
        started(client)
        client.open(URI, "con")
        shown = [client.complete(URI, 0, 3, automatic=True)]
        for at, key in enumerate("tiX continued", 3):
            client.change(URI, at, edit(0, at, key))
            shown.append(client.complete(URI, 0, at + 1, automatic=True))
        rests = [items[0]["insertText"] if items else "" for items in shown]
        assert rests[:4] == ["tinued word", "inued word", "nued word", ""]
        assert rests[4:8] == ["", "", "", ""], "it was typed past"
        assert rests[8:] == ["inued word", "nued word", "ued word", "ed word", "d word", " word"]


def test_what_was_refused_on_a_line_is_not_shown_there_again_but_on_request(tmp_path: Path) -> None:
    with double(tmp_path) as client:
        started(client)
        client.open(URI, "def add(\ndef add(\n")
        (item,) = client.complete(URI, 0, 8, automatic=True)
        client.change(URI, 2, edit(0, 8, "Q"))
        assert client.complete(URI, 0, 9, automatic=True) == []
        client.change(URI, 3, edit(0, 8, "", (0, 9)))
        assert client.complete(URI, 0, 8, automatic=True) == []
        assert "refused" in client.command("ondol.explain")
        assert len(client.complete(URI, 0, 8, automatic=False)) == 1
        (item,) = client.complete(URI, 1, 8, automatic=True)
        client.command("ondol.dismissed", item["command"]["arguments"][0]["id"])
        assert client.complete(URI, 1, 8, automatic=True) == []
        assert "Escape" in client.command("ondol.explain")
        client.change(URI, 4, edit(1, 8, "a"))
        assert client.complete(URI, 1, 9, automatic=True) == []
        client.complete(URI, 2, 0, automatic=True)
        (item,) = client.complete(URI, 0, 8, automatic=True)
        accepted = item["insertText"]
        client.change(URI, 5, edit(0, 8, accepted))
        client.command("ondol.accepted", *item["command"]["arguments"])
        assert client.complete(URI, 1, 16, automatic=True) == []
        client.change(URI, 6, edit(0, 8, "", (1, len(accepted.split("\n")[1]))))
        assert client.complete(URI, 0, 8, automatic=True) == [], "undone"


# Cancellation, newest wins, old answers


def test_forty_cancelled_requests_do_not_delay_a_live_one(tmp_path: Path) -> None:
    """The requests are invoked, because an automatic one may be answered from memory before its cancellation arrives."""
    with double(tmp_path, "sleep=1") as client:
        started(client)
        client.open(URI, "def add(")
        client.complete(URI, 0, 8)
        old = []
        for _ in range(40):
            old.append(client.ask(URI, 0, 8))
            client.notify("$/cancelRequest", {"id": old[-1]})
        began = time.perf_counter()
        assert client.complete(URI, 0, 8)
        assert time.perf_counter() - began < 20  # one answer takes 1 s; forty would take 40
        for identifier in old:
            reply = client.wait(identifier)
            assert reply.get("error", {}).get("code") == -32800 or reply.get("result", 0) is None


def test_cancelled_work_is_answered_at_once_and_stops(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with double(tmp_path, "sleep=60 log", DOUBLE_LOG=str(log)) as client:
        started(client)
        client.open(URI, "def add(")
        for _ in range(5):
            began = time.perf_counter()
            identifier = client.ask(URI, 0, 8)
            time.sleep(random.Random(3).uniform(0.02, 0.08))
            client.notify("$/cancelRequest", {"id": identifier})
            assert client.wait(identifier)["error"]["code"] == -32800
            assert time.perf_counter() - began < 30
        client.command("ondol.status")
        deadline = time.monotonic() + 60
        while sum(fact["event"] == "stopped" for fact in facts(log)) < 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        asked, stopped = ([f for f in facts(log) if f["event"] == e] for e in ("ask", "stopped"))
        assert len(stopped) >= len(asked) - 1


def test_the_newest_request_of_a_document_wins_and_the_others_get_null(tmp_path: Path) -> None:
    with double(tmp_path, "sleep=1") as client:
        started(client)
        client.open(URI, "def add(")
        client.open("file:///work/b.py", "def add(")
        first, other = client.ask(URI, 0, 8, automatic=True), client.ask("file:///work/b.py", 0, 8, automatic=True)
        second = client.ask(URI, 0, 8, automatic=True)
        assert client.wait(first)["result"] is None
        assert client.wait(second)["result"]["items"]
        assert client.wait(other)["result"]["items"]


def test_an_answer_for_an_old_version_is_never_sent(tmp_path: Path) -> None:
    with double(tmp_path, "sleep=0.004 deaf") as client:
        started(client)
        client.open(URI, "version \n", version=1)
        asked: dict[int, int] = {}
        rng = random.Random(11)
        for version in range(2, 300):
            identifier = client.ask(URI, 0, 8, automatic=False)
            asked[identifier] = version - 1
            if rng.random() < 0.5:
                time.sleep(rng.uniform(0, 0.008))
            client.change(URI, version, edit(1, 0, "x"))
        last = client.ask(URI, 0, 8)
        (item,) = client.wait(last)["result"]["items"]
        assert item["insertText"] == "v299"
        shown = 0
        for identifier, version in asked.items():
            reply = client.wait(identifier)
            if reply["result"] is not None:
                shown += 1
                assert [i["insertText"] for i in reply["result"]["items"]] == [f"v{version}"]
        print("answered in time:", shown, "of", len(asked))


def test_a_request_is_made_again_if_the_settings_change_while_it_is_answered(tmp_path: Path) -> None:
    with double(tmp_path, "sleep=1 log", DOUBLE_LOG=str(tmp_path / "log")) as client:
        started(client)
        client.open(URI, "def add(")
        asked = client.ask(URI, 0, 8, automatic=True)
        eventually(lambda: any(fact["event"] == "ask" for fact in facts(tmp_path / "log")))
        client.notify("workspace/didChangeConfiguration", {"settings": {"ondol": {"multi_line": False}}})
        assert client.wait(asked)["result"]["items"]
        asked = client.ask(URI, 0, 8, automatic=False)
        client.notify("workspace/didChangeConfiguration", {"settings": {"ondol": {"disabled_languages": ["python"]}}})
        assert client.wait(asked)["result"]["items"] == []


def test_an_edit_reaches_the_engine_though_the_next_request_is_superseded(tmp_path: Path) -> None:
    with double(tmp_path, "sleep=1 deaf log", DOUBLE_LOG=str(tmp_path / "log")) as client:
        started(client)
        client.open("file:///other/b.py", "needle old\n")
        client.open(URI, "find ")
        first = client.ask(URI, 0, 5)
        eventually(lambda: any(fact["event"] == "ask" for fact in facts(tmp_path / "log")))
        client.change("file:///other/b.py", 2, edit(0, 7, "x"))
        second, third = client.ask(URI, 0, 5), client.ask(URI, 0, 5)
        assert [client.wait(one)["result"] for one in (first, second)] == [None, None]
        assert [item["insertText"] for item in client.wait(third)["result"]["items"]] == [" xold"]


@pytest.mark.slow
def test_an_engine_that_never_answers_is_late(tmp_path: Path) -> None:
    with double(tmp_path, "sleep=60 deaf") as client:
        started(client)
        client.open(URI, "def add(")
        began = time.perf_counter()
        assert client.complete(URI, 0, 8) == []
        assert time.perf_counter() - began < 30


# Faults


@pytest.mark.slow
def test_a_failing_engine_is_reported_once_and_stops_nothing(tmp_path: Path) -> None:
    with double(tmp_path, "raise=0.2") as client:
        started(client)
        client.open(URI, "def add(")
        empty = 0
        for version in range(2, 602):
            client.change(URI, version, edit(0, 0, "", (0, 0)))
            empty += client.complete(URI, 0, 8) == []
        assert 60 <= empty <= 200
        assert len(client.of("window/showMessage")) == 1
        assert client.command("ondol.status")["faults"] == empty
        assert b"SECRET_SOURCE_TEXT" not in client.errors
        assert "The engine failed" in client.command("ondol.explain", {"id": "last"}) or empty


# Big and odd buffers


@pytest.mark.parametrize(
    "text",
    ["x" * 5_000_000, "x = 1\n" * 200_000, "[" * 1_000_000, "a\ud83db\n", "가" * 20_001],
    ids=["5 MB on one line", "1.2 MB", "a million brackets", "a lone surrogate", "a long Korean line"],
)
def test_a_document_that_is_too_large_gets_no_completion_and_one_message(tmp_path: Path, text: str) -> None:
    log = tmp_path / "log"
    with double(tmp_path, "log", DOUBLE_LOG=str(log)) as client:
        started(client)
        client.open(URI, text)
        for version in range(2, 22):
            client.change(URI, version, edit(0, 1, "y"))
            assert client.complete(URI, 0, 2, automatic=True) == []
        notes = [status for status in client.of("ondol/status") if "a.py" in status["message"]]
        assert len(notes) == 1
        assert not client.of("window/showMessage")
        assert not [fact for fact in facts(log) if fact["event"] == "ask"]
        client.change(URI, 99, {"text": "def add("})
        # Right behind 5 MB the first answer may be late.
        assert eventually(lambda: client.complete(URI, 0, 8, automatic=True))


def test_100_000_lines_are_edited_and_completed(tmp_path: Path) -> None:
    with double(tmp_path) as client:
        started(client)
        client.open(URI, "a=1;\n" * 100_000 + "def add(")
        for version in range(2, 102):
            client.change(URI, version, edit(99_990, 0, "\x00" if version % 9 == 0 else "z"))
        (item,) = client.complete(URI, 100_000, 8, automatic=True)
        assert item["range"]["start"]["line"] == 100_000


# Live buffers, notebooks


def test_what_is_typed_and_not_saved_is_found_from_another_document(lasting: Client) -> None:
    client = lasting
    client.open("file:///work/b.py", "")
    client.open(URI, "find ")
    client.change("file:///work/b.py", 2, edit(0, 0, "needletail = 5\n"))
    (item,) = client.complete(URI, 0, 5)
    assert item["insertText"] == "tail = 5"
    client.notify("textDocument/didClose", {"textDocument": {"uri": "file:///work/b.py"}})
    client.command("ondol.status")
    client.change(URI, 2, edit(0, 0, ""))
    deadline = time.monotonic() + 60
    while client.complete(URI, 0, 5) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert client.complete(URI, 0, 5) == []


def test_key_files_are_neither_completed_nor_used(lasting: Client) -> None:
    client = lasting
    client.open("file:///work/.env", "needle_password=5\ndef add(", language="properties")
    client.open(URI, "find ")
    assert client.complete(URI, 0, 5) == []
    assert client.complete("file:///work/.env", 1, 8) == []
    assert "excluded" in client.command("ondol.explain")


def test_cells_of_a_notebook_are_one_document(tmp_path: Path) -> None:
    log = tmp_path / "log"
    cells = [{"kind": 2, "document": f"nb:/n.ipynb#{n}"} for n in "ab"] + [{"kind": 1, "document": "nb:/n.ipynb#m"}]
    texts = {"a": "import os", "b": "x = 1\ndef add(", "m": "# words"}
    documents = [
        {"uri": f"nb:/n.ipynb#{n}", "languageId": "python", "version": 1, "text": text} for n, text in texts.items()
    ]
    with double(tmp_path, "log", DOUBLE_LOG=str(log)) as client:
        result = client.initialize(capabilities={"notebookDocument": {"synchronization": {}}})
        assert "notebookDocumentSync" in result["capabilities"]
        notebook = {"uri": "file:///work/n.ipynb", "version": 1, "notebookType": "jupyter-notebook", "cells": cells}
        client.notify("notebookDocument/didOpen", {"notebookDocument": notebook, "cellTextDocuments": documents})
        (item,) = client.complete("nb:/n.ipynb#b", 1, 8)
        assert item["range"]["start"] == {"line": 1, "character": 8}
        asked = [fact for fact in facts(log) if fact["event"] == "ask"]
        assert (asked[0]["uri"], asked[0]["language"]) == ("file:///work/n.ipynb", "python")
        change = {
            "cells": {
                "structure": {"array": {"start": 0, "deleteCount": 1}, "didClose": [{"uri": "nb:/n.ipynb#a"}]},
                "textContent": [{"document": {"uri": "nb:/n.ipynb#b", "version": 2}, "changes": [edit(0, 0, "y\n")]}],
            }
        }
        client.notify(
            "notebookDocument/didChange",
            {"notebookDocument": {"uri": notebook["uri"], "version": 2}, "change": change},
        )
        (item,) = client.complete("nb:/n.ipynb#b", 2, 8)
        assert item["range"]["start"] == {"line": 2, "character": 8}
        client.notify(
            "notebookDocument/didClose",
            {"notebookDocument": {"uri": notebook["uri"]}, "cellTextDocuments": [{"uri": "nb:/n.ipynb#b"}]},
        )
        assert client.complete("nb:/n.ipynb#b", 2, 8) == []
        assert not client.of("window/showMessage")


# Switches and the list of completions


def test_off_means_off_everywhere_and_by_language(lasting: Client) -> None:
    client = lasting
    client.open(URI, "def add(")
    client.command("ondol.setEnabled", {"enabled": False})
    assert client.wait_state("off")
    assert client.complete(URI, 0, 8) == []
    client.command("ondol.setEnabled", {"enabled": True})
    assert client.complete(URI, 0, 8)
    client.command("ondol.setEnabled", {"enabled": False, "language": "Python"})
    assert client.complete(URI, 0, 8) == []
    assert "for this language" in client.command("ondol.explain")
    client.command("ondol.setEnabled", {"enabled": True, "language": "python"})
    assert client.complete(URI, 0, 8)


def test_settings_of_the_editor_are_taken_and_changed(tmp_path: Path) -> None:
    with double(tmp_path) as client:
        started(client, options={"disabledLanguages": ["python"], "precison": 0.5})
        client.open(URI, "def add(")
        assert client.complete(URI, 0, 8) == []
        assert ["precison" in note["message"] for note in client.of("window/showMessage")] == [True]
        settings = {"ondol": {"disabledLanguages": [], "trace": {"server": "off"}}}
        client.notify("workspace/didChangeConfiguration", {"settings": settings})
        assert client.complete(URI, 0, 8)
        assert len(client.of("window/showMessage")) == 1
        client.notify("workspace/didChangeConfiguration", {"settings": {"ondol": {"disabledLanguages": ["python"]}}})
        assert client.complete(URI, 0, 8) == []
        client.notify("workspace/didChangeConfiguration", {"settings": {"ondol": {"disabledLanguages": None}}})
        assert client.complete(URI, 0, 8), "a setting without a value is the server's own one again"


def test_a_wrong_setting_of_the_editor_is_told_with_what_is_right_and_what_is_used(tmp_path: Path) -> None:
    with double(tmp_path) as client:
        started(client, options={"precision": 7, "maxLines": "many", "presision": 0.5})
        client.open(URI, "def add(")
        assert client.complete(URI, 0, 8)
        told = " ".join(note["message"] for note in client.of("window/showMessage"))
    assert "precision must lie between 0 and 1, not 7; 0.66 is used." in told
    assert 'max_lines must be a whole number, not "many"; 12 is used.' in told
    assert "presision is not a setting; it is ignored. Is precision meant?" in told


def test_the_completion_list_offers_the_same_text_where_it_is_wanted(tmp_path: Path) -> None:
    with double(tmp_path) as client:
        capabilities = client.initialize(options={"completionFallback": True})["capabilities"]
        assert "completionProvider" in capabilities
        client.open(URI, "def add(")
        params = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 8}}
        found = client.request("textDocument/completion", params)
        assert [item["textEdit"]["newText"] for item in found["items"]] == ["a, b):\n    return a + b"]
        assert found["items"][0]["label"] == "a, b):"
    with double(tmp_path) as client:
        assert "completionProvider" not in client.initialize()["capabilities"]


# The end


@pytest.mark.parametrize("how", ["shutdown", "stdin", "terminate"])
def test_the_server_ends_with_the_editor(tmp_path: Path, how: str) -> None:
    with double(tmp_path, "sleep=120 deaf") as client:
        started(client)
        for n in range(10):
            client.open(f"file:///work/{n}.py", "def add(")
            client.ask(f"file:///work/{n}.py", 0, 8)
        time.sleep(0.1)
        began = time.perf_counter()
        if how == "shutdown":
            assert client.request("shutdown") is None
            client.notify("exit")
            assert client.process.wait(60) == 0
        elif how == "stdin":
            client.process.stdin.close()  # type: ignore[union-attr]
            client.process.wait(60)
        else:
            client.process.terminate()
            client.process.wait(60)
        assert time.perf_counter() - began < 30
