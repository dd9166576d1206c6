"""Which model is loaded from which folder, and the sentence when there is none."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.config import Settings
from indexer.prompt.renderer import Prompt, PromptInput
from lsp_server.backends.base import Generation, Limits
from lsp_server.backends.loading import check_format, find_base, load_local, load_remote
from lsp_server.errors import BackendProblem
from tests.support.adapters import tiny_base


def test_a_folder_is_found_by_its_path(tmp_path: Path) -> None:
    assert find_base(str(tmp_path)) == tmp_path


def test_a_public_model_is_found_in_the_cache_and_never_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "models--maker--coder"
    with pytest.raises(BackendProblem, match=rf"nothing is fetched; fill {folder}"):
        find_base("maker/coder")
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc123")
    (folder / "snapshots" / "abc123").mkdir(parents=True)
    assert find_base("maker/coder") == folder / "snapshots" / "abc123"
    (folder / "refs" / "main").write_text("../../..")
    with pytest.raises(BackendProblem, match="nothing is fetched"):
        find_base("maker/coder")


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ("", "no base model is set"),
        ("/nowhere/at/all", "there is no model"),
        ("a/b/c", "there is no model"),
        ("../coder.gguf", "there is no model"),
        ("models/coder.gguf", "there is no model"),
        ("maker/coder-GGUF:Q4_K_M", "there is no model"),
        ("https://models.example/coder.gguf", "is an address"),
    ],
)
def test_what_is_not_there_is_refused_and_no_folder_of_the_cache_is_named_for_it(base: str, said: str) -> None:
    with pytest.raises(BackendProblem, match=said) as problem:
        find_base(base)
    assert "hub" not in str(problem.value)


def test_without_torch_and_without_gguf_the_cure_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_base(tmp_path / "base")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BackendProblem, match=r"torch is not installed; name a GGUF file.* run: .*\[model\]'"):
        load_local(replace(Settings(), base_model=str(tmp_path / "base")), 512, print)


def test_a_remote_backend_without_an_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackendProblem, match="no server is set"):
        load_remote(Settings())
    infill = load_remote(replace(Settings(), remote_url="http://localhost:8080/infill"))
    assert infill.name == "localhost"


class Talker:
    """Ends a given number of answers."""

    def __init__(self, ends: int) -> None:
        self.ends = ends

    def render(self, parts: PromptInput) -> Prompt:
        return Prompt((1,), "", 0, {})

    def generate(self, prompt: Prompt, limits: Limits, *_: object) -> Generation:
        self.ends -= 1
        return Generation("x", "end" if self.ends >= 0 else "tokens")


def test_a_server_without_a_remote_model_does_not_import_the_http_library() -> None:
    modules = "lsp_server.server.main, lsp_server.model.factory, lsp_server.retrieval.engine"
    probe = f"import sys, {modules}; print('httpx2' in sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_two_of_three_easy_answers_have_to_end() -> None:
    assert check_format(Talker(3)) is None  # type: ignore[arg-type]
    assert check_format(Talker(2)) is None  # type: ignore[arg-type]
    assert check_format(Talker(1)) == "only 1 of 3 easy fill-in-the-middle answers ended"  # type: ignore[arg-type]
