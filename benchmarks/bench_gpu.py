"""Measures the model on a GPU: writing, prompts, drafts, adapters, bits, training. One command of at most nine minutes.

    python benchmarks/bench_gpu.py [--only PART ...] [--again] [--out FILE]
    python benchmarks/bench_gpu.py --dry --out FILE     tiny shapes on a CPU: shows that every part runs

Weights are random, in the shapes of LLaMA models of 1.3 and 8 billion parameters: speed does not depend on their
values. Each part runs in a process of its own, and its figures are written to ``results/gpu.json`` at once. A later
call of the same commit on the same device runs only the parts that are missing. A part that fails is reported and does
not end the others.

Aims: writing reaches 70 % of the memory's bandwidth, a prompt of 2,000 tokens and 24 tokens take 150 ms, training
reaches a model FLOP utilisation of 0.35 (4 FLOP for each weight and token: the base's weights get no gradient).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from made_on import head

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "gpu.json"
TOKENIZER = ROOT / "tests" / "fixtures" / "small_llama"
SECONDS: Final = 540.0
PEAK_TFLOPS: Final = {"H100": 989, "H200": 989, "A100": 312, "L40S": 362, "L4": 121, "4090": 165}
"""Dense bf16 products of some cards, in 10^12 FLOP a second, by their data sheets."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A LLaMA's shape, and the lengths that are measured with it."""

    hidden: int
    inner: int
    layers: int
    heads: int
    groups: int
    vocabulary: int
    prompt: int = 2000
    written: int = 24
    row: int = 2176
    rows: int = 24


SMALL: Final = Shape(2048, 5504, 24, 16, 16, 32_256)
LARGE: Final = Shape(4096, 14_336, 32, 32, 8, 155_136)
TINY: Final = Shape(64, 128, 2, 4, 2, 4_608, prompt=96, written=4, row=128, rows=16)


class Bench:
    """The device and the shapes of one run."""

    def __init__(self, work: Path, *, dry: bool) -> None:
        import torch

        self.dry, self.work = dry, work
        if dry:
            torch.set_num_threads(1)  # on a busy machine two threads wait for each other
        self.device = torch.device("cpu" if dry else "cuda")
        self.dtype = torch.float32 if dry else torch.bfloat16
        self.small, self.large = (TINY, TINY) if dry else (SMALL, LARGE)

    def module(self, shape: Shape) -> Any:
        """Return a random model of transformers on the device."""
        import torch
        from transformers import LlamaConfig, LlamaForCausalLM

        config = LlamaConfig(
            hidden_size=shape.hidden,
            intermediate_size=shape.inner,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.groups,
            vocab_size=shape.vocabulary,
            max_position_embeddings=4096,
            torch_dtype=self.dtype,
        )
        before = torch.get_default_dtype()
        torch.set_default_dtype(self.dtype)
        try:
            with self.device:
                return LlamaForCausalLM(config).eval().requires_grad_(False)
        finally:
            torch.set_default_dtype(before)

    def folder(self) -> Path:
        """Return a folder with a random small model and a tokenizer, written once."""
        folder = self.work / "model"
        if not (folder / "tokenizer.json").is_file():
            self.module(self.small).save_pretrained(folder)
            config = json.loads((folder / "config.json").read_text())
            (folder / "config.json").write_text(json.dumps({**config, "ondol_prompt_spec": "small-llama"}))
            for name in ("tokenizer_config.json", "tokenizer.json"):
                (folder / name).write_bytes((TOKENIZER / name).read_bytes())
        return folder

    def seconds(self, work: Callable[[], object], turns: int = 5) -> float:
        """Return the median seconds of some work, after one turn that does not count."""
        import torch

        taken = []
        for _ in range(turns + 1):
            began = time.perf_counter()
            work()
            if self.device.type == "cuda":
                torch.cuda.synchronize()
            taken.append(time.perf_counter() - began)
        return statistics.median(taken[1:])

    def bandwidth(self) -> float:
        """Return the bytes per second that a copy of device memory reads and writes."""
        import torch

        source = torch.ones((1 << 16) if self.dry else (1 << 31), dtype=torch.uint8, device=self.device)
        target = torch.empty_like(source)
        return 2 * source.numel() / self.seconds(lambda: target.copy_(source))

    def peak(self) -> float:
        """Return the FLOP per second of large products, as measured."""
        import torch

        size = 128 if self.dry else 8192
        left, right = (torch.randn(size, size, device=self.device, dtype=self.dtype) for _ in range(2))
        return 2 * size**3 / self.seconds(lambda: left @ right)


def _tokens(shape: Shape, count: int) -> list[int]:
    return [(7 * number) % (shape.vocabulary - 1) + 1 for number in range(count)]


def _writing(bench: Bench, model: Any, shape: Shape, count: int, width: int = 1) -> float:
    """Return the seconds of a pass over ``width`` tokens, after a prompt of a fifth of the usual length."""
    length = shape.prompt // 5
    model.keep(0)
    model.feed(_tokens(shape, length), 1)

    def write() -> None:
        model.keep(length)
        for number in range(count):
            model.feed([number + 1] * width, width)

    return bench.seconds(write) / count


def _decode(bench: Bench, shape: Shape) -> dict[str, Any]:
    """Return how fast a model writes, one token a pass, with CUDA graphs and without."""
    from lsp_server.backends.torch_llama import TorchLlama

    module = bench.module(shape)
    size = sum(one.numel() * one.element_size() for one in module.parameters())
    size -= module.get_input_embeddings().weight.numel() * module.get_input_embeddings().weight.element_size()
    model = TorchLlama(module, shape.prompt + 256)
    step = _writing(bench, model, shape, shape.written)
    eager = _EagerOnly(model)
    slow = _writing(bench, eager, shape, shape.written)
    bandwidth = bench.bandwidth()
    return {
        "parameters": sum(one.numel() for one in module.parameters()),
        "tokens_per_second": round(1 / step, 1),
        "eager_tokens_per_second": round(1 / slow, 1),
        "bytes_per_token": size,
        "bandwidth_gb_per_second": round(bandwidth / 1e9, 1),
        "share_of_bandwidth": round(size / step / bandwidth, 3),
    }


class _EagerOnly:
    """The same model without recorded steps."""

    def __init__(self, model: Any) -> None:
        self._model = model
        model._graph_for = lambda count: None
        self.keep, self.feed = model.keep, model.feed


def decode_small(bench: Bench) -> dict[str, Any]:
    """Writing with 1.3 billion parameters."""
    return _decode(bench, bench.small)


def decode_large(bench: Bench) -> dict[str, Any]:
    """Writing with 8 billion parameters."""
    return _decode(bench, bench.large)


def prompt(bench: Bench) -> dict[str, Any]:
    """A prompt of 2,000 tokens from an empty cache, in the passes of the decode loop, and 24 tokens after it."""
    from indexer.prompt.renderer import Prompt
    from lsp_server.backends.torch_backend import TorchBackend

    shape = bench.small
    backend = TorchBackend(bench.folder(), shape.prompt + 256, str(bench.device), bench.dtype)
    ids = _tokens(shape, shape.prompt)

    def read() -> None:
        backend._decoder.forget()
        backend.prefill(Prompt(tuple(ids), "", 0, {}, 0, ()))

    def read_and_write() -> None:
        read()
        for number in range(shape.written):
            backend._model.feed([number + 1], 1)

    backend._decoder.measure()
    read()
    return {
        "prompt_tokens": shape.prompt,
        "written": shape.written,
        "prompt_ms": round(1e3 * bench.seconds(read), 2),
        "prompt_and_text_ms": round(1e3 * bench.seconds(read_and_write), 2),
    }


def drafts(bench: Bench) -> dict[str, Any]:
    """The cost of a pass that verifies a draft, and the gain if all of it is right or none."""
    from lsp_server.backends.torch_llama import TorchLlama

    shape = bench.small
    model = TorchLlama(bench.module(shape), shape.prompt + 256)
    passes = {width: _writing(bench, model, shape, shape.written, width) for width in (1, 5, 13)}
    return {
        f"draft_of_{width - 1}": {
            "pass_ms": round(1e3 * seconds, 3),
            "gain_if_right": round(width * passes[1] / seconds, 2),
            "cost_if_wrong": round(seconds / passes[1], 2),
        }
        for width, seconds in passes.items()
    }


def _adapter(bench: Bench, folder: Path) -> Any:
    """Return a random adapter of rank 16 for the model of a folder."""
    from peft import LoraConfig, get_peft_model

    from lsp_server.weights.adapter_registry import read_folder
    from lsp_server.weights.base_model import open_folder

    target = bench.work / "adapter"
    if not target.is_dir():
        config = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", init_lora_weights=False)
        get_peft_model(bench.module(bench.small), config).save_pretrained(target)
    return read_folder(target, open_folder(folder).tensors)


def bits(bench: Bench) -> dict[str, Any]:
    """Writing with 16, 8 and 4 bits, without an adapter and with one."""
    import importlib.util

    from lsp_server.backends.torch_backend import TorchBackend

    folder, shape = bench.folder(), bench.small
    found: dict[str, Any] = {}
    for number in (16, 8, 4):
        if number < 16 and (bench.dry or importlib.util.find_spec("bitsandbytes") is None):
            found[str(number)] = "not measured: needs a GPU and bitsandbytes"
            continue
        backend = TorchBackend(folder, shape.prompt + 128, str(bench.device), bench.dtype, bits=number)
        try:
            plain = _writing(bench, backend._model, shape, shape.written)
            backend.set_adapter(_adapter(bench, folder))
            adapted = _writing(bench, backend._model, shape, shape.written)
        finally:
            backend.close()
        found[str(number)] = {
            "tokens_per_second": round(1 / plain, 1),
            "with_adapter": round(1 / adapted, 1),
            "adapter_costs": round(adapted / plain, 3),
        }
    return found


def training(bench: Bench) -> dict[str, Any]:
    """LoRA on 1.3 billion parameters, packed rows, by the product's own training."""
    from finetune.dataset.shards import TRAIN, Shards, write_manifest
    from finetune.training.options import Progress, TrainingOptions
    from finetune.training.train import train
    from indexer.prompt.renderer import PROMPT_FORMAT
    from lsp_server.weights.base_model import open_folder

    shape, folder, out = bench.small, bench.folder(), bench.work / "set"
    shards, length = Shards(out), shape.row // 4
    for number in range(4 * shape.rows):
        ids = [(number + at) % 900 + 1 for at in range(length)]
        weights = [(length // 2, 0.0), (length - length // 2, 1.0)]
        shards.add(TRAIN, {"ids": ids, "weights": weights, "kind": "node", "context": "none", "path": "", "commit": ""})
    digest = shards.finish()
    count = 4 * shape.rows
    manifest = {"format": 1, "commits": 1, "samples": count, "tokens": count * length, "left_out": {}, "languages": {}}
    manifest |= {"sha256": digest, "paths": {}, "until": "", "base": open_folder(folder).identity}
    manifest |= {"prompt": {"format": PROMPT_FORMAT}, "files": shards.files}
    write_manifest(out, manifest)
    options = TrainingOptions(
        max_length=shape.row,
        tokens_per_step=shape.row * 4,
        checkpoint_minutes=60.0,
        threads=1 if bench.dry else None,
    )
    ticks: list[float] = []

    def tick(step: Progress) -> None:
        ticks.append(time.perf_counter())

    result = train(folder, out, bench.work / "trained", options, None, tick)
    seconds = (ticks[-1] - ticks[0]) / max(1, len(ticks) - 1)  # the first step compiles and allocates
    speed = result.tokens / result.steps / seconds
    parameters = sum(one.numel() for one in bench.module(shape).parameters())
    flops = 4 * parameters * speed
    return {
        "tokens_per_second": round(speed),
        "parameters": parameters,
        "peak_gb": round(result.peak_bytes / 1e9, 2),
        "share_of_measured_peak": round(flops / bench.peak(), 3),
        "model_flop_utilisation": round(flops / named, 3) if (named := _data_sheet(bench)) else None,
        "loss": [result.loss_first, result.loss_last],
    }


def _data_sheet(bench: Bench) -> float | None:
    """Return the FLOP per second in the data sheet of this card, None if it is not known."""
    import torch

    name = "" if bench.dry else torch.cuda.get_device_name()
    return next((1e12 * value for key, value in PEAK_TFLOPS.items() if key in name), None)


PARTS: Final[dict[str, tuple[Callable[[Bench], dict[str, Any]], float]]] = {
    "decode_1b": (decode_small, 60.0),
    "prompt": (prompt, 60.0),
    "drafts": (drafts, 60.0),
    "training": (training, 120.0),
    "bits": (bits, 120.0),
    "decode_8b": (decode_large, 90.0),
}
"""The parts in their order, each with its longest time in seconds."""


def run_part(name: str, bench: Bench, out: Path) -> None:
    """Run one part in this process and write its figures."""
    began = time.perf_counter()
    found = PARTS[name][0](bench)
    out.write_text(json.dumps({**found, "seconds": round(time.perf_counter() - began, 1)}))


def machine(dry: bool) -> dict[str, Any]:
    """Describe the device and the commit."""
    import torch

    about: dict[str, Any] = {"commit": head(ROOT), "torch": torch.__version__, "dry": dry}
    if dry:
        return {**about, "device": "cpu"}
    if not torch.cuda.is_available():
        raise SystemExit("this machine has no NVIDIA GPU; --dry runs tiny shapes on the CPU")
    memory = torch.cuda.get_device_properties(0).total_memory
    return {
        **about,
        "device": torch.cuda.get_device_name(),
        "memory_gb": round(memory / 1e9),
        "cuda": torch.version.cuda,
    }


def run_all(names: Sequence[str], chosen: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Run the parts that are missing, each in a process; write the results after each."""
    about = machine(chosen.dry)
    stored = json.loads(chosen.out.read_text()) if chosen.out.exists() else {}
    parts = stored.get("parts", {}) if stored.get("machine") == about and not chosen.again else {}
    end = time.monotonic() + SECONDS
    for name in names:
        if name in parts and "problem" not in parts[name]:
            print(f"{name}: kept from the last run")
            continue
        limit = min(PARTS[name][1] * (3 if chosen.dry else 1), end - time.monotonic())
        parts[name] = _child(name, chosen, work, limit) if limit > 5 else {"problem": "no time was left for it"}
        chosen.out.write_text(json.dumps({"machine": about, "parts": parts}, indent=1) + "\n")
        print(f"{name}: {json.dumps(parts[name])}", flush=True)
    return parts


def _child(name: str, chosen: argparse.Namespace, work: Path, limit: float) -> dict[str, Any]:
    """Return the figures of a part, or its problem."""
    target = work / f"{name}.json"
    command = [sys.executable, str(Path(__file__)), "--part", name, "--work", str(work), "--out", str(target)]
    command += ["--dry"] if chosen.dry else []
    try:
        done = subprocess.run(
            command, timeout=limit, capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"}
        )
    except subprocess.TimeoutExpired:
        return {"problem": f"it took more than {limit:.0f} seconds"}
    if done.returncode or not target.is_file():
        return {"problem": (done.stderr.strip().splitlines() or ["it ended without figures"])[-1][:300]}
    found: dict[str, Any] = json.loads(target.read_text())
    return found


def main() -> None:
    """Run the parts; exit with 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(PARTS), help="run this part alone; repeatable")
    parser.add_argument("--dry", action="store_true", help="tiny shapes on the CPU, which show that everything runs")
    parser.add_argument("--again", action="store_true", help="run parts again that have figures")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--work", type=Path, help="keep the random model here")
    parser.add_argument("--part", choices=list(PARTS), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.dry and chosen.out == RESULTS:
        parser.error("--dry needs --out: its figures say nothing about a GPU")
    if chosen.part:
        run_part(chosen.part, Bench(chosen.work, dry=chosen.dry), chosen.out)
        return
    with tempfile.TemporaryDirectory(prefix="ondol-gpu-") as passing:
        work = (chosen.work or Path(passing)).absolute()
        work.mkdir(parents=True, exist_ok=True)
        parts = run_all(chosen.only or list(PARTS), chosen, work)
    raise SystemExit(any("problem" in one for one in parts.values()))


if __name__ == "__main__":
    main()
