"""What the model costs and what it adds. One command per question, JSON out; ratios come from one run.

    python benchmarks/bench_model.py speed REPO --base FOLDER [--gguf FOLDER]   tokens per second of each path
    python benchmarks/bench_model.py keys REPO --base FOLDER                    recomputed tokens, cancel, latency
    python benchmarks/bench_model.py arms REPO --base FOLDER                    copier, model, model + context, both
    python benchmarks/bench_model.py fit REPO [REPO ...] --base FOLDER          weights of the duet, on other histories

REPO is a repository with history; cursors are those of ``ondol eval``: real places of its last commits, with an index
of the tree from before them. Times on a machine that is not idle are marked by their spread only; compare ratios.
The CUDA path is not measured here.
"""

import argparse
import itertools
import json
import math
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from finetune.replay import Plan, Stage, Watch, commit_stages, request_of, run
from finetune.windows import Passed, windows
from indexer.config import Settings
from indexer.fim import Prompt
from lsp_server.backends.base import Backend, Limits
from lsp_server.duet import DuetEngine, Weights
from lsp_server.engine import Engine
from lsp_server.model import ModelSource
from lsp_server.model_alone import ModelAlone
from lsp_server.packing import IndexSource, Packer
from lsp_server.questions import Question
from lsp_server.types import Document

PROMPT_TOKENS = 640


def stages(repo: Path, amount: Plan, commits: int, folder: Path) -> Iterator[Stage]:
    """Indexes and cursors of a repository's last commits."""
    settings = replace(Settings(), data_dir=folder / "data")
    plan = windows(repo, commits, 1)
    return commit_stages(repo, plan, settings, amount, folder, Passed(), Watch())


def torch_backend(base: Path, dtype: str) -> Any:
    """The torch path on a CPU."""
    import torch

    from lsp_server.backends.transformers_local import TransformersBackend

    return TransformersBackend(base, PROMPT_TOKENS, "cpu", getattr(torch, dtype), threads=1)


def gguf_backend(base: Path) -> Any:
    """The llama.cpp path."""
    from lsp_server.backends.llamacpp import LlamaCppBackend

    return LlamaCppBackend(base, PROMPT_TOKENS, threads=1)


def prompts_of(stage: Stage, backend: Backend, context: bool) -> list[tuple[Prompt, list[str]]]:
    """Each cursor's prompt, and what the copier would put there."""
    engine = Engine(replace(Settings(), multi_line=True), stage.index)
    packer = Packer(IndexSource(stage.index) if context else None)
    out = []
    for case in stage.cases:
        request = request_of(case, automatic=False)
        engine.update(request.document)
        copies = [s.text for s in engine.complete(request, lambda: False).suggestions]
        engine.close(request.document.uri)
        parts = packer.pack(request.document, request.offset, None).parts
        out.append((backend.render(parts), copies))
    return out


def speed(repo: Path, base: Path, gguf: Path | None, cases: int, dtype: str) -> dict[str, Any]:
    """Tokens per second of transformers' generate(), our loop, our loop with drafts, and llama.cpp; same prompts."""
    import torch

    backend = torch_backend(base, dtype)
    other = gguf_backend(gguf) if gguf else None
    ends = sorted(backend.folder.vocabulary.control_ids)
    limits = Limits(max_tokens=48, single_line=False, max_lines=10_000, base_indent=-1)
    sums: dict[str, list[float]] = {name: [] for name in ("generate", "ours", "drafts", "gguf", "gguf_drafts")}
    counts = dict.fromkeys(sums, 0)
    same = {"ours": 0, "drafts": 0, "gguf": 0, "gguf_drafts": 0}
    drafted = accepted = number = 0
    with tempfile.TemporaryDirectory() as folder:
        for stage in stages(repo, Plan(cases // 2, cases - cases // 2, 1), 60, Path(folder)):
            for prompt, copies in prompts_of(stage, backend, True):
                number += 1
                ids = torch.tensor([prompt.ids])
                options = {"max_new_tokens": 48, "do_sample": False, "eos_token_id": ends, "pad_token_id": ends[0]}
                began = time.perf_counter()
                with torch.inference_mode():
                    out = backend._module.generate(ids, attention_mask=torch.ones_like(ids), **options)
                sums["generate"].append(time.perf_counter() - began)
                wanted = [t for t in out[0, ids.shape[1] :].tolist() if t not in ends]
                counts["generate"] += len(wanted) + 1
                runners = [("ours", (), backend), ("drafts", copies, backend)]
                runners += [("gguf", (), other), ("gguf_drafts", copies, other)] if other else []
                for name, drafts, runner in runners:
                    runner._decoder.forget()
                    began = time.perf_counter()
                    made = runner.generate(prompt, limits, drafts=drafts)
                    sums[name].append(time.perf_counter() - began)
                    counts[name] += len(made.tokens) + 1
                    same[name] += (
                        list(made.tokens) == wanted[: len(made.tokens)] and len(made.tokens) >= len(wanted) - 2
                    )
                    if name == "drafts":
                        drafted, accepted = drafted + made.drafted, accepted + made.accepted
    rates = {name: counts[name] / sum(times) for name, times in sums.items() if times}
    return {
        "prompts": number,
        "tokens_per_second": {n: round(r, 1) for n, r in rates.items()},
        "against_generate": {n: round(r / rates["generate"], 2) for n, r in rates.items()},
        "gguf_against_torch_loop": round(rates["gguf"] / rates["ours"], 2) if "gguf" in rates else None,
        "same_text": {n: round(s / number, 3) for n, s in same.items() if sums[n]},
        "drafted": drafted,
        "accepted": accepted,
    }


def keys(repo: Path, base: Path, gguf: Path | None, cases: int, dtype: str) -> dict[str, Any]:
    """Type the author's lines key by key: tokens recomputed, time to the answer, passes after a cancel."""
    backend = gguf_backend(gguf) if gguf else torch_backend(base, dtype)
    recomputed, seconds, after = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for stage in stages(repo, Plan(cases, 0, 1), 60, Path(folder)):
            packer = Packer(IndexSource(stage.index))
            for case in stage.cases:
                line = case.rest
                for typed in range(min(len(line), 40)):
                    text = case.text[: case.offset] + line[:typed] + case.text[case.offset :]
                    document = Document(f"file:///{case.path}/{case.line}", case.path, "python", typed, text)
                    parts = packer.pack(document, case.offset + typed, None).parts
                    began = time.perf_counter()
                    prompt = backend.render(parts)
                    made = backend.generate(prompt, Limits(max_tokens=24))
                    if typed:  # the first key of a line computes the whole prompt
                        seconds.append(time.perf_counter() - began)
                        recomputed.append((made.prompt_tokens - made.reused) / made.prompt_tokens)
            after = [_passes_after_cancel(backend, prompts) for prompts in prompts_of(stage, backend, True)[:50]]
    return {
        "keys": len(seconds),
        "recomputed_share_median": round(statistics.median(recomputed), 4),
        "recomputed_share_p95": round(float(np.percentile(recomputed, 95)), 4),
        "milliseconds": {p: round(1e3 * float(np.percentile(seconds, q)), 1) for p, q in (("p50", 50), ("p95", 95))},
        "passes_after_cancel_most": max(after, default=0),
    }


def _passes_after_cancel(backend: Backend, prompt: tuple[Prompt, list[str]]) -> int:
    """Passes through the model that begin after the third token was asked to be the last."""
    model: Any = backend._decoder._model  # type: ignore[attr-defined]
    feed, passes, cancelled_at = model.feed, [0], [-1]

    def counting(tokens: Sequence[int], last: int) -> Any:
        passes[0] += 1
        return feed(tokens, last)

    def cancelled() -> bool:
        if passes[0] >= 4 and cancelled_at[0] < 0:
            cancelled_at[0] = passes[0]
        return cancelled_at[0] >= 0

    model.feed = counting
    try:
        backend.generate(prompt[0], Limits(max_tokens=64, single_line=False, max_lines=999), cancelled)
    finally:
        model.feed = feed
    return passes[0] - cancelled_at[0] if cancelled_at[0] >= 0 else 0


def arms(repo: Path, base: Path, gguf: Path | None, cases: int, dtype: str, commits: int) -> dict[str, Any]:
    """Exact rest of line of each arm at the same cursors."""
    from finetune.arms import Arm

    settings = replace(Settings(), deadline_ms=60_000)

    def source(lines: int = 16) -> ModelSource:
        made = ModelSource(
            lambda: gguf_backend(gguf) if gguf else torch_backend(base, dtype), Packer(None, lines=lines)
        )
        while made.state == "loading":
            time.sleep(0.05)
        return made

    made = [
        Arm("copier", Engine(settings, None), {}),
        Arm("base", ModelAlone(settings, source(), retrieval=False), {}),
        Arm("base+retrieval", ModelAlone(settings, source(), retrieval=True), {}),
        Arm("copier+model", DuetEngine(settings, Engine(settings, None), source()), {}),
    ]
    with tempfile.TemporaryDirectory() as folder:
        found = stages(repo, Plan(cases // 3, cases - cases // 3, 1), commits, Path(folder))
        result = run(found, made, Watch())
    table = {}
    for name, outcomes in result.arms.items():
        shown = [o for o in outcomes if o.shown]
        table[name] = {
            "cases": len(outcomes),
            "exact": round(100 * statistics.mean(o.exact for o in outcomes), 2),
            "among_three": round(100 * statistics.mean(o.among for o in outcomes), 2),
            "similarity": round(100 * statistics.mean(o.similarity for o in outcomes), 2),
            "shown": round(100 * len(shown) / len(outcomes), 1),
            "right_when_shown": round(100 * statistics.mean(o.right for o in shown), 1) if shown else None,
        }
    pairs = [("base+retrieval", "base"), ("copier+model", "copier"), ("copier+model", "base+retrieval")]
    return {"arms": table, "differences": {f"{a} - {b}": _interval(result.arms[a], result.arms[b]) for a, b in pairs}}


def _interval(one: Sequence[Any], other: Sequence[Any]) -> list[float]:
    """Difference in exact match in points, with the 95 % interval of a paired bootstrap."""
    difference = np.array([a.exact - b.exact for a, b in zip(one, other, strict=True)], np.float64)
    rng = np.random.default_rng(1)
    means = [rng.choice(difference, len(difference)).mean() for _ in range(2000)]
    return [round(100 * float(x), 2) for x in (difference.mean(), *np.percentile(means, (2.5, 97.5)))]


def fit(repos: Sequence[Path], base: Path, gguf: Path | None, cases: int, dtype: str, commits: int) -> dict[str, Any]:
    """Fit the duet's three regressions on what copier and model said at replayed cursors."""
    rows: dict[str, list[tuple[list[float], bool]]] = {"copy": [], "both": [], "own": []}
    for repo, folder in itertools.product(repos, [tempfile.mkdtemp()]):
        packer = Packer(None)
        source = ModelSource(lambda: gguf_backend(gguf) if gguf else torch_backend(base, dtype), packer)
        while source.state == "loading":
            time.sleep(0.05)
        for stage in stages(repo, Plan(cases // 3, cases - cases // 3, 2), commits, Path(folder)):
            engine = Engine(Settings(), stage.index)
            packer.set_source(IndexSource(stage.index))
            for case in stage.cases:
                _observe(engine, source, case, rows)
        source.close()
    weights = {name: _regression(found) for name, found in rows.items()}
    return {"weights": weights, "observations": {n: [len(r), sum(x[1] for x in r)] for n, r in rows.items()}}


def _observe(engine: Engine, source: ModelSource, case: Any, rows: dict[str, list[tuple[list[float], bool]]]) -> None:
    request = request_of(case, automatic=False)
    engine.update(request.document)
    copies = engine.complete(request, lambda: False).suggestions
    engine.close(request.document.uri)
    lines = tuple(c.text.split("\n")[0] for c in copies if c.end == request.offset)
    asked: Question = replace(DuetEngine.question(Settings(), request, lines), count=1)
    answer = source.ask(asked).wait(time.monotonic() + 60)
    own = answer.texts[0].split("\n")[0] if answer.texts else ""
    right = case.rest.rstrip()
    for line, copy, score in zip(lines, copies, answer.copy_scores, strict=False):
        odds = math.log(max(copy.probability, 1e-4) / max(1 - copy.probability, 1e-4))
        rows["both" if line == own else "copy"].append(([1.0, odds, max(-25.0, score)], line.rstrip() == right))
    if own.strip() and own not in lines and answer.line_logprob is not None:
        rows["own"].append(([1.0, math.log1p(len(own)), max(-25.0, answer.line_logprob)], own.rstrip() == right))


def _regression(found: Sequence[tuple[list[float], bool]]) -> list[float]:
    """Logistic regression by Newton's method with a little pull to zero."""
    x, y = np.array([f for f, _ in found]), np.array([r for _, r in found], np.float64)
    beta = np.zeros(3)
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        curvature = (x * (p * (1 - p))[:, None]).T @ x + 0.5 * np.eye(3)
        beta += np.linalg.solve(curvature, x.T @ (y - p) - 0.5 * beta)
    return [round(float(b), 4) for b in beta]


def main() -> None:
    """Run one question from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question", choices=("speed", "keys", "arms", "fit"))
    parser.add_argument("repos", type=Path, nargs="+")
    parser.add_argument("--base", type=Path, default=Path("tests/fixtures/small_llama"))
    parser.add_argument("--gguf", type=Path, help="a folder written by `ondol models export`")
    parser.add_argument("--cases", type=int, default=120)
    parser.add_argument("--commits", type=int, default=60)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--out", type=Path)
    a = parser.parse_args()
    shared = (a.base, a.gguf, a.cases, a.dtype)
    if a.question == "fit":
        result = fit(a.repos, *shared, a.commits)
        if a.out is None:
            Path("lsp_server/data/duet.json").write_text(json.dumps(result["weights"]) + "\n")
    elif a.question == "arms":
        result = arms(a.repos[0], *shared, a.commits)
    else:
        result = (speed if a.question == "speed" else keys)(a.repos[0], *shared)
    about = {"question": a.question, "repositories": [r.name for r in a.repos], "cores": os.cpu_count(),
             "machine": platform.machine(), "load": os.getloadavg()[0], "weights": str(Weights.load())}  # fmt: skip
    text = json.dumps({**about, **result}, indent=2)
    print(text)
    if a.out:
        a.out.parent.mkdir(parents=True, exist_ok=True)
        a.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
