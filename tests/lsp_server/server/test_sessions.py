"""Open repositories: without an index, with a damaged one, several folders, saving; and the real indexer as a child."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from indexer import lock
from indexer.config import Settings
from indexer.data_layout import index_directory
from lsp_server.commands.lsp_client import Client, edit
from lsp_server.server.index_process import console_script
from tests.support.console import environment
from tests.support.indexes import updated
from tests.support.lsp_client import double
from tests.support.repositories import repository
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

UNTITLED = "untitled:Untitled-1"


def facts(path: Path, event: str) -> list[dict]:
    lines = path.read_text().splitlines() if path.exists() else []
    return [fact for fact in map(json.loads, lines) if fact["event"] == event]


def test_without_an_index_it_says_so_once_shows_progress_and_completes_meanwhile(tmp_path: Path) -> None:
    root = repository(tmp_path / "shop", {"a.py": "x = 1\n"}, commit=False)
    log = tmp_path / "log"
    with double(tmp_path, "no-index sleep=0", DOUBLE_LOG=str(log)) as client:
        client.initialize([root])
        uri = (root / "a.py").as_uri()
        client.open(uri, "def add(")
        assert client.complete(uri, 0, 8)
        status = client.wait_state("ready")
        assert (status["documents"], status["generation"]) == (1, 1)
        states = [status["state"] for status in client.of("ondol/status")]
        assert states.index("indexing") < states.index("ready")
        eventually(lambda: client.of("window/showMessage"))
        assert [note["message"].count("for the first time") for note in client.of("window/showMessage")] == [1]
        eventually(lambda: any(p["value"]["kind"] == "end" for p in client.of("$/progress")))
        assert [p["value"]["kind"] for p in client.of("$/progress")] == ["begin", "report", "end"]
        assert [fact["full"] for fact in facts(log, "run")] == [False]


def test_a_damaged_index_is_reported_once_and_rebuilt(tmp_path: Path) -> None:
    root = repository(tmp_path / "shop", {}, commit=False)
    log = tmp_path / "log"
    with double(tmp_path, "damaged", DOUBLE_LOG=str(log)) as client:
        client.initialize([root])
        client.wait_state("ready")
        assert [fact["full"] for fact in facts(log, "run")] == [True]
        assert ["damaged" in note["message"] for note in client.of("window/showMessage")] == [True]


def test_indexing_that_fails_is_a_problem_with_its_sentence(tmp_path: Path) -> None:
    root = repository(tmp_path / "shop", {}, commit=False)
    with double(tmp_path, "index-fails") as client:
        client.initialize([root])
        assert "no space left" in client.wait_state("problem")["message"]
        client.open(UNTITLED, "def add(")
        assert client.complete(UNTITLED, 0, 8)
        assert sum("no space" in note["message"] for note in client.of("window/showMessage")) == 1


def test_every_folder_has_its_own_engine_and_documents_go_to_the_innermost(tmp_path: Path) -> None:
    outer = repository(tmp_path / "outer", {}, commit=False)
    inner = repository(outer / "inner", {}, commit=False)
    log = tmp_path / "log"
    with double(tmp_path, "", DOUBLE_LOG=str(log)) as client:
        client.initialize([outer, inner])
        client.wait_state("ready")
        for path, expected in (("a.py", "a.py"), ("inner/b.py", "b.py"), ("../else.py", None)):
            uri = "file://" + os.path.normpath(outer / path)
            client.open(uri, "")
            client.complete(uri, 0, 0)
            assert facts(log, "ask")[-1]["path"] == expected
        client.open(UNTITLED, "")
        client.complete(UNTITLED, 0, 0)
        assert len(facts(log, "engine")) == 3
        removed = {"added": [], "removed": [{"uri": inner.as_uri(), "name": "inner"}]}
        client.notify("workspace/didChangeWorkspaceFolders", {"event": removed})
        uri = (inner / "b.py").as_uri()
        client.complete(uri, 0, 0)
        assert facts(log, "ask")[-1]["path"] == "inner/b.py"


def test_a_lone_file_in_a_repository_gets_that_repository(tmp_path: Path) -> None:
    root = repository(tmp_path / "shop", {"a.py": "x"}, commit=False)
    log = tmp_path / "log"
    with double(tmp_path, "", DOUBLE_LOG=str(log)) as client:
        client.initialize()
        client.open((root / "a.py").as_uri(), "")
        client.complete((root / "a.py").as_uri(), 0, 0)
        assert facts(log, "ask")[-1]["path"] == "a.py"


def test_saving_updates_the_index_once_things_are_quiet(tmp_path: Path) -> None:
    root = repository(tmp_path / "shop", {"a.py": "x"}, commit=False)
    log = tmp_path / "log"
    with double(tmp_path, "", DOUBLE_LOG=str(log)) as client:
        client.initialize([root])
        client.wait_state("ready")
        uri = (root / "a.py").as_uri()
        client.open(uri, "")
        client.complete(uri, 0, 0)
        before = len(facts(log, "run"))
        for _ in range(5):
            client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
            time.sleep(0.02)
        eventually(lambda: len(facts(log, "run")) == before + 1)


def test_excluded_files_are_left_alone_also_through_a_link(tmp_path: Path) -> None:
    root = repository(tmp_path / "shop", {"secret.py": "x", "a.py": "y"}, commit=False)
    (root / ".ondolignore").write_text("secret.py\n")
    (root / "open.py").symlink_to(root / "secret.py")
    with double(tmp_path) as client:
        client.initialize([root])
        client.open((root / "a.py").as_uri(), "find ")
        for name in ("secret.py", "open.py"):
            uri = (root / name).as_uri()
            client.open(uri, "needle_of_gold\ndef add(")
            assert client.complete(uri, 1, 8) == []
        assert client.complete((root / "a.py").as_uri(), 0, 5) == []


def test_an_ignore_file_counts_as_soon_as_it_is_saved(tmp_path: Path) -> None:
    root = repository(tmp_path / "shop", {"secret.py": "x", "a.py": "y"}, commit=False)
    with double(tmp_path) as client:
        client.initialize([root])
        uris = [(root / name).as_uri() for name in ("a.py", "secret.py", ".ondolignore")]
        for uri, text in zip(uris, ("find ", "needle_of_gold\ndef add(", ""), strict=True):
            client.open(uri, text)
        assert client.complete(uris[0], 0, 5)
        assert client.complete(uris[1], 1, 8)
        (root / ".ondolignore").write_text("secret.py\n")
        client.notify("textDocument/didSave", {"textDocument": {"uri": uris[2]}})
        assert client.complete(uris[1], 1, 8) == []
        eventually(lambda: client.complete(uris[0], 0, 5) == [])


def test_a_data_directory_that_cannot_be_written_is_one_problem(tmp_path: Path) -> None:
    root = repository(tmp_path / "shop", {"a.py": "x = 1\n"}, commit=False)
    (tmp_path / "data").write_text("a file stands here")
    with Client([*console_script(), "serve", "--stdio"], env=environment(tmp_path)) as client:
        client.initialize([root])
        status = client.wait_state("problem")
        assert str(tmp_path / "data") in status["message"]
        client.open((root / "a.py").as_uri(), "x = 1\nx")
        assert client.complete((root / "a.py").as_uri(), 1, 1) is not None
        assert len(client.of("window/showMessage")) <= 2


def large(tmp_path: Path) -> Path:
    """Return a repository that takes seconds to index."""
    root = repository(tmp_path / "shop", {}, commit=False)
    for number in range(400):
        (root / f"m{number}.py").write_text(f"def f{number}(a, b):\n    return a + b * {number}\n" * 40)
    return root


def children(pid: int) -> list[int]:
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in done.stdout.split()]


@pytest.mark.skipif(sys.platform == "win32", reason="uses ps")
def test_the_indexing_child_ends_with_the_server(tmp_path: Path) -> None:
    root = large(tmp_path)
    with Client([*console_script(), "serve", "--stdio"], env=environment(tmp_path)) as client:
        client.initialize([root])
        client.wait_state("indexing")
        eventually(lambda: bool(children(client.process.pid)))
        started = children(client.process.pid)
        started += [grandchild for child in started for grandchild in children(child)]
        client.process.stdin.close()  # type: ignore[union-attr]
        client.process.wait(60)

        def gone() -> bool:
            alive = [pid for pid in started if Path(f"/proc/{pid}").exists()]
            return not [p for p in alive if "Z" not in Path(f"/proc/{p}/stat").read_text().rsplit(")", 1)[1][:3]]

        eventually(gone)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="uses ps")
def test_an_index_whose_process_was_killed_is_made_once_more_and_then_explained(tmp_path: Path) -> None:
    root = large(tmp_path)
    with Client([*console_script(), "serve", "--stdio"], env=environment(tmp_path)) as client:
        client.initialize([root])
        for _ in "12":
            eventually(lambda: bool(children(client.process.pid)))
            assert "problem" not in [status["state"] for status in client.of("ondol/status")]
            for child in children(client.process.pid):
                os.kill(child, signal.SIGKILL)
            eventually(lambda: not children(client.process.pid))
        status = client.wait_for(lambda m: m.get("method") == "ondol/status" and m["params"]["state"] == "problem")
        assert "lower `workers`" in status["params"]["message"]
        (root / "more.py").write_text("x = 1\n")
        client.command("ondol.index")
        client.wait_for(lambda m: m.get("method") == "ondol/status" and m["params"]["state"] == "ready")


def test_the_lock_of_another_writer_is_no_problem(tmp_path: Path) -> None:
    root = repository(tmp_path / "shop", {"a.py": "x = 1\n"}, commit=False)
    directory = index_directory(Settings(data_dir=tmp_path / "data"), root)
    directory.mkdir(parents=True)
    with (
        lock.hold(directory / "LOCK"),
        Client([*console_script(), "serve", "--stdio"], env=environment(tmp_path)) as client,
    ):
        client.initialize([root])
        client.wait_for(
            lambda m: m.get("method") == "ondol/status" and "another Ondol process" in m["params"]["message"]
        )
        assert "problem" not in [status["state"] for status in client.of("ondol/status")]


def test_an_index_of_another_version_is_served_until_its_rebuild_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "def price(amount):\n    return quarterly_ledger.append_entry(amount, currency)\n"
    root = repository(tmp_path / "shop", {"a.py": text}, commit=False)
    with monkeypatch.context() as patch:
        patch.setattr("indexer.storage.fingerprint.shape", lambda: "the shape of version 0.1.0")
        updated(root, tmp_path / "data")
    directory = index_directory(Settings(data_dir=tmp_path / "data"), root)
    uri = (root / "b.py").as_uri()
    command = [*console_script(), "serve", "--stdio"]
    with lock.hold(directory / "LOCK"), Client(command, env=environment(tmp_path)) as client:  # no rebuild can begin
        client.initialize([root])
        assert client.wait_state("ready")["generation"] == 1
        client.open(uri, "def cost(amount):\n    return quarterly_ledger.")
        assert client.complete(uri, 1, 28)[0]["insertText"].startswith("append_entry(amount, currency)")
    with Client(command, env=environment(tmp_path)) as client:
        client.initialize([root])
        rebuilt = client.wait_for(lambda m: m.get("method") == "ondol/status" and m["params"].get("generation", 0) > 1)
        assert rebuilt["params"]["documents"] == 1
        assert "problem" not in [status["state"] for status in client.of("ondol/status")]


def test_the_real_indexer_runs_as_a_child_and_its_index_is_opened(tmp_path: Path) -> None:
    root = repository(tmp_path / "shop", {"a.py": "def price(amount):\n    return amount * 2\n"}, commit=False)
    with Client([*console_script(), "serve", "--stdio"], env=environment(tmp_path)) as client:
        client.initialize([root])
        status = client.wait_state("ready")
        assert status["documents"] == 1
        (root / "b.py").write_text("def cost(amount):\n    return amount * 3\n")
        uri = (root / "b.py").as_uri()
        client.open(uri, (root / "b.py").read_text())
        client.change(uri, 2, edit(0, 0, ""))
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        client.wait_for(lambda m: m.get("method") == "ondol/status" and m["params"].get("documents") == 2)
        modes = {oct(path.stat().st_mode & 0o777) for path in (tmp_path / "data" / "repositories").iterdir()}
        assert modes == {"0o700"}
