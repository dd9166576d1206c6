"""An index is imported from a web server on this machine: whole, only what is missing, and nothing that is not right."""

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from indexer.building.build import build
from indexer.errors import UserError
from indexer.sharing.exporting import export_index
from indexer.sharing.importing import import_index
from indexer.sharing.places import FILES, MANIFEST, open_place
from indexer.storage.reader import Index
from tests.support import console, indexes, repositories


class Server(ThreadingHTTPServer):
    """Serves a folder, and notes what was asked for.

    :ivar cut: after how many bytes the connection of an answer is closed; None for never.
    """

    daemon_threads = True
    cut: int | None = None

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(SimpleHTTPRequestHandler):
    """See :class:`Server`."""

    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        super().do_GET()

    def copyfile(self, source: Any, outputfile: Any) -> None:
        data = source.read()
        outputfile.write(data if self.server.cut is None else data[: self.server.cut])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def share(tmp_path: Path) -> Iterator[tuple[Path, Path, Server]]:
    """A clone, the folder with an exported index, and the server that shows it."""
    pytest.importorskip("fsspec")
    pytest.importorskip("aiohttp")
    root = repositories.repository(tmp_path / "repo")
    settings = indexes.settings(tmp_path / "data")
    build(root, settings)
    export_index(settings, root, open_place(str(tmp_path / "share")))
    repositories.git(tmp_path, "clone", "-q", str(root), "laptop")
    with Server(tmp_path / "share") as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield tmp_path / "laptop", tmp_path / "share", server
        server.shutdown()
        thread.join()


def test_the_imported_index_is_the_exported_one_and_nothing_is_copied_twice(
    share: tuple[Path, Path, Server], tmp_path: Path
) -> None:
    root, folder, server = share
    settings = indexes.settings(tmp_path / "second")
    first = import_index(settings, root, open_place(server.url))
    assert first.taken == len(list((folder / FILES).iterdir()))
    index = Index.open(indexes.directory(root, tmp_path / "second"), verify=True)
    assert indexes.holds(index) == indexes.holds(indexes.updated(root, tmp_path / "own"))
    server.asked.clear()
    assert import_index(settings, root, open_place(server.url)).taken == 0
    assert not [path for path in server.asked if FILES in path]


def test_the_command_takes_an_address(share: tuple[Path, Path, Server], tmp_path: Path) -> None:
    root, _, server = share
    done = console.finished(tmp_path, "index", str(root), "--import", server.url)
    assert done.returncode == 0, done.stderr
    assert f"was imported from {server.url}" in done.stderr


@pytest.mark.parametrize("fault", ["down", "gone", "missing file", "cut", "wrong byte", "no index", "a page"])
def test_what_is_wrong_is_one_sentence_and_the_index_stays(
    share: tuple[Path, Path, Server], tmp_path: Path, fault: str
) -> None:
    root, folder, server = share
    repositories.write(root, {"mine.py": "only_here = 1\n"})
    generation = indexes.updated(root, tmp_path / "second").generation
    url, largest = server.url, max((folder / FILES).iterdir(), key=lambda path: path.stat().st_size)
    if fault == "down":
        server.socket.close()
        url = "http://127.0.0.1:9"
    elif fault == "gone":
        url += "/elsewhere"
    elif fault == "missing file":
        largest.unlink()
    elif fault == "cut":
        server.cut = 600
    elif fault == "wrong byte":
        data = bytearray(largest.read_bytes())
        data[len(data) // 2] ^= 1
        largest.write_bytes(data)
    elif fault == "no index":
        (folder / MANIFEST).unlink()
    else:
        (folder / MANIFEST).write_text("<html>Sign in</html>")
    with pytest.raises(UserError) as raised:
        import_index(indexes.settings(tmp_path / "second"), root, open_place(url))
    said = str(raised.value)
    assert said.endswith(".")
    assert "; " in said
    assert "\n" not in said
    index = Index.open(indexes.directory(root, tmp_path / "second"), verify=True)
    assert index.generation == generation
    assert "mine.py" in index.documents
