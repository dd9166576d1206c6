"""Messages that no editor sends: every request with an id is answered, and no list holds the server up."""

from pathlib import Path
from typing import Any

import pytest
from lsprotocol.types import METHOD_TO_TYPES

from lsp_server.commands.lsp_client import edit
from tests.support.lsp_client import double, real
from tests.support.repositories import repository
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

URI = "untitled:Untitled-1"
ENDS = {"shutdown", "exit"}


def test_every_request_with_an_id_is_answered(tmp_path: Path) -> None:
    with double(tmp_path) as client:
        client.initialize()
        methods = sorted(set(METHOD_TO_TYPES) - ENDS) + ["$/unknown", "ondol/unknown", "textDocument/didShowCompletion"]
        junk: tuple[Any, ...] = (None, {}, [], {"textDocument": {"uri": 7}}, "text", 5)
        asked = [client.begin(method, params) for method in methods for params in junk]
        eventually(lambda: set(asked) <= set(client.replies))
        assert client.command("ondol.status")["state"]


def test_a_list_without_end_does_not_hold_the_server_up(tmp_path: Path) -> None:
    with double(tmp_path) as client:
        client.initialize()
        client.open(URI, "def add(")
        many = 150_000
        refused = client.wait(client.begin("workspace/executeCommand", {"command": "x", "arguments": [0] * many}))
        assert "more than" in refused["error"]["message"]
        client.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": "file:///a", "type": 3}] * many})
        client.notify("workspace/didDeleteFiles", {"files": [{"uri": "file:///a"}] * many})
        assert client.complete(URI, 0, 8)
        client.change(URI, 2, *([edit(0, 0, "")] * many))
        assert client.complete(URI, 0, 8) == []  # the document is closed until the editor opens it again
        client.open(URI, "def add(", version=3)
        assert client.complete(URI, 0, 8)


@pytest.mark.parametrize(
    "uri", ["file:///a%00b", "file:///%00", "file://[/a", "file:///" + "a" * 5000, "file:", "%", ""]
)
def test_an_odd_uri_is_a_document_like_any_other(tmp_path: Path, uri: str) -> None:
    with double(tmp_path) as client:
        client.initialize([tmp_path])
        client.open(uri, "def add(")
        assert client.complete(uri, 0, 8)
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        client.notify("workspace/didDeleteFiles", {"files": [{"uri": uri}]})
        assert client.command("ondol.status")["faults"] == 0


def test_a_loop_of_links_is_a_file_like_any_other(tmp_path: Path) -> None:
    root = repository(tmp_path / "repo")
    for name, target in (("self.py", "self.py"), ("one", "two"), ("two", "one")):
        (root / name).symlink_to(target)
    with real(tmp_path) as client:
        client.initialize([root])
        for name in ("self.py", "one", "one/a.py", "two/" * 100 + "a.py"):
            uri = (root / name).as_uri()
            client.open(uri, "def weigh(walrus):\n    return walrus.mass\n\ndef weigh(walrus):\n    ")
            assert client.complete(uri, 4, 4) is not None
        assert b"a completion failed" not in client.errors and b"RuntimeError" not in client.errors
