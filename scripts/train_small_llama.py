"""Train the small LLaMA of the tests: 2.5M parameters, fill-in-the-middle, Python, from files of this machine.

    python scripts/train_small_llama.py prepare WORK [--site DIR ...]   corpus, tokenizer, packed rows (minutes)
    python scripts/train_small_llama.py train WORK                      resumable; an hour on two idle cores
    python scripts/train_small_llama.py measure WORK [--random]         exact rest of line on held-out library files
    python scripts/train_small_llama.py export WORK FOLDER              config, tokenizer, bf16 safetensors, corpus.json

Training has three legs, each with a warm-up and a decay of the learning rate. The first has whole files and middles of
every kind. The second has mostly rests of lines after short prompts, with a higher weight of middles. The third has
long prompts whose context holds the missing text, and rows of repeats; without repeats the model looks back 50 tokens
instead of 500. Muon trains the matrices, AdamW the embedding and the norms. The rate depends on the step, not the
clock, so the result depends only on the seed, the corpus and the arithmetic of the machine.
"""

import argparse
import json
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import small_llama_corpus as corpora
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from indexer.prompt.formats import spec_named
from indexer.prompt.renderer import PROMPT_FORMAT, PromptInput, Renderer
from indexer.prompt.tokenizer import Vocabulary
from lsp_server.backends.base import Limits
from lsp_server.backends.decoding import decoder_for
from lsp_server.backends.torch_llama import TorchLlama

SEED = 20261
CONTROLS = ["<|endoftext|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_sep|>", "<|fim_pad|>"]
VOCABULARY = 4096
QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CONFIG: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 256,
    "intermediate_size": 256,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
    "tie_word_embeddings": True,
    "rms_norm_eps": 1e-5,
    "bos_token_id": None,
    "eos_token_id": 0,
    "pad_token_id": 0,
}
TOKENS, LEG, WARMUP = 3072, 3000, 40
ROWS = (corpora.ROW, corpora.ROW, corpora.LONG_ROW)
"""Tokens of a row in each leg; a step is as many rows as make ``TOKENS``."""

STEPS = len(ROWS) * LEG
MATRIX_RATE, OTHER_RATE = 0.02, 0.004
WEIGHTS = torch.tensor([[0.0, 1.0, 4.0], [0.0, 1.0, 8.0], [0.0, 1.0, 8.0]])
"""Weights of padding, text and middle in each leg. Middles are 4 % of the tokens (then 7 %, then 3 %)."""

REPEATS = 0.2
"""Share of the rows that are repeats, in the last leg."""


def train_tokenizer(texts: list[str]) -> Tokenizer:
    """Byte-level BPE with Qwen2's split, which llama.cpp knows as ``qwen2``."""
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(QWEN2_SPLIT), behavior="isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=CONTROLS, initial_alphabet=alphabet, show_progress=False, min_frequency=3
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def prepare(work: Path, sites: list[Path], steps: int) -> None:
    """Write tokenizer, corpus record, held-out files and the packed rows of the whole run.

    An existing tokenizer and the packages of its corpus are kept, so that training can continue.
    """
    work.mkdir(parents=True, exist_ok=True)
    record, tokenizer = work / "corpus.json", work / "tokenizer.json"
    before = json.loads(record.read_text())["packages"] if tokenizer.is_file() else None
    corpus = corpora.collect(sites, SEED, None if before is None else {package["name"] for package in before})
    if before is None:
        sample = random.Random(SEED).sample(corpus.train, min(len(corpus.train), 1500))
        train_tokenizer([f.text for f in sample]).save(str(tokenizer))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": CONTROLS[0],
        "pad_token": CONTROLS[0],
        "model_max_length": CONFIG["max_position_embeddings"],
        "clean_up_tokenization_spaces": False,
    }
    (work / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    record.write_text(json.dumps(corpus.record, indent=1) + "\n")
    (work / "held_out.json").write_text(json.dumps([[f.name, f.text] for f in corpus.held_out]))
    vocabulary = Vocabulary.load(work)
    spec = spec_named("small-llama")
    sizes = corpora.LIMITS, corpora.LIMITS, corpora.LONG
    ids, weights = np.zeros((steps, TOKENS), np.uint16), np.zeros((steps, TOKENS), np.uint8)
    for leg, (row, limits) in enumerate(zip(ROWS, sizes, strict=True)):
        # The first two legs also cut inside tokens; token healing would hide that.
        renderers = [Renderer(spec, vocabulary, limit, heal=leg == len(ROWS) - 1) for limit in limits]
        first, last = min(steps, leg * LEG), min(steps, (leg + 1) * LEG)
        packed = leg_rows(leg, corpus, vocabulary, renderers, (last - first) * TOKENS // row)
        for number in range(first, last):
            for place in range(0, TOKENS, row):
                ids[number, place : place + row], weights[number, place : place + row] = next(packed)
            if number % 500 == 0:
                print(f"step {number} of {steps}", flush=True)
    np.save(work / "ids.npy", ids)
    np.save(work / "weights.npy", weights)
    print(f"{ids.size / 1e6:.1f} M tokens, {(weights == 0).mean():.1%} padding, {(weights == 2).mean():.1%} middle")


def leg_rows(
    leg: int, corpus: corpora.Corpus, vocabulary: Vocabulary, renderers: list[Renderer], count: int
) -> Iterator[tuple[list[int], list[int]]]:
    """Yield the rows of a leg with the weights of their tokens."""
    if leg < 2:
        stream = corpora.samples(corpus, vocabulary, renderers, SEED + leg, focus=leg == 1)
        yield from corpora.rows(stream, count, ROWS[leg])
        return
    rng = random.Random(SEED + leg)
    texts = "".join(file.text for file in rng.sample(corpus.train, min(len(corpus.train), 400)))
    lines = [vocabulary.encode(line) for line in texts.splitlines(keepends=True) if len(line.strip()) > 8]
    again = corpora.repeats(lines, VOCABULARY, SEED + leg)
    samples = corpora.rows(corpora.copying(corpus, vocabulary, renderers, SEED + leg), count, ROWS[leg])
    for _ in range(count):
        yield next(again if rng.random() < REPEATS else samples)


def new_model() -> LlamaForCausalLM:
    """Return the model with random weights from the seed."""
    torch.manual_seed(SEED)
    config = LlamaConfig(**CONFIG, initializer_range=0.02, attn_implementation="sdpa")
    model = LlamaForCausalLM(config)
    for name, parameter in model.named_parameters():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            parameter.data.div_((2 * CONFIG["num_hidden_layers"]) ** 0.5)
    return model


def optimizers(model: LlamaForCausalLM) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for the rest."""
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    return [
        torch.optim.Muon(matrices, lr=MATRIX_RATE, momentum=0.95, weight_decay=0.05),
        torch.optim.AdamW(others, lr=OTHER_RATE, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def rate(step: int) -> float:
    """Share of the full learning rate: in each leg warm-up, level, and a linear fall over the last half."""
    step %= LEG
    return min(1.0, (step + 1) / WARMUP, max(0.02, 2 * (LEG - step) / LEG))


def save_state(path: Path, model: LlamaForCausalLM, opts: list[torch.optim.Optimizer], step: int) -> None:
    """Write a safetensors file under another name and rename it, so that it is complete or absent."""
    tensors = {f"model.{k}": v.contiguous() for k, v in model.state_dict().items() if k != "lm_head.weight"}
    for number, opt in enumerate(opts):
        for index, state in opt.state_dict()["state"].items():
            tensors |= {f"opt.{number}.{index}.{k}": torch.as_tensor(v).clone() for k, v in state.items()}
    save_file(tensors, path.with_suffix(".new"), metadata={"step": str(step)})
    path.with_suffix(".new").replace(path)


def load_state(path: Path, model: LlamaForCausalLM, opts: list[torch.optim.Optimizer]) -> int:
    """Restore model and optimizers; return the next step."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        step = int(file.metadata()["step"])
    tensors = load_file(path)
    weights = {k[6:]: v for k, v in tensors.items() if k.startswith("model.")}
    model.load_state_dict({**weights, "lm_head.weight": weights["model.embed_tokens.weight"]})
    for number, opt in enumerate(opts):
        state: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            parts = key.split(".")
            if parts[0] == "opt" and parts[1] == str(number):
                state.setdefault(int(parts[2]), {})[parts[3]] = value
        opt.load_state_dict({"state": state, "param_groups": opt.state_dict()["param_groups"]})
    return step


def train(work: Path, steps: int, compiled: bool, threads: int) -> None:
    """Train to the last step, from the last checkpoint if there is one."""
    torch.set_num_threads(threads)
    ids, weights = np.load(work / "ids.npy", mmap_mode="r"), np.load(work / "weights.npy", mmap_mode="r")
    model, checkpoint = new_model(), work / "checkpoint.safetensors"
    opts = optimizers(model)
    first = load_state(checkpoint, model, opts) if checkpoint.is_file() else 0
    forward = torch.compile(model) if compiled else model
    log = (work / "log.jsonl").open("a")
    for step in range(first, steps):
        began, cpu = time.perf_counter(), time.process_time()
        leg = step // LEG % len(ROWS)
        batch = torch.from_numpy(ids[step].astype(np.int64).reshape(-1, ROWS[leg]))
        marks = torch.from_numpy(weights[step].astype(np.int64).reshape(-1, ROWS[leg]))[:, 1:].reshape(-1)
        weight = WEIGHTS[leg][marks]
        with torch.autocast("cpu", torch.bfloat16):
            logits = forward(input_ids=batch, use_cache=False).logits[:, :-1]
        flat = logits.reshape(-1, VOCABULARY).float()
        losses = functional.cross_entropy(flat, batch[:, 1:].reshape(-1), reduction="none")
        loss = (losses * weight).sum() / weight.sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for opt, full in zip(opts, (MATRIX_RATE, OTHER_RATE), strict=True):
            opt.param_groups[0]["lr"] = full * rate(step)
            opt.step()
            opt.zero_grad(set_to_none=True)
        middle = (losses.detach() * (marks == 2)).sum() / (marks == 2).sum()
        seconds = time.perf_counter() - began
        row = {
            "step": step,
            "loss": round(loss.item(), 4),
            "middle": round(middle.item(), 4),
            "s": round(seconds, 2),
            "cpu_s": round(time.process_time() - cpu, 2),
        }
        log.write(json.dumps(row) + "\n")
        log.flush()
        if step % 20 == 0:
            print(f"{row} {batch.numel() / seconds:.0f} tokens/s", flush=True)
        if (step + 1) % 50 == 0 or step + 1 == steps:
            save_state(checkpoint, model, opts, step + 1)


def trained(work: Path, random_weights: bool) -> tuple[LlamaForCausalLM, int]:
    """Return the model of the last checkpoint, and its step."""
    model = new_model()
    step = 0 if random_weights else load_state(work / "checkpoint.safetensors", model, [])
    return model.eval(), step


def cursors(files: list[list[str]], count: int) -> list[tuple[str, str, str, str]]:
    """Random mid-line places: (name, prefix, suffix, rest of the line); code lines of at least 8 characters."""
    rng = random.Random(SEED)
    out: list[tuple[str, str, str, str]] = []
    while len(out) < count:
        name, text = rng.choice(files)
        lines = text.splitlines(keepends=True)
        number = rng.randrange(len(lines))
        line = lines[number].rstrip("\n")
        code = line.strip()
        if len(code) < 8 or code.startswith(("#", '"', "'")):
            continue
        at = rng.randrange(len(line) - len(line.lstrip()) + 1, len(line.rstrip()))
        before = "".join(lines[:number]) + line[:at]
        out.append((name, before, "".join(lines[number:])[len(line) :], line[at:]))
    return out


def measure(work: Path, count: int, random_weights: bool, threads: int) -> dict[str, Any]:
    """Exact rest of line, greedy, on held-out files, without any retrieved context."""
    torch.set_num_threads(threads)
    model, step = trained(work, random_weights)
    vocabulary, spec = Vocabulary.load(work), spec_named("small-llama")
    renderer = Renderer(spec, vocabulary, 512)
    decoder = decoder_for(TorchLlama(model, CONFIG["max_position_embeddings"]), spec, vocabulary)
    hits = blank = 0
    for name, prefix, suffix, rest in cursors(json.loads((work / "held_out.json").read_text()), count):
        text = decoder.generate(renderer.render(PromptInput(name, prefix, suffix)), Limits(max_tokens=40)).text
        hits += text == rest
        blank += not text
    name = "random" if random_weights else f"step {step}"
    return {"weights": name, "cursors": count, "exact_rest_of_line": hits / count, "empty": blank / count}


def export(work: Path, folder: Path) -> None:
    """Write the model's folder, which tests load, and the list of its corpus."""
    folder.mkdir(parents=True, exist_ok=True)
    model, _ = trained(work, False)
    tensors = {k: v.to(torch.bfloat16).contiguous() for k, v in model.state_dict().items() if k != "lm_head.weight"}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        **model.config.to_dict(),
        "architectures": ["LlamaForCausalLM"],
        "dtype": "bfloat16",
        "ondol_prompt_spec": "small-llama",
        "ondol_prompt_format": PROMPT_FORMAT,
    }
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}, indent=2) + "\n")
    for name in ("tokenizer.json", "tokenizer_config.json", "corpus.json"):
        shutil.copyfile(work / name, folder / name)


def main() -> None:
    """Run one step of the work from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("prepare", "train", "measure", "export"))
    parser.add_argument("work", type=Path)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--site", type=Path, action="append", help="a site-packages folder to take packages from")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cursors", type=int, default=500)
    parser.add_argument("--compile", action="store_true", help="about a quarter faster, needs a C++ compiler")
    parser.add_argument("--random", action="store_true", help="measure random weights")
    arguments = parser.parse_args()
    if arguments.step == "prepare":
        import sysconfig

        prepare(arguments.work, arguments.site or [Path(sysconfig.get_paths()["purelib"])], arguments.steps)
    elif arguments.step == "train":
        train(arguments.work, arguments.steps, arguments.compile, arguments.threads)
    elif arguments.step == "measure":
        print(json.dumps(measure(arguments.work, arguments.cursors, arguments.random, arguments.threads)))
    else:
        export(arguments.work, arguments.folder or Path("tests/fixtures/small_llama"))


if __name__ == "__main__":
    main()
