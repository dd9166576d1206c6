"""The model is asked about the cursor's line where the rules have no edit: over the real wire.

The first tests run the server with a double that answers questions about lines; the last ones the real server with the
small LLaMA of the fixtures, whose texts nobody can foresee.
"""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lsp_server.commands.lsp_client import Client, edit
from lsp_server.edits.edit_log import TOGETHER_S
from tests.support.lsp_client import double, explanation, real
from tests.support.waiting import eventually

SMALL = Path(__file__).parents[2] / "fixtures" / "small_llama"
LINES = ["x = Point(1, 2)", "import os", "y = Points(3, 4)", "name = 7", ""]
TYPED = "x = Point(1, 2, z=0)"
WANTED = "y = Points(3, 4, z=0)"
"""What the rules make of the third line, though they are not sure."""


class Session:
    """One document in whose first line an argument was added."""

    def __init__(self, client: Client, root: Path, name: str = "points.py") -> None:
        time.sleep(2 * TOGETHER_S)  # documents that change at the same time were not typed
        self.client, self.uri, self.version = client, (root / name).as_uri(), 1
        client.open(self.uri, "\n".join(LINES))
        self.put(0, TYPED)

    def put(self, line: int, text: str) -> None:
        self.version += 1
        self.client.change(self.uri, self.version, edit(line, 0, text, end=(line, len(LINES[line]))))

    def ask(self, line: int) -> list[dict[str, Any]]:
        document = {"uri": self.uri, "version": self.version}
        params = {"textDocument": document, "position": {"line": line, "character": 0}}
        found: list[dict[str, Any]] = self.client.request("textDocument/copilotInlineEdit", params)["edits"]
        return found

    def told(self) -> int:
        return len([note for note in self.client.of("ondol/nextEditReady") if note == {"uri": self.uri}])


@contextmanager
def doubled(folder: Path, behaviour: str, **options: Any) -> Iterator[tuple[Client, Path, Path]]:
    root, asked = folder / "repo", folder / "asked.jsonl"
    root.mkdir()
    with double(folder, behaviour, DOUBLE_LOG=str(asked)) as client:
        client.initialize([root], encodings=["utf-16"], options={"nextEdits": True, **options})
        client.wait_state("ready")
        yield client, folder, asked  # files outside of the repository: the double's index cannot be searched


def questions(asked: Path) -> list[dict[str, Any]]:
    facts = [json.loads(line) for line in asked.read_text().splitlines()]
    return [fact for fact in facts if fact["event"] == "line"]


def test_what_rules_are_not_sure_of_is_offered_if_the_model_writes_it_too(tmp_path: Path) -> None:
    with doubled(tmp_path, "lines=0.5") as (client, root, asked):
        session = Session(client, root)
        eventually(lambda: session.told() == 1)  # so that the editor asks on other lines
        began = time.monotonic()
        assert session.ask(2) == []
        assert time.monotonic() - began < 0.5  # nothing waits for the model
        assert "had not answered yet" in explanation(client)
        eventually(lambda: session.told() == 2)
        (offer,) = session.ask(2)
        assert offer["text"] == ", z=0"
        (question,) = questions(asked)
        assert question["line"] == LINES[2]
        assert question["pairs"] == [[LINES[0], TYPED]]
        told = explanation(client)
        assert "but the model wrote the same" in told
        assert "The model double was asked too, which read 7 tokens." in told
        assert "After 1 change of this session it wrote the text that the edits propose for this line." in told
        client.command("ondol.editDismissed", offer["command"]["arguments"][0])
        assert session.ask(2) == []  # what was refused is not offered again


def test_another_text_of_the_model_is_not_offered(tmp_path: Path) -> None:
    with doubled(tmp_path, "lines=0.0 disagrees") as (client, root, asked):
        session = Session(client, root)
        session.ask(2)
        eventually(lambda: questions(asked))

        def answered() -> bool:
            assert session.ask(2) == []
            return "it wrote another text for this line" in explanation(client)

        eventually(answered)
        assert len(questions(asked)) == 1


def test_an_editor_that_hears_of_nothing_gets_the_answer_with_its_request(tmp_path: Path) -> None:
    with doubled(tmp_path, "lines=0.3", nextEdits=None) as (client, root, _):
        (offer,) = Session(client, root).ask(2)
        assert offer["text"] == ", z=0"


def test_the_next_key_ends_the_question(tmp_path: Path) -> None:
    with doubled(tmp_path, "lines=0.5") as (client, root, asked):
        session = Session(client, root)
        assert session.ask(2) == []
        eventually(lambda: questions(asked))
        session.put(1, "import sys")
        time.sleep(1.0)
        assert session.told() <= 1  # that of the pause, none of the model
        assert len(questions(asked)) == 1


def test_the_model_is_not_asked_where_rules_have_an_offer_or_the_line_is_unlike(tmp_path: Path) -> None:
    with doubled(tmp_path, "lines=0.0") as (client, root, asked):
        session = Session(client, root)
        assert session.ask(3) == []
        assert session.ask(0) == []
        assert questions(asked) == []
        session.put(2, WANTED)
        again = Session(client, root, "again.py")
        (offer,) = again.ask(2)
        assert offer["text"] == ", z=0"
        assert "You changed" in explanation(client)
        assert questions(asked) == []


def test_next_edits_switched_off_switch_the_model_off(tmp_path: Path) -> None:
    with doubled(tmp_path, "lines=0.0", next_edits=False) as (client, root, asked):
        session = Session(client, root)
        assert session.ask(2) == []
        time.sleep(0.6)
        assert (session.told(), questions(asked)) == (0, [])


def test_a_secret_is_in_no_question(tmp_path: Path) -> None:
    secret = "AKIAQYLPMN5HHHFPZAM2"
    with doubled(tmp_path, "lines=0.0") as (client, root, asked):
        session = Session(client, root)
        session.put(1, f'key = "{secret}"')
        session.ask(2)
        eventually(lambda: questions(asked), 10)
        assert secret not in asked.read_text()
        assert [question["line"] for question in questions(asked)] == [LINES[2]]


# The real server with a real model


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Client, Path]]:
    pytest.importorskip("torch", reason="torch is not installed: a local model that is asked about lines is NOT tested")
    folder = tmp_path / "lines"
    folder.mkdir()
    (folder / "repo").mkdir()
    shutil.copytree(SMALL, folder / "base")
    options = {"backend": "local", "baseModel": str(folder / "base"), "nextEdits": True, "deadlineMs": 60_000}
    with real(folder) as client:  # what the command line says could not be switched off
        client.initialize([folder / "repo"], options=options)
        client.wait_state("ready")
        yield client, folder / "repo"


@pytest.mark.slow
@pytest.mark.model
def test_the_loaded_model_is_asked_and_completions_go_on(served: tuple[Client, Path]) -> None:
    client, root = served
    session = Session(client, root)
    eventually(lambda: session.told() == 1)

    def answered() -> str:
        session.ask(2)
        told = explanation(client)
        return told if "of this session it wrote" in told else ""

    told = eventually(answered)
    assert "The model base was asked too" in told
    session.version += 1
    client.change(session.uri, session.version, edit(4, 0, "def zzqv(a):\n    return 7 *"))
    assert eventually(lambda: client.complete(session.uri, 5, 14))


@pytest.mark.slow
@pytest.mark.model
def test_a_model_that_is_switched_off_is_not_asked(served: tuple[Client, Path]) -> None:
    client, root = served
    client.notify("workspace/didChangeConfiguration", {"settings": {"ondol": {"backend": "retrieval"}}})
    session = Session(client, root, "off.py")
    session.ask(2)
    told = explanation(client)
    assert "off.py" in told
    assert "The model" not in told
