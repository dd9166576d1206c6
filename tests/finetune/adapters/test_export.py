"""Exports: the files say the same as the model they come from, and a failed export leaves nothing behind."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: exports are NOT compared with transformers")
pytest.importorskip("transformers", reason="transformers is not installed: exports are NOT compared with it")
pytest.importorskip("gguf", reason="gguf is not installed: GGUF exports are NOT tested")
pytest.importorskip("llama_cpp.llama_cpp", reason="llama-cpp-python is not installed: GGUF exports are NOT tested")

from transformers import AutoModelForCausalLM

from finetune.adapters.export import export_gguf, export_safetensors
from indexer.errors import UserError
from indexer.prompt.renderer import PromptInput
from lsp_server.backends.base import Limits
from lsp_server.backends.llamacpp_backend import LlamaCppBackend, LlamaCppModel
from lsp_server.backends.torch_backend import TorchBackend
from lsp_server.errors import BackendProblem
from lsp_server.weights.adapter_registry import read_version
from lsp_server.weights.base_model import ModelFolder, open_folder
from tests.support.adapters import lora, write_version
from tests.support.models import write_split_folder

pytestmark = [pytest.mark.llamacpp, pytest.mark.slow]

SHAPES = {
    "granite: biases": {"attention_bias": True, "mlp_bias": True},
    "tied, linear rope": {
        "tie_word_embeddings": True,
        "rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 100000.0},
    },
    "llama-3 rope": {
        "rope_parameters": {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
            "rope_theta": 500000.0,
        }
    },
    "qwen2": {"config_class": "Qwen2Config"},
}
TEXT = "def f(x):\n    for i in range(10):\n        x += i * 2\n    return x\n" * 3


def logits_of(folder: Path, ids: list[int]) -> torch.Tensor:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        return model(torch.tensor([ids])).logits[0]


def adapter(tmp_path: Path, base: ModelFolder, seed: int = 1):
    registry = tmp_path / "registry"
    number = len(list((registry / "versions").glob("*"))) + 1 if registry.exists() else 1
    write_version(registry, number, base, tensors=lora(base, seed=seed, size=0.15))
    return read_version(registry, number, base.identity, base.spec.name, base.tensors)


@pytest.mark.parametrize("shape", SHAPES)
def test_logits_and_tokens_of_the_gguf_are_those_of_transformers(shape: str, tmp_path: Path) -> None:
    path = write_split_folder(tmp_path / "base", **SHAPES[shape])
    base = open_folder(path)
    report = export_gguf(base, tmp_path / "out", kinds=("f16", "q8_0", "q4_k_m"))
    assert [c.tokenizer_parity for c in report] == [(4, 4)] * 3
    assert report[0].same_choice == 1.0 and report[1].same_choice >= 0.9
    assert report[2].size < report[1].size < report[0].size
    ids = base.vocabulary.encode(TEXT)[:150]
    model = LlamaCppModel(tmp_path / "out" / "base.f16.gguf", 256, threads=1)
    got = torch.tensor(model.logits(ids))
    model.close()
    wanted = logits_of(path, ids)
    assert float((got - wanted).abs().max()) < 0.02 * float(wanted.abs().max())
    assert float((got.argmax(1) == wanted.argmax(1)).float().mean()) > 0.97


def test_an_adapter_merged_attached_and_on_torch_is_the_same(tmp_path: Path) -> None:
    base = open_folder(write_split_folder(tmp_path / "base"))
    version = adapter(tmp_path, base)
    export_gguf(base, tmp_path / "plain", kinds=("f16",))
    export_gguf(base, tmp_path / "merged", version, kinds=("f16",))
    export_safetensors(base, tmp_path / "safe", version)
    prompt_of = PromptInput("a.py", "def total(price):\n    return ", "\n")
    limits = Limits(single_line=False, max_tokens=24, max_lines=99)
    on_torch = TorchBackend(tmp_path / "base", 200, "cpu", torch.float32, threads=1)
    bare = on_torch.generate(on_torch.render(prompt_of), limits).tokens
    on_torch.set_adapter(version)
    wanted = on_torch.generate(on_torch.render(prompt_of), limits).tokens
    safe = TorchBackend(tmp_path / "safe", 200, "cpu", torch.float32, threads=1)
    assert safe.generate(safe.render(prompt_of), limits).tokens == wanted != bare
    merged = LlamaCppBackend(tmp_path / "merged", 200, threads=1)
    attached = LlamaCppBackend(tmp_path / "plain", 200, threads=1)
    assert attached.generate(attached.render(prompt_of), limits).tokens[:8] == bare[:8]
    assert attached.folder.identity == base.identity
    same = read_version(tmp_path / "registry", 1, attached.folder.identity, "small-llama", attached.folder.tensors)
    attached.set_adapter(same)
    for backend in (merged, attached):  # 16-bit rounding may part them after a while
        assert backend.generate(backend.render(prompt_of), limits).tokens[:8] == wanted[:8]
    attached.set_adapter(None)
    assert attached.generate(attached.render(prompt_of), limits).tokens[:8] == bare[:8]
    merged.close()
    attached.close()


def test_llama_cpp_under_our_loop(tmp_path: Path) -> None:
    base = open_folder(write_split_folder(tmp_path / "base"))
    export_gguf(base, tmp_path / "out", kinds=("f16",))
    backend = LlamaCppBackend(tmp_path / "out", 200, threads=1)
    prompt = backend.render(PromptInput("a.py", TEXT, "\n"))
    limits = Limits(single_line=False, max_tokens=12, max_lines=99)
    plain = backend.generate(prompt, limits)
    drafted = backend.generate(prompt, limits, drafts=[plain.text])
    assert drafted.tokens == plain.tokens
    assert drafted.reused == len(prompt.ids) - 1
    scores = backend.score(prompt, [plain.text[:20], "zzz", "", "return x"] * 4)
    assert scores is not None and len(scores) == 16
    assert scores[:4] == pytest.approx(scores[4:8], abs=0.05)
    assert scores[2] < 0  # the end alone
    assert backend.generate(prompt, limits).tokens == plain.tokens  # scoring has left the cache as it was
    one_by_one = [backend.score(prompt, [t]) for t in (plain.text[:20], "zzz")]
    assert [s[0] for s in one_by_one if s] == pytest.approx(scores[:2], abs=0.05)
    held = backend.render(PromptInput("a.py", TEXT + "    return fo", "\n"))
    assert held.token_healing == " fo"
    on_torch = TorchBackend(tmp_path / "base", 200, "cpu", torch.float32, threads=1)
    wanted = on_torch.generate(held, limits)
    for drafts in ((), ("r i in x",)):
        made = backend.generate(held, limits, drafts=drafts)
        assert made.tokens[:6] == wanted.tokens[:6] and base.vocabulary.decode(made.tokens).startswith(" fo")
        assert made.logprobs[0] == pytest.approx(wanted.logprobs[0], abs=0.05)
    texts = ["r i in range(3):", "o()", "x"] * 5
    assert backend.score(held, texts) == pytest.approx(on_torch.score(held, texts), abs=0.3)
    backend.close()


def test_an_adapter_with_nan_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    base = open_folder(write_split_folder(tmp_path / "base"))
    bad = lora(base)
    next(iter(bad.values()))[0, 0] = float("nan")
    write_version(tmp_path / "registry", 1, base, tensors=bad)
    version = read_version(tmp_path / "registry", 1, base.identity, base.spec.name, base.tensors)
    with pytest.raises(UserError, match="NaN"):
        export_gguf(base, tmp_path / "out", version)
    with pytest.raises(UserError, match="NaN"):
        export_safetensors(base, tmp_path / "out", version)
    export_gguf(base, tmp_path / "plain", kinds=("f16",))
    backend = LlamaCppBackend(tmp_path / "plain", 200, threads=1)
    with pytest.raises(BackendProblem, match="NaN"):
        backend.set_adapter(version)
    backend.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["base", "plain", "registry"]


def test_an_existing_folder_and_an_unknown_kind_are_the_users_to_cure(tmp_path: Path) -> None:
    base = open_folder(write_split_folder(tmp_path / "base"))
    with pytest.raises(UserError, match="exists already"):
        export_safetensors(base, tmp_path / "base")
    with pytest.raises(UserError, match="q3_x is no kind"):
        export_gguf(base, tmp_path / "out", kinds=("q3_x",))


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path) -> None:
    path = write_split_folder(tmp_path / "base")
    (path / "model.safetensors").unlink()
    (path / "broken.gguf").write_bytes(b"GGUF" + b"\0" * 100)
    with pytest.raises(BackendProblem, match=r"broken\.gguf is damaged"):
        LlamaCppBackend(path)
