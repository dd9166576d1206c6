"""Two real models: a LLaMA with byte-level BPE, and Gemma 3 with SentencePiece. Run by ``make test-real-model``.

``ONDOL_REAL_MODELS`` names the folder that ``scripts/fetch_real_models.py`` has filled.
"""

import json
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

llama_cpp = pytest.importorskip("llama_cpp", reason="llama_cpp is not installed: real models are NOT tested")
FOLDER = Path(os.environ.get("ONDOL_REAL_MODELS", "/nowhere"))
pytestmark = [
    pytest.mark.llamacpp,
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="ONDOL_REAL_MODELS names no folder: real models are NOT tested"),
]

from indexer.prompt.control_strings import without_control_strings
from indexer.prompt.formats import LEFT_TO_RIGHT
from indexer.prompt.renderer import PromptInput
from lsp_server.backends.base import Limits
from lsp_server.backends.llamacpp_backend import LlamaCppBackend, library
from lsp_server.errors import BackendProblem
from lsp_server.server.index_process import console_script
from lsp_server.weights.base_model import open_folder
from tests.support.console import environment
from tests.support.shop import shop

SMALL, OTHER = FOLDER / "smollm2-135m-instruct.q4_1.gguf", FOLDER / "gemma-3-270m.q4_k_m.gguf"
ROOT = Path(__file__).parents[2]
HARD = [*map(chr, range(32, 127)), *"\n\n\n\t\r    ", *"가나다한글éüßñ中文日本語ひらがАбв😀½²٣\u200b\u00a0\u3000’“—…·"]


def texts(count: int) -> Iterator[str]:
    """Pieces of this repository's files, and noise of hard characters."""
    seed = int(os.environ.get("ONDOL_SEED", random.randrange(1 << 30)))
    print("seed", seed)
    rng = random.Random(seed)
    files = [p for kind in ("py", "ts", "lua", "md", "json") for p in ROOT.rglob(f"*.{kind}") if "/." not in str(p)]
    files = [p for p in files if "node_modules" not in p.parts]
    for _ in range(count // 2):
        text = rng.choice(files).read_text(encoding="utf-8", errors="replace")
        start = rng.randrange(max(1, len(text) - 2000))
        yield text[start : start + 2000]
        yield "".join(rng.choices(HARD, k=rng.randrange(1, 300)))


def own_tokenizer(path: Path) -> Callable[[str], list[int]]:
    """llama.cpp's tokenizer of a file."""
    c = library()
    options = c.llama_model_default_params()
    options.vocab_only = True
    vocabulary = c.llama_model_get_vocab(c.llama_model_load_from_file(os.fsencode(path), options))

    def encode(text: str) -> list[int]:
        raw = text.encode()
        room = (c.llama_token * (len(raw) + 8))()
        return list(room[: c.llama_tokenize(vocabulary, raw, len(raw), room, len(room), False, False)])

    return encode


@pytest.mark.parametrize("path", [SMALL, OTHER], ids=["byte-level BPE", "SentencePiece"])
def test_the_ids_are_those_of_llama_cpp_on_1000_texts(path: Path) -> None:
    vocabulary, encode = open_folder(path).vocabulary, own_tokenizer(path)
    tags = "<table><td><b>a</b> <s>b</s></td></table> <code>c</code>"
    wrong = [
        text for text in map(without_control_strings, (tags, *texts(1000))) if vocabulary.encode(text) != encode(text)
    ]
    assert wrong == []


@pytest.mark.parametrize("path", [SMALL, OTHER], ids=["byte-level BPE", "SentencePiece"])
def test_text_never_becomes_a_control_token(path: Path) -> None:
    """llama.cpp finds user-defined tokens such as Gemma's ``<start_of_image>`` in text; a file must not write them."""
    vocabulary = open_folder(path).vocabulary
    assert vocabulary.controls
    for name, number in vocabulary.controls.items():
        assert number not in vocabulary.encode(f'"{name}"'), name


@pytest.fixture(scope="module")
def backend() -> LlamaCppBackend:
    return LlamaCppBackend(SMALL, 384, threads=1)


def test_architecture_context_and_format_come_from_the_file(backend: LlamaCppBackend) -> None:
    base = backend.folder
    assert (base.name, base.context, base.spec) == (SMALL.stem, 8192, LEFT_TO_RIGHT)
    assert base.config["architectures"] == ["LlamaForCausalLM"]
    assert base.tensors["model.layers.29.self_attn.k_proj.weight"].shape == (192, 576)


STARTS = (
    "def area(width, height):\n    ",
    "class Point:\n    def __init__(self, x, y):\n        ",
    "for name in names:\n    ",
    "int main(void) {\n    ",
    "if (x == NULL) {\n        ",
    "func Sum(values []int) int {\n\t",
    "import os\nimport sys\n",
    "try:\n    value = int(text)\nexcept ValueError:\n    ",
    "function add(a, b) {\n  ",
    "module counter(input clk, input rst);\n  ",
)


def test_at_line_starts_the_model_writes_words_and_not_more_indentation(backend: LlamaCppBackend) -> None:
    """With the line break in the prompt it begins about a third of its answers with a blank."""
    answers = []
    for prefix in STARTS:
        prompt = backend.render(PromptInput("a", prefix, ""))
        assert backend.folder.vocabulary.decode(prompt.ids) + prompt.token_healing == prefix
        answers.append(backend.generate(prompt, Limits(max_tokens=16)).text)
    begun = [text for text in answers if text.strip() and text[0] not in " \t"]
    assert len(begun) >= 6, answers


def test_another_architecture_writes(tmp_path: Path) -> None:
    other = LlamaCppBackend(OTHER, 256, threads=1)
    prompt = other.render(PromptInput("a.py", "def add(first, second):\n    return first", ""))
    assert other.generate(prompt, Limits(max_tokens=12)).text.strip()
    other.close()


def test_the_commands_take_the_file_and_answer_without_it(tmp_path: Path) -> None:
    root = shop(tmp_path / "shop")
    file = next(root.rglob("*.py"))
    place = f"{file}:3"

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*console_script(), *words], capture_output=True, text=True, env=environment(tmp_path), check=False
        )

    with_model = run("complete", place, "--backend", "local", "--base", str(SMALL), "--json")
    assert with_model.returncode == 0 and "reason" in json.loads(with_model.stdout)
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(SMALL.read_bytes()[:50_000_000])
    without = run("complete", place, "--backend", "local", "--base", str(cut))
    assert without.returncode == 0
    assert "is half downloaded: it has 50.0 of 98.4 MB, so retrieval answers alone; fetch the rest." in without.stderr
    doctor = run("doctor", "--repo", str(root), "--backend", "local", "--base", str(SMALL), "--json")
    about = json.loads(doctor.stdout)["model"]
    assert about["prompt format"] == "left-to-right" and "tokens of a prompt a second" in about["speed"]


def test_a_cut_or_overwritten_file_is_refused_and_what_is_loaded_goes_on(tmp_path: Path) -> None:
    copy = tmp_path / "model.gguf"
    copy.write_bytes(SMALL.read_bytes())
    loaded = LlamaCppBackend(copy, 128, threads=1)
    prompt = loaded.render(PromptInput("a.py", "def add(a, b):\n    return a", ""))
    before = loaded.generate(prompt, Limits(max_tokens=4)).text
    stamp = loaded.folder.stamp()
    with copy.open("r+b") as file:
        file.truncate(1_000_000)
        file.write(bytes(500_000))
    assert loaded.folder.stamp() != stamp
    assert loaded.generate(prompt, Limits(max_tokens=4)).text == before
    with pytest.raises(BackendProblem):
        open_folder(copy)
    loaded.close()
