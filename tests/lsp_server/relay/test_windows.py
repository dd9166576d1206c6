"""Several windows share one engine: it is one process, each window has its own documents, and it hands over."""

import contextlib
import functools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.support.lsp_client import Client, edit, messages
from tests.support.repositories import repository
from tests.support.shop import shop
from tests.support.waiting import eventually
from tests.support.windows import Windows, windows

__all__ = ["windows"]

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")]

LOAD = "import json\n\n\ndef load_voucher(path):\n    with open(path, "
ANSWER = 'encoding="utf-8") as source:'


def ready(client: Client, root: Path) -> Client:
    client.initialize([root])
    client.wait_state("ready")
    return client


def answer(client: Client, uri: str, line: int = 4, column: int = 20) -> str:
    items = client.complete(uri, line, column)
    return items[0]["insertText"] if items else ""


def test_two_windows_have_one_engine_and_each_its_own_documents(tmp_path: Path, windows: Windows) -> None:
    root = shop(tmp_path / "shop")
    here, there = ((root / f"{name}.py").as_uri() for name in ("here", "there"))
    with windows.open() as first, windows.open() as second:
        ready(first, root)
        ready(second, root)
        assert len(windows.engines()) == 1
        for client in (first, second):
            client.open(here, LOAD)
            assert answer(client, here).startswith(ANSWER)
        first.open(there, "ledger.append_quarterly_entry(amount, currency)\n")
        for client in (first, second):
            client.change(here, 2, {"text": "ledger.append_"})
        assert answer(first, here, 0, 14) == "quarterly_entry(amount, currency)"
        assert "quarterly_entry" not in answer(second, here, 0, 14)
        second.command("ondol.setEnabled", {"enabled": False})
        assert answer(first, here, 0, 14) == "quarterly_entry(amount, currency)"
        assert first.stop() == 0
        second.command("ondol.setEnabled", {"enabled": True})
        second.change(here, 3, {"text": LOAD})
        assert answer(second, here).startswith(ANSWER)
        assert second.stop() == 0
    assert "windows: 2" in windows.log()
    assert not [word for word in ("quarterly", "voucher") if word in windows.log()]


def test_the_maps_of_an_index_are_in_memory_once(tmp_path: Path, windows: Windows) -> None:
    root = shop(tmp_path / "shop")
    with windows.open() as first, windows.open() as second:
        ready(first, root)

        def maps() -> int:
            found = Path(f"/proc/{windows.engine()}/maps").read_text()
            return found.count("texts.bin") + found.count("suffix-")

        once = eventually(maps)
        ready(second, root)
        second.open((root / "new.py").as_uri(), LOAD)
        assert answer(second, (root / "new.py").as_uri()).startswith(ANSWER)
        eventually(lambda: maps() <= once)


def test_a_window_with_narrower_settings_does_not_narrow_the_other(tmp_path: Path, windows: Windows) -> None:
    root = shop(tmp_path / "shop")
    uri = (root / "new.py").as_uri()
    with windows.open() as first, windows.open() as second:
        ready(first, root)
        second.initialize([root], options={"exclude": ["*s.py"]})
        second.wait_state("ready")
        for client in (first, second):
            client.open(uri, LOAD)
        assert answer(first, uri).startswith(ANSWER)
        assert not answer(second, uri).startswith(ANSWER)
        assert answer(first, uri).startswith(ANSWER)


def test_four_windows_go_on_while_their_engine_is_killed(tmp_path: Path, windows: Windows) -> None:
    """Each window types; the engine is killed three times in the middle; in the end each has its own text and answers."""
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    root = shop(tmp_path / "shop")
    clients = [windows.open() for _ in range(4)]
    uris = [(root / f"new{number}.py").as_uri() for number in range(4)]
    failures: list[str] = []
    over = threading.Event()

    def type_text(number: int) -> None:
        client, uri, rng = clients[number], uris[number], random.Random(seed + number)
        client.open(uri, "\n")
        column, version = 0, 1
        while not over.is_set():
            letter = rng.choice("abcé😀_ ")
            version += 1
            client.change(uri, version, edit(0, column, letter))
            column += len(letter.encode("utf-16-le")) // 2
            reply = client.wait(client.ask(uri, 0, column, automatic=True))
            if "error" in reply:
                failures.append(json.dumps(reply))
            time.sleep(0.02)
        client.change(uri, version + 1, edit(0, column, f"\nvalue_{number} = 1\nvalue_{number}"))

    try:
        for client in clients:
            client.initialize([root], encodings=["utf-16"])
            client.wait_state("ready")
        threads = [threading.Thread(target=type_text, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        killed = set()
        for _ in range(3):
            time.sleep(1 + rng.random())
            killed.add(windows.kill())
            eventually(lambda: set(windows.engines()) - killed)
        over.set()
        for thread in threads:
            thread.join()

        def right(number: int) -> bool:
            return answer(clients[number], uris[number], 2, len(f"value_{number}")).startswith(" = 1")

        for number, client in enumerate(clients):
            client.command("ondol.status")  # waits for the engine of now
            eventually(functools.partial(right, number))  # that engine may still be opening the index
        assert not failures, failures[:3]
        assert len(killed) == 3
        for client in clients:
            assert not client.stray
            assert client.process.poll() is None
            assert client.stop() == 0
    finally:
        for client in clients:
            client.stop()


def test_a_killed_engine_leaves_nothing_open_in_the_editor(tmp_path: Path, windows: Windows) -> None:
    root = shop(tmp_path / "shop")
    watching = {"workspace": {"workspaceFolders": True, "didChangeWatchedFiles": {"dynamicRegistration": True}}}
    uri, cell = (root / "new.py").as_uri(), "vscode-notebook-cell:/a.ipynb#1"
    with windows.open() as client:
        client.initialize([root], capabilities=watching)
        client.wait_state("ready")
        registered = client.wait_for(lambda m: m.get("method") == "client/registerCapability")["params"][
            "registrations"
        ]
        client.open(uri, LOAD)
        client.command("ondol.setEnabled", {"enabled": False})
        notebook = {"uri": "file:///a.ipynb", "notebookType": "jupyter-notebook", "version": 1}
        cells = [{"kind": 2, "document": cell}]
        text = {"uri": cell, "languageId": "python", "version": 1, "text": "ledger.append_quarterly_entry(amount)\n"}
        client.notify(
            "notebookDocument/didOpen", {"notebookDocument": {**notebook, "cells": cells}, "cellTextDocuments": [text]}
        )
        changed = {
            "textContent": [{"document": {"uri": cell, "version": 2}, "changes": [edit(1, 0, "ledger.append_")]}]
        }
        client.notify(
            "notebookDocument/didChange",
            {"notebookDocument": {"uri": notebook["uri"], "version": 2}, "change": {"cells": changed}},
        )
        assert client.command("ondol.status")["state"] == "off"
        windows.kill()
        gone = client.wait_for(lambda m: m.get("method") == "client/unregisterCapability")["params"]["unregisterations"]
        assert {one["id"] for one in gone} == {one["id"] for one in registered}
        assert client.command("ondol.status")["state"] == "off"  # the switch stays as the user left it
        client.command("ondol.setEnabled", {"enabled": True})
        eventually(lambda: answer(client, uri).startswith(ANSWER))  # the index is open again
        assert answer(client, cell, 1, 14) == "quarterly_entry(amount)"
        assert client.stop() == 0


def test_the_engine_ends_when_its_windows_are_gone(tmp_path: Path, windows: Windows) -> None:
    root = repository(tmp_path / "repo", {"a.py": "x = 1\n"})
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as editor:
        client = windows.open()
        client.initialize([root], process_id=editor.pid)
        client.wait_state("ready")
        pid = windows.engine()
        editor.kill()
        assert client.process.wait(60) == 1  # its standard input is open to this process
        client.stop()
    eventually(lambda: not Path(f"/proc/{pid}").exists(), 60)
    assert not list((windows.runtime / "ondol").glob("*.sock"))


def test_another_version_is_refused_and_said_once(tmp_path: Path, windows: Windows) -> None:
    root = shop(tmp_path / "shop")
    uri = (root / "new.py").as_uri()
    with windows.open() as first:
        ready(first, root)
        (path,) = (windows.runtime / "ondol").glob("*.sock")
        os.kill(windows.engine(), 19)  # SIGSTOP: the engine keeps its lock, and a socket of another version answers
        path.unlink()
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
            listening.listen(4)

            def refuse() -> None:
                connection, _ = listening.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(b'{"version": "0.0.1 in /elsewhere"}\n')

            thread = threading.Thread(target=refuse)
            thread.start()
            with windows.open() as second:
                ready(second, root)
                thread.join()
                assert len(messages(second, "another version of Ondol", "0.0.1")) == 1
                second.open(uri, LOAD)
                assert answer(second, uri).startswith(ANSWER)
        os.kill(windows.engine(), 18)


@pytest.mark.parametrize(
    ("unsafe", "said"),
    [
        ("open", "can be opened by others, so this window has an engine of its own; run `chmod 700"),
        ("link", "is a link, so this window has an engine of its own; remove it"),
        pytest.param(
            "foreign",
            "belongs to another user, so this window has an engine of its own; set XDG_RUNTIME_DIR",
            marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away"),
        ),
        ("file", "is not a folder, so this window has an engine of its own; remove it"),
    ],
)
def test_a_folder_that_others_can_open_is_not_used(tmp_path: Path, windows: Windows, unsafe: str, said: str) -> None:
    folder = windows.runtime / "ondol"
    if unsafe == "open":
        folder.mkdir()
        folder.chmod(0o755)
    elif unsafe == "foreign":
        folder.mkdir(mode=0o700)
        os.chown(folder, 12345, 12345)
    elif unsafe == "link":
        (windows.runtime / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(windows.runtime / "elsewhere")
    else:
        folder.write_text("")
    root = repository(tmp_path / "repo", {"a.py": "x = 1\n"})
    with windows.open() as client:
        ready(client, root)
        assert len(messages(client, said)) == 1
        assert not windows.engines()


def test_only_the_user_can_open_the_socket(tmp_path: Path, windows: Windows) -> None:
    with windows.open() as client:
        client.initialize([])
        (path,) = (windows.runtime / "ondol").glob("*.sock")
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "data" / "engine.log").stat().st_mode & 0o777 == 0o600


def test_windows_with_other_settings_of_the_process_do_not_share(tmp_path: Path, windows: Windows) -> None:
    with windows.open() as first, windows.open(ONDOL_PRECISION="0.9") as second, windows.open("--no-share") as third:
        for client in (first, second, third):
            client.initialize([])
        assert len(windows.engines()) == 2
        assert third.stop() == 0


def test_where_no_engine_starts_the_window_serves_alone_and_says_so_once(tmp_path: Path, windows: Windows) -> None:
    root = shop(tmp_path / "shop")
    uri = (root / "new.py").as_uri()
    with windows.open() as first:
        first.initialize([])
        (path,) = (windows.runtime / "ondol").glob("*.sock")
    eventually(lambda: not windows.engines() and not path.exists(), 60)
    path.mkdir()  # no engine can listen there
    with windows.open() as second:
        ready(second, root)
        assert len(messages(second, "the shared engine did not start")) == 1
        second.open(uri, LOAD)
        assert answer(second, uri).startswith(ANSWER)
    assert "the engine failed" in windows.log()


def test_noise_on_the_socket_does_not_disturb_the_windows(tmp_path: Path, windows: Windows) -> None:
    root = shop(tmp_path / "shop")
    uri = (root / "new.py").as_uri()
    with windows.open() as client:
        ready(client, root)
        (path,) = (windows.runtime / "ondol").glob("*.sock")
        for noise in (
            b"",
            b"\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"[1]\n",
            b"\xff\xfe\n",
            b"x" * 10_000,
            b'{"version": 1}\n',
        ):
            with socket.socket(socket.AF_UNIX) as stranger:
                stranger.connect(str(path))
                stranger.sendall(noise)
        client.open(uri, LOAD)
        assert answer(client, uri).startswith(ANSWER)


def test_windows_with_two_data_folders_have_two_engines(tmp_path: Path, windows: Windows) -> None:
    root = shop(tmp_path / "shop")
    folders = [tmp_path / name for name in ("a", "b")]
    with contextlib.ExitStack() as stack:
        for folder in folders:
            client = windows.open(ONDOL_DATA_DIR="", XDG_DATA_HOME=str(folder))
            ready(stack.enter_context(client), root)
        assert len(windows.engines()) == 2
        for folder in folders:
            assert list((folder / "ondol/repositories").glob("shop-*"))


def test_a_stopped_engine_keeps_no_window_waiting_and_goes_on_later(tmp_path: Path, windows: Windows) -> None:
    root = shop(tmp_path / "shop")
    uri = (root / "new.py").as_uri()
    with windows.open() as first, windows.open() as ending:
        for client in (first, ending):
            ready(client, root)
        first.open(uri, LOAD)
        assert answer(first, uri).startswith(ANSWER)
        engine = windows.engine()
        os.kill(engine, signal.SIGSTOP)
        try:
            assert answer(first, uri) == ""  # by the window, since the engine does nothing
            assert answer(first, uri) == ""
            assert ending.stop() == 0
            with windows.open() as alone:
                ready(alone, root)
                assert len(messages(alone, "the shared engine does not answer")) == 1
        finally:
            os.kill(engine, signal.SIGCONT)
        eventually(lambda: answer(first, uri).startswith(ANSWER))
        assert windows.engine() == engine


def test_a_removed_socket_is_made_again(tmp_path: Path, windows: Windows) -> None:
    with windows.open() as first:
        first.initialize([])
        engine = windows.engine()
        (path,) = (windows.runtime / "ondol").glob("*.sock")
        path.unlink()
        with windows.open() as second:
            second.initialize([])
            assert windows.engine() == engine
            assert not messages(second, "engine of its own")
            assert path.stat().st_mode & 0o777 == 0o600


def test_the_process_of_a_window_is_small(tmp_path: Path, windows: Windows) -> None:
    """With asyncio and logging it had 12 MB of its own."""
    root = shop(tmp_path / "shop")
    uri = (root / "new.py").as_uri()
    with windows.open() as client:
        ready(client, root)
        client.open(uri, LOAD)
        assert answer(client, uri).startswith(ANSWER)
        rows = Path(f"/proc/{client.process.pid}/smaps_rollup").read_text().splitlines()
        (own,) = [int(row.split()[1]) for row in rows if row.startswith("Anonymous:")]
        assert own < 7_000
        assert windows.engine() != client.process.pid


def test_an_ended_engine_is_no_zombie_of_the_window_that_started_it(tmp_path: Path, windows: Windows) -> None:
    root = shop(tmp_path / "shop")
    with windows.open() as window:
        ready(window, root)
        engine = windows.engine()
        os.kill(engine, signal.SIGKILL)
        eventually(lambda: not Path(f"/proc/{engine}").exists())
        assert window.stop() == 0
