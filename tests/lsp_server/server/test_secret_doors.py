"""No planted secret comes out of the server as users start it: not as ghost text, edit, prompt, trace or log."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from lsp_server.commands.lsp_client import Client
from tests.support.http_model_server import Handler, serving
from tests.support.lsp_client import real
from tests.support.planted_documents import KEY_KINDS, Plant, planted
from tests.support.planted_secrets import key_block
from tests.support.repositories import repository

SEED = random.SystemRandom().randrange(2**32)
LEAKED = 12
"""So many characters of a secret in a row are a leak, or all of a shorter one."""


@pytest.fixture
def rng() -> random.Random:
    print(f"seed {SEED}")
    return random.Random(SEED)


def leaks(text: str, plants: list[Plant]) -> list[str]:
    """The kinds of which a text holds a part."""
    found = []
    for plant in plants:
        for gone in plant.gone:
            size = min(len(gone), LEAKED)
            if any(gone[at : at + size] in text for at in range(0, len(gone) - size + 1, 4)):
                found.append(plant.kind)
    return found


def sample(rng: random.Random, count: int) -> list[Plant]:
    by_kind: dict[str, Plant] = {}
    for plant in rng.sample(everything := planted(rng), len(everything)):
        by_kind.setdefault(plant.kind, plant)
    return rng.sample(list(by_kind.values()), count)


def ask_everywhere(client: Client, root: Path, plants: list[Plant]) -> list[Any]:
    """Open each document, then type it again up to its secret in another one, and collect all answers."""
    answers: list[Any] = []
    for number, plant in enumerate(plants):
        client.open((root / plant.path).as_uri(), plant.text)
        other = (root / f"again{number}" / plant.path).as_uri()
        at = plant.text.find(plant.gone[0])
        typed = plant.text[:at]
        client.open(other, typed)
        for extra in ("", plant.gone[0][:3]):
            text = typed + extra
            client.change(other, 2 + len(extra), {"text": text})
            lines = text.split("\n")
            for automatic in (True, False):
                answers += client.complete(
                    other, len(lines) - 1, len(lines[-1].encode("utf-16-le")) // 2, automatic=automatic
                )
    return answers


@pytest.mark.slow
def test_no_answer_to_a_saved_or_an_unsaved_document_holds_a_secret(tmp_path: Path, rng: random.Random) -> None:
    plants = sample(rng, 24)
    saved, unsaved = plants[:8], plants[8:]
    root = repository(tmp_path / "repo", {plant.path: plant.text for plant in saved})
    with real(tmp_path) as client:
        client.initialize([root], options={"nextEdits": True, "traceText": True})
        client.wait_state("ready")
        answers = ask_everywhere(client, root, [*unsaved, *saved])
        assert leaks(json.dumps(answers, ensure_ascii=False), plants) == []
        log = client.errors.decode("utf-8", "replace")
    written = "\n".join(p.read_text("utf-8", "replace") for p in tmp_path.rglob("*.jsonl*"))
    assert "reason" in written
    assert leaks(written + log, plants) == []


def test_a_private_key_in_an_open_document_is_not_written_out_again(tmp_path: Path, rng: random.Random) -> None:
    with real(tmp_path) as client:
        client.initialize()
        client.wait_state("ready")
        for number, title in enumerate(KEY_KINDS):
            block, lines = key_block(rng, title)
            client.open((tmp_path / f"{number}.pem").as_uri(), block + "\n")
            typed = "\n".join(block.split("\n")[:4]) + "\n"
            for part, text in enumerate((typed, typed + lines[-1][:20])):
                uri = (tmp_path / f"{number}-{part}.txt").as_uri()
                client.open(uri, text)
                for automatic in (True, False):
                    last = len(text.split("\n")[-1])
                    found = client.complete(uri, text.count("\n"), last, automatic=automatic)
                    assert leaks(json.dumps(found), [Plant(title, "", "", tuple(lines))]) == []


@pytest.mark.slow
def test_no_prompt_on_the_wire_holds_a_secret(tmp_path: Path, rng: random.Random) -> None:
    plants = sample(rng, 12)
    root = repository(tmp_path / "repo", {plant.path: plant.text for plant in plants[:4]})

    def answer(handler: Handler) -> None:
        handler.body(json.dumps({"choices": [{"text": "x"}]}).encode())

    with (
        serving(answer) as (address, handler),
        real(tmp_path, "--backend", "remote", ONDOL_REMOTE_URL=address, ONDOL_REMOTE_MODEL="team") as client,
    ):
        client.initialize([root])
        client.wait_state("ready")
        for plant in plants:
            uri = (root / plant.path).as_uri()
            text = plant.text + "\n# note\nvalue = \n"
            client.open(uri, text)
            row = text.count("\n") - 1
            client.complete(uri, row, 8, automatic=False)
        seen = json.dumps(handler.seen, ensure_ascii=False)
    assert len(handler.seen) >= len(plants) // 2
    assert leaks(seen.replace("\\\\", "\\").replace('\\"', '"'), plants) == []
