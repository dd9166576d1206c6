"""Measures data set and training: samples a minute, speed against a plain loop, one and two processes.

    python benchmarks/bench_finetune.py --repository FOLDER --out benchmarks/results/finetune.json

FOLDER is a clone with its history; the base is the small LLaMA of the tests unless ``--base`` names another. The plain
loop trains the same model on the same rows with the same optimizer and precision and nothing else, once with the
logits of all tokens, as one would write it first, and once with our loss. Both sides are measured in turns, in one
process, from their second step on, in wall clock and in processor time; only the latter counts on a busy machine.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from made_on import load, made_on

from finetune.dataset.build import Manifest, build
from finetune.dataset.commit_range import DatasetOptions
from finetune.dataset.shards import TRAIN, read
from finetune.training.options import TrainingOptions
from finetune.training.train import train
from indexer.config import Settings
from lsp_server.weights.base_model import open_folder

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("torch", "transformers", "peft", "accelerate", "tokenizers", "rensa")
TURNS = 3


class Clock:
    """Measures wall and processor seconds between the first and the last tick."""

    def __init__(self) -> None:
        self.ticks: list[tuple[float, float]] = []

    def tick(self, progress: object = None) -> None:
        """Record the time."""
        self.ticks.append((time.perf_counter(), time.process_time()))

    def seconds(self) -> tuple[float, float]:
        """Return wall and processor seconds."""
        (wall, cpu), (wall_end, cpu_end) = self.ticks[0], self.ticks[-1]
        return wall_end - wall, cpu_end - cpu


def measure_dataset(repository: Path, base: Path, out: Path, options: DatasetOptions) -> dict[str, Any]:
    """Build a data set; the seconds include history, indexes, retrieval, rendering and writing."""
    wall, cpu = time.perf_counter(), sum(os.times()[:4])
    manifest = build(repository, Settings(), base, out, options)
    wall, cpu = time.perf_counter() - wall, sum(os.times()[:4]) - cpu
    made = manifest.samples + manifest.validation
    return {
        "commits": manifest.commits,
        "samples": made,
        "tokens": manifest.tokens,
        "kinds": manifest.kinds,
        "left_out": manifest.left_out,
        "seconds": round(wall, 1),
        "processor_seconds": round(cpu, 1),
        "samples_per_minute": round(60 * made / wall),
        "samples_per_processor_minute": round(60 * made / cpu),
    }


def plain_loop(base: Path, dataset: Path, options: TrainingOptions, steps: int, weighted_only: bool) -> Iterator[int]:
    """Train with a plain PyTorch loop; yield the tokens of each step.

    :param weighted_only: compute logits only where a token has a weight.
    """
    import torch
    from torch.nn import functional

    from finetune.training.lora_model import load
    from finetune.training.sequence_packing import Collator, Samples, pack, schedule
    from lsp_server.backends.torch_backend import pick_device, pick_dtype

    torch.manual_seed(options.seed)
    manifest = Manifest.from_file(dataset)
    samples = Samples.gather(read(dataset, manifest.files, TRAIN), options.max_length, options.prompt_loss_weight)
    packed = pack(samples, options.max_length)
    rows, collate = schedule(packed, options.epochs, options.seed), Collator(samples)
    count = max(1, round(options.tokens_per_step / (len(samples.ids) / len(packed))))
    device = pick_device()
    model = load(open_folder(base), options, None).to(device).train()
    trained = [one for one in model.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=options.learning_rate, betas=(0.9, 0.99), weight_decay=0.0)
    dtype = pick_dtype(device)
    for step in range(steps):
        mine = rows[step * count : (step + 1) * count]
        batches = [
            collate(mine[at : at + options.rows_per_batch]) for at in range(0, len(mine), options.rows_per_batch)
        ]
        weight = sum(float(batch["weights"].sum()) for batch in batches)
        for batch in ({key: value.to(device) for key, value in one.items()} for one in batches):
            with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
                if weighted_only:
                    loss = model(**batch)
                else:
                    logits = model.model(
                        input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False
                    ).logits
                    each = functional.cross_entropy(
                        logits.float().flatten(0, 1), batch["targets"].flatten(), reduction="none"
                    )
                    loss = (each * batch["weights"].flatten()).sum()
            (loss / weight).backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        yield sum(samples.length(number) for row in mine for number in row)


def measure_speed(base: Path, dataset: Path, out: Path, options: TrainingOptions, steps: int) -> dict[str, Any]:
    """Return tokens a second of the training and of the plain loops, and their ratios, by medians."""
    from finetune.training.run import Run
    from finetune.training.sequence_packing import Samples, pack

    manifest = Manifest.from_file(dataset)
    samples = Samples.gather(read(dataset, manifest.files, TRAIN), options.max_length, options.prompt_loss_weight)
    rows = len(pack(samples, options.max_length))
    per_step = Run(options, samples, "", out, 0.0).rows_per_step
    options = replace(options, epochs=(steps * per_step) / rows, checkpoint_minutes=60.0)
    tokens = 0
    taken: dict[str, list[tuple[float, float]]] = {"training": [], "plain": [], "plain, our loss": []}

    def training(turn: int) -> Clock:
        clock = Clock()
        train(base, dataset, out / f"turn-{turn}", options, progress=clock.tick)
        return clock

    def plain(weighted_only: bool) -> Callable[[int], Clock]:
        def run(turn: int) -> Clock:
            nonlocal tokens
            clock = Clock()
            made = []
            for count in plain_loop(base, dataset, options, steps, weighted_only):
                made.append(count)
                clock.tick()
            tokens = sum(made[1:])
            return clock

        return run

    for turn in range(TURNS):
        for name, run in (("training", training), ("plain", plain(False)), ("plain, our loss", plain(True))):
            taken[name].append(run(turn).seconds())
    middle = {name: [sorted(one)[len(one) // 2] for one in zip(*pairs, strict=True)] for name, pairs in taken.items()}
    return {
        "steps": steps - 1,
        "tokens": tokens,
        "turns": TURNS,
        "tokens_per_second": {name: round(tokens / wall) for name, (wall, _) in middle.items()},
        "tokens_per_processor_second": {name: round(tokens / cpu) for name, (_, cpu) in middle.items()},
        "against_plain": round(middle["plain"][0] / middle["training"][0], 3),
        "against_plain_processor": round(middle["plain"][1] / middle["training"][1], 3),
        "against_plain_with_our_loss": round(middle["plain, our loss"][0] / middle["training"][0], 3),
        "against_plain_with_our_loss_processor": round(middle["plain, our loss"][1] / middle["training"][1], 3),
    }


def measure_processes(base: Path, dataset: Path, out: Path, options: TrainingOptions) -> dict[str, Any]:
    """Return the losses of one process and of two (gloo on a CPU)."""
    found = {}
    for processes in (1, 2):
        result = asdict(train(base, dataset, out / f"on-{processes}", replace(options, processes=processes)))
        kept = ("processes", "steps", "tokens", "loss_first", "loss_last", "validation_first", "validation_last")
        found[processes] = {key: result[key] for key in kept}
    return {"one": found[1], "two": found[2]}


def main() -> None:
    """Run the benchmarks and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--base", type=Path, default=ROOT / "tests" / "fixtures" / "small_llama")
    parser.add_argument("--since", default="HEAD~200", help="commits after this one")
    parser.add_argument("--samples", type=int, default=1500)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, help="of torch; all cores by default")
    parser.add_argument("--tokens-per-step", type=int, default=8192, help="fewer for a large base on a CPU")
    parser.add_argument("--max-length", type=int, default=1024, help="tokens of a sample and of a row")
    parser.add_argument("--speed-only", action="store_true", help="leave out the comparison of one and two processes")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    settings = TrainingOptions(
        tokens_per_step=options.tokens_per_step, max_length=options.max_length, threads=options.threads
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        before = made_on(*PACKAGES)
        wanted = DatasetOptions(since=options.since, max_samples=options.samples, max_tokens=options.max_length)
        made = measure_dataset(options.repository, options.base, folder / "set", wanted)
        print(json.dumps(made, indent=1), flush=True)
        speed = measure_speed(options.base, folder / "set", folder, settings, options.steps)
        print(json.dumps(speed, indent=1), flush=True)
        processes = None
        if not options.speed_only:
            few = replace(settings, epochs=0.12, tokens_per_step=4096, rows_per_batch=2, learning_rate=1e-3, threads=1)
            processes = measure_processes(options.base, folder / "set", folder, few)
            print(json.dumps(processes, indent=1), flush=True)
    result = {
        "machine": before,
        "load_after": load(),
        "repository": options.repository.resolve().name,
        "base": options.base.name,
        "dataset": made,
        "training": speed,
        "processes": processes,
    }
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
