"""What an editor told is said again as it is now: the documents after any edits, cells, folders, switches."""

import random
from typing import Any

import pytest

from lsp_server.relay.conversation import AGAIN, INITIALIZE, KEPT, MOST_CHANGES, Conversation
from tests.support.lsp_client import edit


def said(method: str, params: Any = None, **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params, **more}


def begun() -> Conversation:
    told = Conversation()
    told.take(said("initialize", {"processId": 7, "capabilities": {}}, id=1))
    told.initialized_with({"id": 1, "result": {"capabilities": {"positionEncoding": "utf-16"}}})
    told.take(said("initialized", {}))
    return told


def opened(told: Conversation, uri: str, text: str) -> None:
    told.take(
        said("textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "python", "version": 1, "text": text}})
    )


def changed(told: Conversation, uri: str, version: int, *changes: Any) -> None:
    told.take(
        said(
            "textDocument/didChange",
            {"textDocument": {"uri": uri, "version": version}, "contentChanges": list(changes)},
        )
    )


def texts(told: Conversation) -> dict[str, tuple[int, str]]:
    opens = [one["params"]["textDocument"] for one in told.again() if one["method"] == "textDocument/didOpen"]
    return {item["uri"]: (item["version"], item["text"]) for item in opens}


def test_documents_are_said_as_they_are_after_any_edits() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    told, text = begun(), "one\ntwo 😀\nthree\n"
    opened(told, "file:///a.py", text)
    for version in range(2, 300):
        first, last = sorted(rng.randint(0, len(text)) for _ in range(2))
        new = "".join(rng.choice("ab😀é\n") for _ in range(rng.randint(0, 4)))

        def place(at: int, text: str = text) -> tuple[int, int]:
            before = text[:at]
            return before.count("\n"), len(before.rpartition("\n")[2].encode("utf-16-le")) // 2

        changed(told, "file:///a.py", version, edit(*place(first), new, place(last)))
        text = text[:first] + new + text[last:]
        assert texts(told) == {"file:///a.py": (version, text)}


def test_what_is_closed_is_not_said_and_the_order_is_the_protocols() -> None:
    told = begun()
    opened(told, "file:///a.py", "a")
    opened(told, "file:///b.py", "b")
    told.take(said("textDocument/didClose", {"textDocument": {"uri": "file:///a.py"}}))
    told.take(said("workspace/didChangeConfiguration", {"settings": {}}))
    told.take(said("workspace/executeCommand", {"command": "ondol.setEnabled", "arguments": []}, id=9))
    told.take(said("workspace/executeCommand", {"command": "ondol.explain"}, id=10))
    told.take(said("textDocument/inlineCompletion", {}, id=11))
    again = list(told.again())
    assert [one["method"] for one in again] == [
        "initialize",
        "initialized",
        "workspace/didChangeConfiguration",
        "workspace/executeCommand",
        "textDocument/didOpen",
    ]
    assert [one.get("id") for one in again if "id" in one] == [INITIALIZE, AGAIN]
    assert texts(told) == {"file:///b.py": (1, "b")}


def test_nothing_is_said_before_initialize() -> None:
    told = Conversation()
    opened(told, "file:///a.py", "a")
    assert not list(told.again())
    told.take(said("initialize", {"processId": None}, id="x"))
    assert [one["method"] for one in told.again()] == ["initialize"]


def test_cells_come_go_and_move() -> None:
    told = begun()
    uri = "file:///n.ipynb"
    cells = [{"kind": 2, "document": f"cell:{number}"} for number in range(3)]
    items = [
        {"uri": f"cell:{number}", "languageId": "python", "version": 1, "text": f"{number}"} for number in range(4)
    ]
    told.take(
        said(
            "notebookDocument/didOpen",
            {
                "notebookDocument": {"uri": uri, "notebookType": "j", "version": 1, "cells": cells},
                "cellTextDocuments": items[:3],
            },
        )
    )
    array = {"start": 1, "deleteCount": 1, "cells": [{"kind": 2, "document": "cell:3"}]}
    structure = {"array": array, "didOpen": items[3:], "didClose": [{"uri": "cell:1"}]}
    text = [{"document": {"uri": "cell:3", "version": 2}, "changes": [edit(0, 1, "!")]}]
    told.take(
        said(
            "notebookDocument/didChange",
            {
                "notebookDocument": {"uri": uri, "version": 2},
                "change": {"cells": {"structure": structure, "textContent": text}},
            },
        )
    )
    (notebook,) = [one["params"] for one in told.again() if one["method"] == "notebookDocument/didOpen"]
    assert [cell["document"] for cell in notebook["notebookDocument"]["cells"]] == ["cell:0", "cell:3", "cell:2"]
    assert {item["uri"]: item["text"] for item in notebook["cellTextDocuments"]} == {
        "cell:0": "0",
        "cell:2": "2",
        "cell:3": "3!",
    }
    told.take(said("notebookDocument/didClose", {"notebookDocument": {"uri": uri}, "cellTextDocuments": items}))
    assert [one["method"] for one in told.again()] == ["initialize", "initialized"]


@pytest.mark.parametrize("params", [None, [], {}, {"textDocument": 3}, {"textDocument": {"uri": 1, "text": 2}}])
def test_malformed_messages_change_nothing(params: Any) -> None:
    told = begun()
    opened(told, "file:///a.py", "a")
    for method in ("textDocument/didOpen", "textDocument/didChange", "notebookDocument/didChange", "initialize"):
        told.take(said(method, params, id=3))
    assert texts(told) == {"file:///a.py": (1, "a")}


def test_what_is_kept_is_bounded() -> None:
    told = begun()
    for _ in range(KEPT + 10):
        told.take(said("$/setTrace", {"value": "off"}))
    assert len(list(told.again())) == KEPT + 2
    opened(told, "file:///a.py", "a")
    changed(told, "file:///a.py", 2, *[edit(0, 0, "b")] * (MOST_CHANGES + 1))
    assert not texts(told)  # the engine has closed it as well
