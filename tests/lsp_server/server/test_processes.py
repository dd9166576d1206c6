"""Processes: the server ends with its editor, many folders are indexed by few processes, an index holds few handles."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from indexer.storage.reader import Index
from tests.support.indexes import directory, updated
from tests.support.lsp_client import double, real
from tests.support.repositories import repository, write
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow
LINUX = sys.platform == "linux"


def test_the_server_ends_with_its_editor_though_its_pipes_stay_open(tmp_path: Path) -> None:
    root = repository(tmp_path / "repo", {"a.py": "x = 1\n"})
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as editor:
        client = real(tmp_path)
        client.initialize([root], process_id=editor.pid)
        client.command("ondol.status")
        assert client.process.poll() is None
        editor.kill()
        assert client.process.wait(60) == 1  # its standard input is open to this process
        client.stop()


def test_the_server_ends_when_its_standard_input_closes(tmp_path: Path) -> None:
    root = repository(tmp_path / "repo", {"a.py": "x = 1\n"})
    client = real(tmp_path)
    client.initialize([root])
    assert client.process.stdin is not None
    client.process.stdin.close()
    assert client.process.wait(60) == 1
    client.stop()


def test_an_editor_that_cannot_be_seen_from_here_is_not_waited_for(tmp_path: Path) -> None:
    with real(tmp_path) as client:
        client.initialize([], process_id=2**22 - 1)
        assert client.command("ondol.status")["state"] in ("starting", "ready")
        assert client.process.poll() is None


def test_many_folders_are_indexed_two_at_a_time_and_announced_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    roots = [repository(tmp_path / f"repo{number}", {"a.py": "x"}, commit=False) for number in range(20)]
    with double(tmp_path, "no-index", DOUBLE_LOG=str(log)) as client:
        client.initialize(roots)

        def ends() -> list[str]:
            found = [json.loads(line)["event"] for line in log.read_text().splitlines() if log.exists()]
            return [event for event in found if event in ("run", "ran")]

        client.wait_state("ready")
        eventually(lambda: ends().count("ran") >= 5 and ends().count("run") == ends().count("ran"))
        running = [ends()[:number].count("run") - ends()[:number].count("ran") for number in range(len(ends()))]
        assert 1 <= max(running) <= 2
        said = [note["message"] for note in client.of("window/showMessage") if "for the first time" in note["message"]]
        assert len(said) == 1
        assert said[0].count("repo") == 3 and "more folders" in said[0]


@pytest.mark.skipif(not LINUX, reason="counts the entries of /proc/self/fd")
def test_the_handles_of_an_index_do_not_grow_with_its_segments(tmp_path: Path) -> None:
    root = repository(tmp_path / "repo")
    before, held = len(os.listdir("/proc/self/fd")), []
    for number in range(5):
        write(root, {f"file{number}.py": f"def feed_{number}():\n    return {number}\n"})
        index = updated(root, tmp_path / "data")
        held.append((len(index.segments), index))
    assert [count for count, _ in held] == [1, 2, 3, 4, 5]
    last = Index.open(directory(root, tmp_path / "data"))
    assert "feed_4" in last.text(last.documents["file4.py"])
    handles = len(os.listdir("/proc/self/fd")) - before
    assert handles <= 4 * (len(held) + 1)  # what tantivy holds for each open index


@pytest.mark.skipif(not LINUX, reason="reads /proc")
def test_a_folder_that_is_closed_leaves_nothing_behind(tmp_path: Path) -> None:
    first, second = (repository(tmp_path / name, {"a.py": f"def {name}():\n    return 1\n"}) for name in ("one", "two"))
    for root in (first, second):
        updated(root, tmp_path / "data")
    with real(tmp_path) as client:
        client.initialize([first])
        client.wait_state("ready")

        def maps() -> int:
            return Path(f"/proc/{client.process.pid}/maps").read_text().count(f"/{second.name}-")

        for _ in range(2):
            folder = [{"uri": second.as_uri(), "name": "second"}]
            client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": folder, "removed": []}})
            eventually(maps)
            client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": folder}})
            eventually(lambda: not maps())
