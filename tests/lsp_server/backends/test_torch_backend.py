"""The torch backend: the same numbers as transformers for every shape, the same text with and without drafts."""

import dataclasses
import itertools
import re
import threading
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: the local model on torch is NOT tested")
pytest.importorskip("transformers", reason="transformers is not installed: the local model on torch is NOT tested")

from indexer.prompt.renderer import ContextPiece, PromptInput, Renderer
from lsp_server.backends.base import Limits
from lsp_server.backends.draft_length import DraftLength
from lsp_server.backends.torch_backend import TorchBackend
from lsp_server.backends.torch_generic import TorchGenericModel
from lsp_server.backends.torch_llama import TorchLlama, supports
from lsp_server.errors import BackendProblem
from lsp_server.weights.adapter_registry import read_version
from lsp_server.weights.base_model import open_folder
from tests.support.adapters import PREFIX, lora, write_version
from tests.support.models import make_model, write_folder

pytestmark = pytest.mark.model

SMALL = Path(__file__).parents[2] / "fixtures" / "small_llama"
SHAPES = {
    "llama": ("LlamaConfig", {}),
    "granite: biases": ("LlamaConfig", {"attention_bias": True, "mlp_bias": True}),
    "tied": ("LlamaConfig", {"tie_word_embeddings": True}),
    "deepseek: linear rope": (
        "LlamaConfig",
        {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 100000.0}},
    ),
    "llama-3 rope": (
        "LlamaConfig",
        {
            "rope_parameters": {
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
                "rope_theta": 500000.0,
            }
        },
    ),
    "no groups": ("LlamaConfig", {"num_key_value_heads": 4}),
    "wide heads": ("LlamaConfig", {"head_dim": 32}),
    "qwen2": ("Qwen2Config", {}),
    "mistral": ("MistralConfig", {"sliding_window": None}),
}


def random_biases(model) -> None:
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            parameter.data.normal_(0, 0.3)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_llama_forward_pass_computes_what_transformers_computes(shape: str) -> None:
    config_class, changes = SHAPES[shape]
    model = make_model(config_class, **changes)
    random_biases(model)
    assert supports(model.config)
    ids = torch.randint(0, 256, (90,)).tolist()
    expected = torch.log_softmax(model(torch.tensor([ids])).logits[0], -1)
    lean = TorchLlama(model, 200)
    for at in (0, 40, 41, 60):  # a prompt, one token, a draft, the rest
        end = {0: 40, 40: 41, 41: 60, 60: 90}[at]
        best, chances = lean.feed(ids[at:end], end - at)
        wanted = expected[at:end].topk(3)
        assert torch.allclose(torch.tensor(chances), wanted.values, atol=2e-4)
        assert best[-1][0] == wanted.indices[-1, 0]
    lean.keep(50)
    again = lean.feed(ids[50:], 1)[1]
    assert torch.allclose(torch.tensor(again[0]), expected[-1].topk(3).values, atol=2e-4)
    after = model(torch.tensor([ids])).logits[0]  # joining the matrices has not changed the model itself
    assert torch.allclose(torch.log_softmax(after, -1), expected, atol=2e-5)


def test_starcoder2_runs_under_transformers_own_forward_pass() -> None:
    model = make_model("Starcoder2Config", sliding_window=None)
    assert not supports(model.config)
    ids = torch.randint(0, 256, (60,)).tolist()
    expected = torch.log_softmax(model(torch.tensor([ids])).logits[0], -1)
    general = TorchGenericModel(model, 200)
    general.feed(ids[:40], 1)
    general.feed([1, 2, 3], 1)
    general.keep(40)
    _, chances = general.feed(ids[40:], 20)
    assert torch.allclose(torch.tensor(chances), expected[40:].topk(3).values, atol=2e-4)
    general.keep(30)
    [likely] = general.likelihoods(ids[30], [ids[31:36]])
    assert likely == pytest.approx(float(sum(expected[30 + i, ids[31 + i]] for i in range(5))), abs=1e-3)


def test_likelihoods_in_one_pass_equal_those_one_by_one() -> None:
    model = make_model()
    ids = torch.randint(0, 256, (30,)).tolist()
    texts = [torch.randint(0, 256, (n,)).tolist() for n in (1, 7, 0, 12)]
    lean = TorchLlama(model, 100)
    lean.feed(ids[:-1], 1)
    got = lean.likelihoods(ids[-1], texts)
    for text, value in zip(texts, got, strict=True):
        chances = torch.log_softmax(model(torch.tensor([ids + text])).logits[0], -1)
        wanted = sum(float(chances[len(ids) - 1 + i, t]) for i, t in enumerate(text))
        assert value == pytest.approx(wanted, abs=1e-3)
    assert lean.likelihoods(ids[-1], texts * 5) == pytest.approx(got * 5, abs=1e-3)  # more than fits into one pass
    given = [text[0] for text in texts if text] + [5, 9]
    first = torch.log_softmax(model(torch.tensor([ids])).logits[0, -1], -1)
    mass = float(first[given].logsumexp(-1))
    wanted = [value - mass if text else 0 for text, value in zip(texts, got, strict=True)]
    assert lean.likelihoods(ids[-1], texts, given) == pytest.approx(wanted, abs=1e-3)
    general = TorchGenericModel(model, 100)
    general.feed(ids[:-1], 1)
    assert general.likelihoods(ids[-1], texts, given) == pytest.approx(wanted, abs=1e-3)
    for one in (lean, general):
        one.feed([ids[-1], 1, 2], 3)
        found, chances = one.among(0, given)
        assert found[0] == given[int(first[given].argmax())]
        assert chances == pytest.approx([float(first[i]) - mass for i in found], abs=1e-3)
        one.keep(len(ids) - 1)
    best = lean.feed(ids[-1:], 1)[0][0][0]
    assert best == int(model(torch.tensor([ids])).logits[0, -1].argmax())


def test_the_static_step_of_the_cuda_path_gives_the_same_numbers() -> None:
    model = make_model()
    ids = torch.randint(0, 256, (40,)).tolist()
    expected = model(torch.tensor([ids])).logits[0]
    lean = TorchLlama(model, 100)
    lean.feed(ids[:20], 1)
    with torch.inference_mode():
        for at in range(20, 40, 4):  # four real tokens in a step of five
            logits = lean.static_step(torch.tensor([*ids[at : at + 4], 0]), torch.tensor([at]))
            assert torch.allclose(logits[:4], expected[at : at + 4], atol=1e-4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def backend(folder: Path) -> TorchBackend:
    return TorchBackend(folder, limit=256, device="cpu", dtype=torch.float32, threads=1)


PARTS = PromptInput("a.py", "def total(price, amount):\n    return ", "\n\nprint(total(1, 2))\n")
LONG = Limits(single_line=False, max_tokens=40, max_lines=99)


def test_generation_equals_transformers_generate(backend: TorchBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = backend.render(PARTS)
    made = backend.generate(prompt, LONG)
    ids = torch.tensor([prompt.ids])
    ends = sorted(backend.folder.vocabulary.control_ids)
    out = backend._module.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=40, do_sample=False, eos_token_id=ends, pad_token_id=0
    )
    wanted = [t for t in out[0, ids.shape[1] :].tolist() if t not in ends]
    assert list(made.tokens) == wanted[: len(made.tokens)]
    assert len(made.tokens) > 20
    monkeypatch.setattr(backend._decoder, "_draft_length", DraftLength())
    monkeypatch.setattr(backend._decoder, "_clock", itertools.count().__next__)  # passes cost the same
    drafted = backend.generate(prompt, LONG, drafts=[made.text, "price * amount"])
    assert drafted.tokens == made.tokens
    assert drafted.forwards <= made.forwards // 5


def test_a_word_of_the_context_is_completed_wherever_it_is_cut() -> None:
    """The model knows a prompt that ends before the unfinished word; it does not know one that ends inside it."""
    small = TorchBackend(SMALL, limit=512, device="cpu", dtype=torch.float32, threads=1)
    unhealed = Renderer(small.folder.spec, small.folder.vocabulary, 512, heal=False)
    lines = [
        "ledger.append_entry(amount, currency)",
        "if not settings.allow_negative_balance:",
        "return self.formatter.as_table(rows, width)",
    ]
    context = (ContextPiece("shop/old.py", "def first(self):\n    " + "\n    ".join(lines) + "\n"),)
    right = {True: 0, False: 0}
    cuts = [(line, at) for line in lines for at in range(8, len(line)) if re.fullmatch(r"\w\w", line[at - 1 : at + 1])]
    for line, at in cuts:
        parts = PromptInput("shop/new.py", f"def second(self):\n    {line[:at]}", "\n", context)
        for heal, renderer in ((True, small), (False, unhealed)):
            made = small.generate(renderer.render(parts), Limits(single_line=True, max_tokens=24)).text
            right[heal] += re.match(r"\w*", made)[0] == re.match(r"\w*", line[at:])[0]
    assert right[True] > max(0.6 * len(cuts), 1.5 * right[False]), (right, len(cuts))


def test_the_generated_text_is_the_likeliest(backend: TorchBackend) -> None:
    prompt = backend.render(PARTS)
    made = backend.generate(prompt, dataclasses.replace(LONG, max_tokens=6))
    scores = backend.score(prompt, [made.text, "price * amount", "zzzzzz"])
    assert scores is not None and scores[0] == max(scores)
    assert scores[0] < sum(made.logprobs)  # its end counts too


def test_a_cancel_from_another_thread_ends_the_generation(backend: TorchBackend) -> None:
    stop = threading.Event()
    made = []
    limits = Limits(single_line=False, max_tokens=10**6, max_lines=10**6)
    thread = threading.Thread(target=lambda: made.append(backend.generate(backend.render(PARTS), limits, stop.is_set)))
    thread.start()
    stop.set()
    thread.join(20)
    assert not thread.is_alive()
    assert made[0].reason in ("cancelled", "end", "tokens")


def test_a_deadline_in_the_past_answers_at_once(backend: TorchBackend) -> None:
    made = backend.generate(backend.render(PARTS), dataclasses.replace(LONG, deadline=time.monotonic()))
    assert made.reason == "time"


def test_nan_weights_are_a_problem_in_one_sentence(tmp_path: Path) -> None:
    backend = TorchBackend(write_folder(tmp_path), limit=100, device="cpu", dtype=torch.float32)
    backend._module.model.norm.weight.data.fill_(float("nan"))
    with pytest.raises(BackendProblem, match="NaN"):
        backend.generate(backend.render(PARTS), LONG)
    backend._module.model.norm.weight.data.fill_(1.0)
    assert backend.generate(backend.render(PARTS), LONG).tokens


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "the GPU has no memory left for the model; use a smaller base"),
        (RuntimeError("CUDA error: device-side assert"), "the GPU failed; restart the server"),
        (RuntimeError("shape mismatch"), r"the model failed \(shape mismatch\); check the model folder"),
    ],
)
def test_an_error_of_torch_is_one_sentence_and_the_next_request_works(
    backend: TorchBackend, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    """The errors that torch raises for a GPU without memory and for a lost GPU; no GPU is needed."""
    prompt = backend.render(PARTS)
    expected = backend.generate(prompt, LONG).tokens
    feed, calls = backend._decoder._model.feed, [0]

    def failing(tokens, last):
        calls[0] += 1
        if calls[0] == 4:
            raise error
        return feed(tokens, last)

    monkeypatch.setattr(backend._decoder._model, "feed", failing)
    backend._decoder.forget()
    with pytest.raises(BackendProblem, match=said):
        backend.generate(prompt, LONG)
    assert backend.generate(prompt, LONG).tokens == expected


def test_an_adapter_is_merged_replaced_and_removed(folder: Path, tmp_path: Path) -> None:
    backend = TorchBackend(folder, limit=256, device="cpu", dtype=torch.float32, threads=1)
    base = open_folder(folder)
    write_version(tmp_path, 1, base)
    write_version(tmp_path, 2, base, tensors=lora(base, seed=2))
    prompt = backend.render(PARTS)
    bare = backend.generate(prompt, LONG)
    made = {}
    for number in (1, 2):
        version = read_version(tmp_path, number, base.identity, base.spec.name, base.tensors)
        backend.set_adapter(version)
        assert backend.name.endswith(f"+{number}")
        made[number] = backend.generate(prompt, LONG)
        merged = make_model()
        merged.lm_head.weight.data[128:] = 0.0
        tensors = lora(base, seed=number)
        for module in version.pairs:
            a, b = (torch.tensor(tensors[f"{PREFIX}{module}.lora_{side}.weight"]) for side in "AB")
            merged.get_submodule(module).weight.data += 2.0 * (b @ a)
        ids = torch.tensor([prompt.ids])
        out = merged.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=40,
            do_sample=False,
            pad_token_id=0,
            eos_token_id=sorted(base.vocabulary.control_ids),
        )[0, ids.shape[1] :].tolist()
        assert list(made[number].tokens) == out[: len(made[number].tokens)]
    assert len({m.tokens for m in (bare, made[1], made[2])}) == 3
    backend.set_adapter(None)
    assert backend.generate(prompt, LONG).tokens == bare.tokens  # equal to the bit: rounding errors do not add up


def test_an_adapter_with_nan_leaves_the_previous_one_in_place(folder: Path, tmp_path: Path) -> None:
    backend = TorchBackend(folder, limit=256, device="cpu", dtype=torch.float32, threads=1)
    base = open_folder(folder)
    write_version(tmp_path, 1, base)
    bad = lora(base, seed=2)
    next(iter(bad.values()))[0, 0] = float("nan")
    write_version(tmp_path, 2, base, tensors=bad)
    backend.set_adapter(read_version(tmp_path, 1, base.identity, base.spec.name, base.tensors))
    before = backend.generate(backend.render(PARTS), LONG)
    with pytest.raises(BackendProblem, match="NaN"):
        backend.set_adapter(read_version(tmp_path, 2, base.identity, base.spec.name, base.tensors))
    assert backend.name.endswith("+1")
    assert backend.generate(backend.render(PARTS), LONG).tokens == before.tokens


@pytest.fixture(scope="module", params=[8, 4])
def quantized(request: pytest.FixtureRequest) -> TorchBackend:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed: bases in 8 and 4 bits are NOT tested")
    return TorchBackend(SMALL, limit=256, device="cpu", dtype=torch.float32, threads=1, bits=request.param)


def test_a_base_in_8_or_4_bits_takes_less_and_writes_nearly_the_same(quantized: TorchBackend) -> None:
    whole = TorchBackend(SMALL, limit=256, device="cpu", dtype=torch.float32, threads=1)
    bits = int(quantized.about["runs_on"].split()[-2])
    layers = [sum(p.nbytes for p in backend._module.model.layers.parameters()) for backend in (whole, quantized)]
    assert layers[1] < layers[0] * (bits + 1) / 32
    prompt = quantized.render(PARTS)
    ids = torch.tensor([prompt.ids])
    with torch.inference_mode():
        wanted, got = (torch.log_softmax(backend._module(ids).logits[0].float(), -1) for backend in (whole, quantized))
    apart = float((wanted.exp() * (wanted - got)).sum(-1).mean())
    assert apart < {8: 0.02, 4: 0.3}[bits], apart  # nats; 0.0007 and 0.05 as measured
    assert quantized.generate(prompt, LONG).tokens == quantized.generate(prompt, LONG).tokens


def test_an_adapter_on_a_quantized_base_computes_what_peft_computes(quantized: TorchBackend, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft", reason="peft is not installed: adapters on quantized bases are NOT tested")
    base = open_folder(SMALL)
    folder = write_version(tmp_path, 1, base, tensors=lora(base, size=0.1))
    bad = lora(base, seed=2)
    next(iter(bad.values()))[0, 0] = float("nan")
    write_version(tmp_path, 2, base, tensors=bad)
    prompt, ids = quantized.render(PARTS), torch.tensor([list(range(40, 90))])
    bare = quantized.generate(prompt, LONG).tokens
    quantized.set_adapter(read_version(tmp_path, 1, base.identity, base.spec.name, base.tensors))
    try:
        with pytest.raises(BackendProblem, match="NaN"):
            quantized.set_adapter(read_version(tmp_path, 2, base.identity, base.spec.name, base.tensors))
        assert quantized.name.endswith("+1")
        with torch.inference_mode():
            got = quantized._module(ids).logits
    finally:
        quantized.set_adapter(None)
    assert quantized.generate(prompt, LONG).tokens == bare
    other = TorchBackend(SMALL, limit=256, device="cpu", dtype=torch.float32, bits=int(quantized._bits))
    with torch.inference_mode():
        plain = other._module(ids).logits
        wanted = peft.PeftModel.from_pretrained(other._module, str(folder)).eval()(ids).logits
    effect = (plain - wanted).abs().mean()
    assert (got - wanted).abs().mean() < 0.05 * effect, "on a CPU, 4 bits are computed in bfloat16"
    assert effect > 0.3


def test_a_quantized_base_without_bitsandbytes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        BackendProblem, match=r"4 bits needs bitsandbytes; set base_bits to 16, or run: .*\[quantized\]"
    ):
        TorchBackend(SMALL, limit=256, device="cpu", bits=4)
