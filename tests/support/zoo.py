"""A small repository in which each file has words of its own, and a server that is asked for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lsp_server.commands.lsp_client import Client
from tests.support.indexes import updated
from tests.support.lsp_client import real
from tests.support.repositories import repository
from tests.support.waiting import eventually

WATCHES = {"workspace": {"workspaceFolders": True, "didChangeWatchedFiles": {"dynamicRegistration": True}}}
START = "def feed_{}(amount, keeper):\n"
MARKS = {
    "walrus": "ivory_register",
    "heron": "reed_calendar",
    "badger": "burrow_accounts",
    "otter": "river_journal",
    "lynx": "forest_protocol",
}


def code(animal: str) -> str:
    """A file that says how one animal is fed, in words that no other file has."""
    mark = MARKS[animal]
    return START.format(animal) + f"    {mark}.append_entry(amount, keeper, season)\n    return {mark}.total(keeper)\n"


def zoo(root: Path) -> Path:
    return repository(root, {f"zoo/{name}.py": code(name) for name in ("walrus", "heron", "badger")})


@contextmanager
def serving(tmp_path: Path, root: Path, watches: bool, index_of: Path | None = None) -> Iterator[Client]:
    """The server with an index that is up to date; the editor has one folder open."""
    updated(index_of or root, tmp_path / "data")
    with real(tmp_path) as client:
        client.initialize([root], capabilities=WATCHES if watches else None)
        client.wait_state("ready")
        eventually(lambda: "updating" not in client.of("ondol/status")[-1]["message"])
        yield client


def asked(client: Client, root: Path, animal: str) -> bool:
    """Whether the line that only the animal's file holds is offered in a new document."""
    uri = (root / "new.py").as_uri()
    text = START.format(animal) + "    "
    client.open(uri, text)
    items = client.complete(uri, 1, 4)
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    return any(MARKS[animal] in item["insertText"] for item in items or [])
