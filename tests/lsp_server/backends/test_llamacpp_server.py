"""The HTTP backend against llama.cpp's own server, of the package ``llama-cpp-python[server]``, with 8 and 4 bits.

The model is the small LLaMA of the fixtures, or a random one where that is not there. Run by ``make test-llamacpp``.
"""

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

MISSING = [name for name in ("llama_cpp", "gguf", "fastapi", "sse_starlette") if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.llamacpp,
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} not installed: llama.cpp's server is NOT tested"),
]

from indexer.prompt.renderer import ContextPiece, PromptInput
from lsp_server.backends.base import Limits
from lsp_server.backends.http_backend import HttpBackend, ModelServer
from lsp_server.errors import BackendProblem
from tests.support.lsp_client import explanation, real
from tests.support.shop import shop
from tests.support.waiting import eventually

SMALL = Path(__file__).parents[2] / "fixtures" / "small_llama"
PARTS = PromptInput(
    "a.py",
    "def add(first, second):\n    return first + second\n\n\ntotal = add(",
    ")\nprint(total)\n",
    (ContextPiece("b.py", "answer = add(1, 2)\n"),),
)


@pytest.fixture(scope="module", params=["q8_0", "q4_k_m"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of llama.cpp's server, and the folder that ``ondol models export`` wrote."""
    from finetune.adapters.export import export_gguf
    from lsp_server.weights.base_model import open_folder

    place = tmp_path_factory.mktemp("server")
    base = SMALL
    if not (SMALL / "model.safetensors").is_file():
        pytest.importorskip("torch", reason="no small LLaMA and no torch: llama.cpp's server is NOT tested")
        from tests.support.models import write_split_folder

        base = write_split_folder(place / "base")
    export_gguf(open_folder(base), place / "gguf", kinds=(request.param,))
    (file,) = (place / "gguf").glob("*.gguf")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(file), "--n_ctx", "512", "--n_threads", "1"]
    with (place / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port), "--model_alias", "team"],
            stdout=log,
            stderr=log,
            cwd=place,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process, place / "log")
        yield url, place / "gguf"
    finally:
        process.kill()
        process.wait()


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + 180
    while True:
        try:
            urllib.request.urlopen(f"{url}/v1/models", timeout=5).read()
            return
        except OSError:
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < end, log.read_text()[-2000:]
            time.sleep(0.2)


def soon() -> Limits:
    return Limits(max_tokens=24, deadline=time.monotonic() + 60)


def test_it_completes_streams_and_stops_at_the_line(server: tuple[str, Path]) -> None:
    backend = HttpBackend(ModelServer(server[0], "team"))
    reported: list[str] = []
    made = backend.generate(backend.render(PARTS), soon(), report=reported.append)
    assert "\n" not in made.text
    assert made.reason in ("end", "line", "tokens")
    assert all(made.text.startswith(text) for text in reported)
    block = Limits(max_tokens=24, single_line=False, deadline=time.monotonic() + 60)
    assert backend.generate(backend.render(PARTS), block).reason in ("end", "block", "lines", "tokens")


def test_it_takes_no_ids_and_gets_text(server: tuple[str, Path]) -> None:
    url, folder = server
    backend = HttpBackend(ModelServer(url, "team", folder=folder))
    assert backend.about["format"] != "the server's"
    made = backend.generate(backend.render(PARTS), soon())
    assert made.reason in ("end", "line", "tokens")
    assert backend.about["format"] == "the server's"
    plain = HttpBackend(ModelServer(url, "team"))
    assert plain.generate(plain.render(PARTS), soon()).text == made.text


def test_a_cancel_and_a_deadline_hang_up_and_the_next_request_is_answered(server: tuple[str, Path]) -> None:
    backend = HttpBackend(ModelServer(server[0], "team"))
    prompt = backend.render(PARTS)
    long = Limits(max_tokens=400, single_line=False, max_lines=999)
    assert backend.generate(prompt, long, lambda: True).reason in ("cancelled", "end", "block")
    passed = Limits(max_tokens=400, single_line=False, deadline=time.monotonic())
    assert backend.generate(prompt, passed).reason in ("time", "end", "block")
    assert backend.generate(prompt, soon()).reason in ("end", "line", "tokens")


def test_an_unknown_path_is_one_sentence(server: tuple[str, Path]) -> None:
    """This server has no ``/infill``; llama.cpp's other one has."""
    backend = HttpBackend(ModelServer(server[0], protocol="infill"))
    with pytest.raises(BackendProblem, match=r"does not know the model or the path \(404\)"):
        backend.generate(backend.render(PARTS), soon())


def test_the_language_server_completes_with_it(server: tuple[str, Path], tmp_path: Path) -> None:
    root = shop(tmp_path / "shop")
    with real(tmp_path, "--backend", "remote", ONDOL_REMOTE_URL=server[0], ONDOL_REMOTE_MODEL="team") as client:
        client.initialize([root], options={"deadlineMs": 60_000})
        eventually(lambda: client.of("ondol/status") and client.of("ondol/status")[-1]["message"].endswith("; team"))
        uri = (root / "new.py").as_uri()
        client.open(uri, "def qvz(numbers):\n    for number in numbers:\n        print(")
        assert client.complete(uri, 2, 14) is not None
        reported = explanation(client)
        assert "model: team" in reported and "model_reason: problem" not in reported
        assert not [note for note in client.of("window/showMessage") if "127.0.0.1" in note["message"]]
