"""Measures the cost and the gain of the model on a CPU; the parts of a ratio come from one run.

    python benchmarks/bench_model.py speed REPO --base FOLDER --gguf FOLDER --gguf4 FOLDER   tokens per second
    python benchmarks/bench_model.py keys REPO --base FOLDER --gguf FOLDER    recomputed tokens, cancel, latency
    python benchmarks/bench_model.py served REPO --base FOLDER --gguf FOLDER  a key's answer against generate()'s
    python benchmarks/bench_model.py start REPO --base FOLDER                 the server's start with a model
    python benchmarks/bench_model.py systems REPO --base FOLDER               retrieval, model, with context, hybrid

REPO is a repository with history. The cursors are those of ``ondol eval``: in lines of its last commits, with an index
of the tree from before them. ``ondol models export`` writes the FOLDERs of ``--gguf``. Each result is stored in
``results/model.json`` with those of earlier runs, and from there in the table of ``docs/models.md``. Times are measured
by the clock and as processor time of the one computing thread, which other work on the machine does not change. The GPU
rows are not measured here.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from bench_server import processor_time
from made_on import made_on
from model_table import tabulate

from finetune.commits.stages import ProgressReporter, ReplayPlan, Stage, commit_stages
from finetune.commits.windows import SkipReport, windows
from finetune.evaluation.replay import request_of
from indexer.config import Settings
from indexer.prompt.renderer import Prompt
from lsp_server.backends.base import Backend, Generation, Limits
from lsp_server.backends.stop_rules import StopRules
from lsp_server.commands.lsp_client import Client
from lsp_server.model.prompt_context import IndexSource, PromptContextBuilder
from lsp_server.retrieval.engine import RetrievalEngine
from lsp_server.server.index_process import console_script
from lsp_server.types import Document, Request

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "model.json"
PAGE = HERE.parent / "docs" / "models.md"
BEGIN, END = "<!-- table: benchmarks/bench_model.py -->", "<!-- end of table -->"
PROMPT_TOKENS = 512
WRITTEN = 48
SEED = 20261121
SYSTEMS = ("retrieval", "base", "base_with_retrieval", "hybrid_base")


def stages(repo: Path, amount: ReplayPlan, commits: int, folder: Path) -> Iterator[Stage]:
    """Indexes and cursors of a repository's last commits."""
    settings = replace(Settings(), data_dir=folder / "data")
    plan = windows(repo, commits, 1)
    return commit_stages(repo, plan, settings, amount, folder, SkipReport(), ProgressReporter())


def torch_backend(base: Path, dtype: str) -> Any:
    """The torch path on a CPU, one thread."""
    import torch

    from lsp_server.backends.torch_backend import TorchBackend

    return TorchBackend(base, PROMPT_TOKENS, "cpu", getattr(torch, dtype), threads=1)


def gguf_backend(base: Path) -> Any:
    """The llama.cpp path, one thread."""
    from lsp_server.backends.llamacpp_backend import LlamaCppBackend

    return LlamaCppBackend(base, PROMPT_TOKENS, threads=1)


def prompts_of(stage: Stage, backend: Backend) -> list[tuple[Prompt, list[str]]]:
    """Return the prompt at each cursor, and the suggestions of the retrieval engine."""
    engine = RetrievalEngine(Settings(), stage.index)
    packer = PromptContextBuilder(IndexSource(stage.index))
    out = []
    for case in stage.cases:
        request = request_of(case, automatic=False)
        engine.update(request.document)
        copies = [s.text for s in engine.complete(request, lambda: False).suggestions]
        engine.close(request.document.uri)
        out.append((backend.render(packer.build(request.document, request.offset, None).parts), copies))
        packer.close(request.document.uri)
    return out


class Clock:
    """Wall and processor seconds of some runs, and the tokens they wrote."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []
        self.tokens = 0

    def __enter__(self) -> None:
        self._began = time.perf_counter(), time.thread_time()

    def __exit__(self, *_: object) -> None:
        self.wall.append(time.perf_counter() - self._began[0])
        self.cpu.append(time.thread_time() - self._began[1])

    def rate(self) -> float:
        """Tokens per second of the processor's time."""
        return self.tokens / sum(self.cpu)

    def milliseconds(self) -> dict[str, float]:
        """Quantiles."""
        return {
            f"{name}_{kind}": round(1e3 * float(np.percentile(values, q)), 1)
            for name, q in (("p50", 50), ("p95", 95))
            for kind, values in (("wall", self.wall), ("cpu", self.cpu))
        }


def speed(repo: Path, a: argparse.Namespace) -> dict[str, Any]:
    """Tokens per second of transformers' generate(), our loop, our loop with drafts, and llama.cpp; same prompts.

    Each way computes each prompt from scratch, then writes up to 48 tokens greedily, over line ends, until the model
    ends. A text is the same when all its tokens are those of ``generate()``.
    """
    backend = torch_backend(a.base, a.dtype)
    runners: dict[str, tuple[Any, bool]] = {"ours": (backend, False), "ours_with_drafts": (backend, True)}
    for name, folder in (("gguf8", a.gguf), ("gguf4", a.gguf4)):
        if folder:
            other = gguf_backend(folder)
            runners |= {name: (other, False), f"{name}_with_drafts": (other, True)}
    clocks = {name: Clock() for name in ("generate", *runners)}
    decoding = {name: Clock() for name in ("generate", *runners)}
    same, same_line = dict.fromkeys(runners, 0), dict.fromkeys(runners, 0)
    first_line = lambda tokens: backend.folder.vocabulary.decode(tokens).split("\n")[0]  # noqa: E731
    drafted = accepted = number = 0
    with tempfile.TemporaryDirectory() as folder:
        for stage in stages(repo, ReplayPlan(a.cases // 2, a.cases - a.cases // 2, SEED), a.commits, Path(folder)):
            for prompt, copies in prompts_of(stage, backend):
                number += 1
                wanted = _generated(backend, prompt, clocks["generate"], decoding["generate"])
                for name, (runner, with_drafts) in runners.items():
                    made = _ours(runner, prompt, copies if with_drafts else (), clocks[name], decoding[name])
                    same[name] += list(made.tokens) == wanted
                    same_line[name] += first_line(list(made.tokens)) == first_line(wanted)
                    if name == "ours_with_drafts":
                        drafted, accepted = drafted + made.drafted, accepted + made.accepted
    rates = {name: clock.rate() for name, clock in clocks.items()}
    written = {name: clock.rate() for name, clock in decoding.items()}
    return {
        "prompts": number,
        "tokens_written": clocks["generate"].tokens,
        "tokens_per_second": {n: round(r, 1) for n, r in rates.items()},
        "writing_per_second": {n: round(r, 1) for n, r in written.items()},
        "against_generate": {n: round(r / rates["generate"], 2) for n, r in rates.items()},
        "writing_against_generate": {n: round(r / written["generate"], 2) for n, r in written.items()},
        "same_text": {n: round(s / number, 3) for n, s in same.items()},
        "same_first_line": {n: round(s / number, 3) for n, s in same_line.items()},
        "drafted": drafted,
        "accepted": accepted,
    }


def _generated(backend: Any, prompt: Prompt, clock: Clock, writing: Clock) -> list[int]:
    """Return the tokens of transformers' own loop, and record its time with and without the prompt."""
    ends = sorted(backend.folder.vocabulary.control_ids)
    first = Clock()
    _greedy(backend, prompt, 1, ends, first)
    wanted = [t for t in _greedy(backend, prompt, WRITTEN, ends, clock) if t not in ends]
    clock.tokens += len(wanted) + 1
    writing.tokens += len(wanted)
    writing.cpu.append(max(1e-6, clock.cpu[-1] - first.cpu[0]))
    return wanted


def _greedy(backend: Any, prompt: Prompt, count: int, ends: list[int], clock: Clock) -> list[int]:
    """What transformers' ``generate()`` writes up to a token of ``ends``, made to begin with what is held."""
    import torch

    vocabulary, size = backend.folder.vocabulary, len(prompt.ids)

    def held(ids: Any, scores: Any) -> Any:
        unwritten = StopRules(Limits(), prompt.token_healing).unwritten(vocabulary.decode(ids[0, size:].tolist()))
        if not unwritten:
            return scores
        allowed = vocabulary.writing(unwritten)
        return torch.full_like(scores, -torch.inf).index_copy(1, torch.tensor(allowed), scores[:, allowed])

    ids = torch.tensor([prompt.ids])
    options: dict[str, Any] = {"do_sample": False, "eos_token_id": ends, "pad_token_id": 0, "max_new_tokens": count}
    mask, processors = torch.ones_like(ids), [held] if prompt.token_healing else []
    with torch.inference_mode(), clock:
        out = backend._module.generate(ids, attention_mask=mask, logits_processor=processors, **options)
    written: list[int] = out[0, size:].tolist()
    return written


def _ours(runner: Any, prompt: Prompt, drafts: Sequence[str], clock: Clock, writing: Clock) -> Generation:
    limits = Limits(max_tokens=WRITTEN, single_line=False, max_lines=10_000, base_indent=-1)
    runner._decoder.forget()
    first = Clock()
    with first:
        runner.generate(prompt, replace(limits, max_tokens=1))
    runner._decoder.forget()
    with clock:
        made: Generation = runner.generate(prompt, limits, drafts=drafts)
    clock.tokens += len(made.tokens) + 1
    writing.tokens += len(made.tokens)
    writing.cpu.append(max(1e-6, clock.cpu[-1] - first.cpu[0]))
    return made


def keys(repo: Path, a: argparse.Namespace) -> dict[str, Any]:
    """Type the author's lines key by key: tokens recomputed, time to the answer, passes after a cancel.

    The time is that from the document's new text to the model's line: choosing context, rendering, computing, writing.
    """
    out: dict[str, Any] = {}
    for name, make in (("torch", lambda: torch_backend(a.base, a.dtype)), ("gguf8", lambda: gguf_backend(a.gguf))):
        if name == "torch" or a.gguf:
            out[name] = _typed(repo, make(), a)
    return out


def served(repo: Path, a: argparse.Namespace) -> dict[str, Any]:
    """Type the author's lines key by key: each key's line written by our loop, by llama.cpp, and by ``generate()``.

    As an editor is served: the prompt before is in our cache, and copies are drafts; ``generate()`` has neither, and is
    asked at every fourth key. All three write the same line, which ends with its first token that holds a line end.
    """
    torch = torch_backend(a.base, a.dtype)
    runners = {"ours": torch} | ({"gguf8": gguf_backend(a.gguf)} if a.gguf else {})
    clocks = {name: Clock() for name in ("generate", *runners)}
    same = dict.fromkeys(runners, 0)
    vocabulary = torch.folder.vocabulary
    ends = sorted({t for t in range(vocabulary.size) if "\n" in vocabulary.decode([t])} | vocabulary.control_ids)
    asked = 0
    with tempfile.TemporaryDirectory() as folder:
        for stage in stages(repo, ReplayPlan(a.cases, 0, SEED), a.commits, Path(folder)):
            engine, packer = RetrievalEngine(Settings(), stage.index), PromptContextBuilder(IndexSource(stage.index))
            for case in stage.cases:
                for typed in range(min(len(case.rest), 40)):
                    text = case.text[: case.offset] + case.rest[:typed] + case.text[case.offset :]
                    document = Document(f"file:///{case.path}/{case.line}", case.path, "python", typed, text)
                    request = Request(document, case.offset + typed, False)
                    engine.update(document)
                    copies = [s.text.split("\n")[0] for s in engine.complete(request, lambda: False).suggestions]
                    prompt = torch.render(packer.build(document, request.offset, None).parts)
                    compared = typed % 4 == 1
                    asked += compared
                    wanted = _greedy(torch, prompt, 24, ends, clocks["generate"]) if compared else []
                    line = vocabulary.decode(wanted).split("\n")[0]
                    for name, runner in runners.items():
                        with clocks[name] if compared else Clock():  # every key is answered, so that the cache is there
                            made = runner.generate(prompt, Limits(max_tokens=24), drafts=copies)
                        same[name] += compared and line == prompt.token_healing + made.text
                engine.close(document.uri)
    total = {name: sum(clock.cpu) for name, clock in clocks.items()}
    return {
        "keys": asked,
        "milliseconds": {name: clock.milliseconds() for name, clock in clocks.items()},
        "against_generate": {name: round(total["generate"] / total[name], 2) for name in runners},
        "same_line": {name: round(s / asked, 3) for name, s in same.items()},
    }


def _typed(repo: Path, backend: Any, a: argparse.Namespace) -> dict[str, Any]:
    recomputed, lengths, clock, after = [], [], Clock(), []
    with tempfile.TemporaryDirectory() as folder:
        for stage in stages(repo, ReplayPlan(a.cases, 0, SEED), a.commits, Path(folder)):
            packer = PromptContextBuilder(IndexSource(stage.index))
            for case in stage.cases:
                for typed in range(min(len(case.rest), 40)):
                    text = case.text[: case.offset] + case.rest[:typed] + case.text[case.offset :]
                    document = Document(f"file:///{case.path}/{case.line}", case.path, "python", typed, text)
                    timed = clock if typed else Clock()  # the first key of a line computes the whole prompt
                    with timed:
                        prompt = backend.render(packer.build(document, case.offset + typed, None).parts)
                        made = backend.generate(prompt, Limits(max_tokens=24))
                    if typed:
                        recomputed.append((made.prompt_tokens - made.reused) / made.prompt_tokens)
                        lengths.append(made.prompt_tokens)
            after = [_passes_after_cancel(backend, prompt) for prompt, _ in prompts_of(stage, backend)]
    return {
        "keys": len(recomputed),
        "prompt_tokens_median": statistics.median(lengths),
        "recomputed_share_median": round(statistics.median(recomputed), 4),
        "recomputed_share_p95": round(float(np.percentile(recomputed, 95)), 4),
        "milliseconds": clock.milliseconds(),
        "passes_after_cancel_most": max((n for n in after if n is not None), default=None),
        "cancels": sum(n is not None for n in after),
    }


def _passes_after_cancel(backend: Any, prompt: Prompt) -> int | None:
    """Passes that begin after the flag was set during the third token's; None where the model wrote fewer."""
    model = backend._decoder._model
    feed, passes, flagged = model.feed, [0], [-1]

    def counting(tokens: Sequence[int], last: int) -> Any:
        passes[0] += 1
        if len(tokens) == 1 and passes[0] >= 3 and flagged[0] < 0:
            flagged[0] = passes[0]
        return feed(tokens, last)

    model.feed = counting
    try:
        limits = Limits(max_tokens=64, single_line=False, max_lines=999, base_indent=-1)
        made = backend.generate(prompt, limits, lambda: flagged[0] >= 0)
    finally:
        model.feed = feed
    return passes[0] - flagged[0] if made.reason == "cancelled" else None


def start(repo: Path, a: argparse.Namespace) -> dict[str, Any]:
    """From starting the server with a model to its answer to ``initialize``, to the first copy, and to the model."""
    settings = [*console_script(), "serve", "--stdio"]
    names = ("initialize_without", "initialize_without_cpu", "initialize", "initialize_cpu", "first_answer", "model")
    found: dict[str, list[float]] = {name: [] for name in names}
    reasons: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "ONDOL_DATA_DIR": folder, "HF_HUB_OFFLINE": "1"}
        subprocess.run([*console_script(), "index", str(repo)], env=environment, check=True, capture_output=True)
        file = next(path for path in sorted(repo.rglob("*.py")) if path.stat().st_size > 2000)
        for _ in range(a.rounds):
            began = time.perf_counter()
            with Client(settings, env=environment) as client:
                client.initialize([repo])
                found["initialize_without"].append(time.perf_counter() - began)
                found["initialize_without_cpu"].append(processor_time(client.process.pid))
            began = time.perf_counter()
            with Client([*settings, "--backend", "local", "--base", str(a.base.resolve())], env=environment) as client:
                client.initialize([repo])
                found["initialize"].append(time.perf_counter() - began)
                found["initialize_cpu"].append(processor_time(client.process.pid))
                client.wait_state("model-loading")
                client.open(file.as_uri(), file.read_text())
                client.complete(file.as_uri(), 20, 0)
                found["first_answer"].append(time.perf_counter() - began)
                explained = client.command("ondol.explain")
                reasons += [line.split(": ")[1] for line in explained.splitlines() if "model_reason" in line]
                client.wait_state("ready", 300)
                found["model"].append(time.perf_counter() - began)
    seconds = {name: {"median": round(statistics.median(v), 3), "most": round(max(v), 3)} for name, v in found.items()}
    return {"rounds": a.rounds, "seconds": seconds, "model_reason_of_first_answers": sorted(set(reasons))}


def systems(repo: Path, a: argparse.Namespace) -> dict[str, Any]:
    """Evaluate four systems at the same cursors with `ondol eval`; 95 % intervals by a bootstrap over files."""
    named = itertools.chain.from_iterable(("--system", name) for name in SYSTEMS)
    with tempfile.TemporaryDirectory() as folder:
        command = [*console_script(), "eval", str(repo), "--json", "--commits", str(a.commits), "--windows", "2"]
        command += ["--cases", str(a.cases), "--seed", str(SEED), "--base", str(a.base), "--data-dir", folder, *named]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise SystemExit("ondol eval failed")
    report = json.loads(done.stdout)
    kept = ("exact", "among_three", "similarity", "coverage", "precision")
    table = {name: {key: one["overall"][key] for key in kept} for name, one in report["systems"].items()}
    differences = [
        {"from": d["from"], "to": d["to"], "exact": d["exact"]}
        for d in report["differences"]
        if (d["from"], d["to"]) in _PAIRS
    ]
    return {
        "cases": report["cases"],
        "commits": a.commits,
        "systems": table,
        "differences": differences,
        "engines": report["engines"],
    }


_PAIRS = {
    ("base", "base_with_retrieval"),
    ("retrieval", "hybrid_base"),
    ("base_with_retrieval", "hybrid_base"),
}

QUESTIONS = {"speed": speed, "served": served, "keys": keys, "start": start, "systems": systems}


def main() -> None:
    """Measure one thing and store the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question", choices=tuple(QUESTIONS))
    parser.add_argument("repo", type=Path)
    parser.add_argument("--base", type=Path, default=Path("tests/fixtures/small_llama"))
    parser.add_argument("--gguf", type=Path, help="a folder with an 8-bit file")
    parser.add_argument("--gguf4", type=Path, help="a folder with a 4-bit file")
    parser.add_argument("--cases", type=int, default=120)
    parser.add_argument("--commits", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument(
        "--label", default="", help="store the result under this name, in addition to that of the fixture"
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    found = QUESTIONS[options.question](options.repo.resolve(), options)
    kept = json.loads(options.out.read_text()) if options.out.is_file() else {}
    about = {"machine": made_on(), "repository": options.repo.name, "dtype": options.dtype}
    name = options.question + (f" {options.label}" if options.label else "")
    kept[name] = {**about, **found}
    print(json.dumps(kept[name], indent=1))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(kept, indent=1) + "\n")
    if options.out == RESULTS:
        text = PAGE.read_text()
        before, after = text.split(BEGIN)[0], text.split(END)[1]
        PAGE.write_text(f"{before}{BEGIN}\n\n{tabulate(kept)}\n\n{END}{after}")


if __name__ == "__main__":
    main()
