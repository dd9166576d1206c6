"""The real server process with a real (random, tiny) model: its start, its answers, its adapters, and bad input."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from indexer.config import Settings
from indexer.data_layout import registry_directory
from lsp_server.commands.lsp_client import Client, edit
from lsp_server.server.index_process import console_script
from tests.support.adapters import tiny_base, write_version
from tests.support.console import environment, printed
from tests.support.lsp_client import explanation, messages, real, state
from tests.support.shop import TYPED, shop
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

PATIENT = {"backend": "local", "deadlineMs": 60_000}
# Refused folders need no torch: the folder is checked first.


def half_downloaded(folder: Path) -> None:
    tiny_base(folder)
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def cut_off(folder: Path) -> None:
    tiny_base(folder)
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:-20])


def pickled(folder: Path) -> None:
    tiny_base(folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def disguised(folder: Path) -> None:
    tiny_base(folder)
    (folder / "model.safetensors").write_bytes(b"\x80\x02}q\x00." * 50)


def another_tokenizer(folder: Path) -> None:
    tiny_base(folder)
    (folder / "tokenizer.json").write_text("{}")


FOLDERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda folder: None, "there is no model "),
    "half downloaded": (half_downloaded, "is half downloaded: 1 of 2 weight files are missing (model-2.safetensors)"),
    "cut off": (cut_off, "is incomplete"),
    "pickled": (pickled, "holds pickled weights, which can run code"),
    "a pickle with another name": (disguised, "its header is not that of a safetensors file"),
    "no tokenizer in it": (another_tokenizer, "the tokenizer cannot be read"),
}


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Path]]:
    """One server whose settings name one bad folder after another."""
    place = tmp_path_factory.mktemp("refusing")
    root = shop(place / "shop")
    with real(place) as client:
        client.initialize([root], options={**PATIENT, "baseModel": str(place / "nothing yet")})
        client.wait_state("ready")
        yield client, root


@pytest.mark.parametrize("name", FOLDERS)
def test_a_bad_folder_is_one_message_and_copies_go_on(refusing: tuple[Client, Path], tmp_path: Path, name: str) -> None:
    client, root = refusing
    make, said = FOLDERS[name]
    make(tmp_path / "base")
    settings = {**PATIENT, "baseModel": str(tmp_path / "base")}
    client.notify("workspace/didChangeConfiguration", {"settings": {"ondol": settings}})
    eventually(lambda: messages(client, said, str(tmp_path)) or messages(client, said))
    assert len(messages(client, said)) == 1
    uri = (root / f"new_{len(name)}.py").as_uri()
    client.open(uri, TYPED)

    def copied() -> bool:
        items = client.complete(uri, 4, 20)
        assert items[0]["insertText"].startswith('encoding="utf-8") as source:')
        return "model_reason: problem" in explanation(client)

    eventually(copied)  # the model of the settings before may still be closing
    assert said.split(" (")[0] in client.command("ondol.status")["message"]


# The model at work


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch", reason="torch is not installed: the server with a local model is NOT tested")
    pytest.importorskip("transformers", reason="transformers is not installed: the local model is NOT tested")
    from tests.support.models import write_folder

    place = tmp_path_factory.mktemp("serving")
    shop(place / "shop")
    write_folder(place / "base", seed=3)
    return place


@pytest.fixture(scope="module")
def client(place: Path) -> Iterator[Client]:
    """A server whose model's folder cannot be read completely before the file ``go`` exists."""
    folder = place / "base"
    config = (folder / "config.json").read_bytes()
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")

    def feed() -> None:
        with (folder / "config.json").open("wb") as pipe:
            while not (place / "go").exists():
                time.sleep(0.02)
            (folder / "whole").write_bytes(config)
            (folder / "whole").rename(folder / "config.json")
            pipe.write(config)

    threading.Thread(target=feed, daemon=True).start()
    with real(place, "--backend", "local", "--base", str(folder)) as client:
        client.initialize([place / "shop"], options={"deadlineMs": 60_000})
        yield client


def opened(client: Client, place: Path, name: str, text: str) -> str:
    uri = (place / "shop" / name).as_uri()
    client.open(uri, text)
    return uri


@pytest.mark.model
def test_while_the_model_loads_its_state_is_reported_and_copies_answer(client: Client, place: Path) -> None:
    status = client.wait_state("model-loading")
    assert "5 files indexed; the model is being loaded" in status["message"]
    uri = opened(client, place, "early.py", TYPED)
    items = client.complete(uri, 4, 20)
    assert items[0]["insertText"].startswith('encoding="utf-8") as source:')
    assert "model_reason: loading" in explanation(client)
    (place / "go").touch()
    eventually(lambda: state(client) == "ready")
    assert client.of("ondol/status")[-1]["message"].endswith("; base")
    assert (
        len(messages(client, "easy fill-in-the-middle answers ended")) == 1
    )  # it is random: left to right, with a message


@pytest.mark.model
def test_the_model_writes_and_what_it_wrote_is_used_again(client: Client, place: Path) -> None:
    (place / "go").touch()
    # The model is random: in a comment whatever it writes fits.
    uri = opened(client, place, "late.py", "def zzqv(a):\n    # return 7")
    items = eventually(lambda: client.complete(uri, 1, 14))
    assert 1 <= len(items) <= 3
    explained = explanation(client)
    assert "model: base" in explained and "model_reused: False" in explained and "prompt_tokens:" in explained
    again = client.complete(uri, 1, 14)
    assert [item["insertText"] for item in again] == [item["insertText"] for item in items]
    assert "model_reused: True" in explanation(client)
    text = items[0]["insertText"]
    client.change(uri, 2, edit(1, 14, text[0]))  # the user types what it predicted
    rest = client.complete(uri, 1, 15)
    assert rest[0]["insertText"] == text[1:] or len(text) == 1
    if len(text) > 1:
        assert "model_reused: True" in explanation(client)


@pytest.mark.model
def test_an_accept_begins_the_next_completion(client: Client, place: Path) -> None:
    (place / "go").touch()
    eventually(lambda: state(client) == "ready")
    # Random text fits a comment; it may end in a word or a number, where nothing is suggested automatically.
    for number in range(2, 60):
        uri = opened(client, place, f"accepted_{number}.py", f"def qvzz(b):\n    # return {number} +")
        at = len(f"    # return {number} +")
        (first, *_) = client.complete(uri, 1, at) or [{"insertText": "none"}]
        text = first["insertText"]
        if text[-1] in "()[]{}<>+-*/=%&|!:;,~^":
            break
    client.change(uri, 2, edit(1, at, text))
    client.command("ondol.accepted", *first["command"]["arguments"])

    def answered() -> bool:
        client.complete(uri, 1, at + len(text), automatic=True)
        return "model_reused: True" in explanation(client)

    eventually(answered, 60)


@pytest.mark.model
def test_an_adapter_is_replaced_while_serving_and_reported_by_version(client: Client, place: Path) -> None:
    """A refused version is one message; the next good one is used, and every request gets an answer."""
    from lsp_server.weights.base_model import open_folder

    (place / "go").touch()
    eventually(lambda: state(client) == "ready")
    base = open_folder(place / "base")
    registry = registry_directory(Settings(data_dir=place / "data"), place / "shop")
    other = {"base": {"name": "another", "identity": "0" * 64}}
    write_version(registry, 1, base, manifest=other)
    eventually(lambda: messages(client, "version 1 is refused", "another base (another)"))
    write_version(registry, 2, base)
    uri = opened(client, place, "swapped.py", "def vqzz(c):\n    return 11 *")
    asked = 0

    def adapted() -> list[dict[str, Any]]:
        """The texts of the new adapter; empty as well where the untrained model writes what fits nowhere."""
        nonlocal asked
        asked += 1
        client.change(uri, asked + 1, edit(0, 0, "# x\n"))
        items = client.complete(uri, asked + 1, 15)
        return items if "adapter: 2" in explanation(client) else []

    (item, *_) = eventually(adapted)
    client.command("ondol.accepted", *item["command"]["arguments"])
    assert state(client) == "ready"
    assert len(messages(client, "version 1 is refused")) == 1

    def counted() -> bool:
        rows = json.loads(printed(place, "stats", "--repo", str(place / "shop"), "--json"))
        return any(row["adapter"] == "2" and row["accepted"] for row in rows)  # a copy, or the model's own line

    eventually(counted, 30)
    assert "adapter: 2" in printed(place, "explain", "--full", "--repo", str(place / "shop"))


@pytest.mark.model
def test_a_prompt_longer_than_the_context_and_an_enormous_line(client: Client, place: Path) -> None:
    (place / "go").touch()
    eventually(lambda: state(client) == "ready")
    lines = "".join(f"value_{n} = compute(value_{n - 1}, {n})\n" for n in range(4000))
    uri = opened(client, place, "long.py", lines + "qqz =")
    assert client.complete(uri, 4000, 5)
    explained = explanation(client)
    tokens = int(explained.split("prompt_tokens: ")[1].split("\n")[0])
    assert 100 < tokens <= 512 - 128
    uri = opened(client, place, "wide.py", "x = [" + "1, " * 6_000 + "\nqzz =")
    assert client.complete(uri, 1, 5) is not None
    assert "error" not in explanation(client)
    uri = opened(client, place, "enormous.py", "x = '" + "a" * 300_000 + "'\ny = ")
    assert client.complete(uri, 1, 4) == []
    assert "longer than `max_line_chars`" in explanation(client)
    uri = opened(client, place, "next.py", "zzq =")
    assert client.complete(uri, 0, 5)
    assert client.command("ondol.status")["faults"] == 0


@pytest.mark.model
def test_the_doctor_reports_the_model_and_its_prompt_format(place: Path) -> None:
    (place / "go").touch()
    base = str(place / "base")
    eventually(lambda: (place / "base" / "config.json").is_file())
    registry = registry_directory(Settings(data_dir=place / "data"), place / "shop")
    write_version(registry, 77, tiny_base(place / "tiny"))
    command = [*console_script(), "doctor", "--repo", str(place / "shop"), "--backend", "local", "--base", base]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, env=environment(place), check=False)
    found = json.loads(done.stdout)
    about = found["model"]
    assert (about["base"], about["context"], about["prompt format"]) == ("base", "512 tokens", "left-to-right")
    assert about["runs on"].startswith("torch, cpu")
    assert any("easy fill-in-the-middle answers ended" in what for what, _ in found["problems"])
    assert about["adapter"] == "refused"
    assert any("version 77 is refused: it was trained on another base" in what for what, _ in found["problems"])
    assert done.returncode == 1


@pytest.mark.model
def test_a_base_in_fewer_bits_is_loaded_by_the_setting(place: Path) -> None:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed: bases in 8 and 4 bits are NOT tested")
    (place / "go").touch()
    eventually(lambda: (place / "base" / "config.json").is_file())
    command = [*console_script(), "doctor", "--repo", str(place / "shop"), "--backend", "local", "--json"]
    asked = {**environment(place), "ONDOL_BASE_BITS": "8", "ONDOL_BASE_MODEL": str(place / "base")}
    done = subprocess.run(command, capture_output=True, text=True, env=asked, check=False)
    assert json.loads(done.stdout)["model"]["runs on"] == "torch, cpu, 8 bits"


@pytest.mark.model
def test_the_command_complete_waits_for_the_model(place: Path) -> None:
    (place / "go").touch()
    base = str(place / "base")
    eventually(lambda: (place / "base" / "config.json").is_file())
    (place / "shop" / "asked.py").write_text("def vvq(d):\n    # return 13\n")
    command = ("complete", "asked.py:2", "--backend", "local", "--base", base)
    found = json.loads(printed(place, *command, "--json", cwd=place / "shop"))
    assert "model" in {suggestion["engine"] for suggestion in found["suggestions"]}


def test_the_doctor_names_what_is_missing_and_the_cure(tmp_path: Path) -> None:
    """A missing model folder and a missing server are each one pair of a problem and its cure."""
    root = shop(tmp_path / "shop")
    command = [*console_script(), "doctor", "--repo", str(root), "--json"]
    for arguments, address, what, cure in (
        (
            ["--backend", "local"],
            "",
            "no base model is set",
            "set base_model to a GGUF file or a model's folder, or use --base",
        ),
        (["--backend", "local", "--base", "a/b"], "", "a/b is not on this machine", "or name a folder"),
        (["--backend", "remote"], "", "no server is set", "set remote_url in your own ondol.toml"),
        (["--backend", "remote"], "http://127.0.0.1:9", "127.0.0.1 cannot be reached", "start the server"),
    ):
        variables = environment(tmp_path, **({"ONDOL_REMOTE_URL": address} if address else {}))
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, env=variables, check=False)
        problems = json.loads(done.stdout)["problems"]
        assert any(what in wrong and cure in right for wrong, right in problems), problems


@pytest.mark.model
def test_nan_and_a_tokenizer_without_middles(place: Path, tmp_path: Path) -> None:
    """Two problems of one folder: left to right and NaN are reported, and copies go on."""
    import torch

    from tests.support.models import make_model, write_folder

    folder = write_folder(tmp_path / "base")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["added_tokens"] = tokenizer["added_tokens"][:1]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    model = make_model()
    model.model.norm.weight.data[3] = torch.nan
    model.save_pretrained(tmp_path / "nan")
    (tmp_path / "nan" / "model.safetensors").replace(folder / "model.safetensors")
    root = shop(tmp_path / "shop")
    with real(tmp_path, "--backend", "local", "--base", str(folder)) as client:
        client.initialize([root], options={"deadlineMs": 60_000})
        eventually(lambda: messages(client, "the tokenizer has no token <|fim_", "text after the cursor is not used"))
        eventually(lambda: state(client) == "ready")
        uri = (root / "new.py").as_uri()
        client.open(uri, TYPED)
        for _ in range(2):
            items = client.complete(uri, 4, 20)
            assert items[0]["insertText"].startswith('encoding="utf-8") as source:')
            assert "model_reason: problem" in explanation(client)
        assert len(messages(client, "the model computed NaN", "roll the adapter back")) == 1
        assert client.stop() == 0
