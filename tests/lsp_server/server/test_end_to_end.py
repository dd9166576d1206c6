"""Everything with nothing replaced: repository, indexer, index, server, engine, an editor's requests, commands."""

import json
from pathlib import Path

import pytest

from tests.support.console import printed
from tests.support.lsp_client import edit, real
from tests.support.shop import NAMES, shop

pytestmark = pytest.mark.slow


def test_a_line_of_the_repository_is_written_again_in_a_new_file(tmp_path: Path) -> None:
    root = shop(tmp_path / "shop")
    with real(tmp_path) as client:
        client.initialize([root])
        client.wait_state("ready")
        for number, (before, end) in enumerate([("", "\n"), ("# 가나다 😀é\n", "\n"), ("", "\r\n")]):
            uri = (root / f"new{number}.py").as_uri()
            text = f"{before}import json\n\n\ndef load_voucher(path):\n    with open(path, ".replace("\n", end)
            client.open(uri, text)
            line = text.count("\n")
            items = client.complete(uri, line, 20)
            assert items[0]["insertText"].startswith('encoding="utf-8") as source:')
            assert items[0]["range"]["start"] == {"line": line, "character": 20}
            assert items[0]["insertText"].count("\n") == items[0]["insertText"].count(end)
            (source, *_) = client.command("ondol.sources", *items[0]["command"]["arguments"])
            assert source.split(":")[0] in {f"{name}s.py" for name in NAMES}
            assert "It was sent to the editor" in client.command("ondol.explain")
        assert ["for the first time" in note["message"] for note in client.of("window/showMessage")] == [True]
        assert client.stop() == 0


def test_text_that_was_never_saved_is_suggested_in_another_file(tmp_path: Path) -> None:
    root = shop(tmp_path / "shop")
    with real(tmp_path) as client:
        client.initialize([root])
        client.wait_state("ready")
        here, there = ((root / f"{name}.py").as_uri() for name in ("here", "there"))
        client.open(there, "")
        client.change(there, 2, edit(0, 0, "ledger.append_quarterly_entry(amount, currency)\n"))
        client.open(here, "ledger.append_")
        items = client.complete(here, 0, 14)
        assert items[0]["insertText"] == "quarterly_entry(amount, currency)"


@pytest.mark.parametrize("engine", ["ready", "starting", "replaced"])
def test_an_engine_knows_how_a_document_was_opened_however_fast_one_types(tmp_path: Path, engine: str) -> None:
    head = "class Address {\n    Address(String street, String city, String zip) {\n"
    root = shop(tmp_path / "shop")
    with real(tmp_path) as client:
        client.initialize([root])
        if engine != "starting":
            client.wait_state("ready")
        uri = (root / "Address.java").as_uri()
        client.open(uri, head + "    }\n}\n", language="java")
        client.change(uri, 2, edit(2, 0, "        this.street = street;\n        \n"))
        client.wait_state("ready")
        if engine == "replaced":  # by other settings
            client.complete(uri, 3, 8)
            client.notify("workspace/didChangeConfiguration", {"settings": {"ondol": {"max_suggestions": 2}}})
        assert [one["insertText"] for one in client.complete(uri, 3, 8, automatic=True)] == ["this.city = city;"]


def test_a_script_without_an_ending_is_of_the_language_that_its_first_line_names(tmp_path: Path) -> None:
    root = shop(tmp_path / "shop")
    with real(tmp_path) as client:
        client.initialize([root])
        client.wait_state("ready")
        text = "#!/bin/sh\n" + "if ready; then\n  ship --all\nfi\n" * 3 + "if ready; then\n  ship --all\n"
        uri = (root / "deliver").as_uri()
        client.open(uri, text, language="plaintext")
        client.complete(uri, text.count("\n"), 0)
        assert "(bash, " in client.command("ondol.explain")


def test_nothing_is_written_into_the_repository(tmp_path: Path) -> None:
    root = shop(tmp_path / "shop")
    before = sorted(path.relative_to(root) for path in root.rglob("*"))
    with real(tmp_path) as client:
        client.initialize([root])
        client.wait_state("ready")
        uri = (root / "orders.py").as_uri()
        client.open(uri, (root / "orders.py").read_text())
        client.complete(uri, 7, 10)
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        client.command("ondol.index")
    assert sorted(path.relative_to(root) for path in root.rglob("*")) == before


def test_the_command_shows_what_the_editor_would(tmp_path: Path) -> None:
    root = shop(tmp_path / "shop")
    printed(tmp_path, "index", str(root))
    (root / "new.py").write_text("def load_voucher(path):\n    with open(path, \n")
    shown = printed(tmp_path, "complete", "new.py:2:21", cwd=root)
    assert 'with open(path, ‹encoding="utf-8") as source:' in shown
    assert "s.py:" in shown
    answer = json.loads(printed(tmp_path, "complete", "new.py:2:21", "--json", cwd=root))
    assert answer["suggestions"][0]["ghost_text"].startswith('encoding="utf-8") as source:')
    assert 0 <= answer["suggestions"][0]["probability"] <= 1
    assert answer["suggestions"][0]["provenance"][0]["line"] in (8, 14)
