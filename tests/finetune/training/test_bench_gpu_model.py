"""The GPU benchmark with tiny shapes on the CPU: every part gives figures, and a second call runs only what is missing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: the GPU benchmark is NOT tested")
pytest.importorskip("peft", reason="peft is not installed: the GPU benchmark is NOT tested")

pytestmark = [pytest.mark.model, pytest.mark.slow]
BENCH = Path(__file__).parents[3] / "benchmarks" / "bench_gpu.py"


def bench(*options: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, BENCH, "--dry", *options]
    return subprocess.run([str(one) for one in command], capture_output=True, text=True, timeout=900)


def test_every_part_gives_figures_and_a_second_call_keeps_them(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    for _ in range(4):  # a part has no more than a few minutes, and the next call goes on where they were too few
        done = bench("--out", out, "--work", tmp_path / "work")
        if done.returncode == 0 or "took more than" not in done.stdout:
            break
    assert done.returncode == 0, done.stdout + done.stderr
    parts = json.loads(out.read_text())["parts"]
    assert set(parts) == {"decode_1b", "prompt", "drafts", "training", "bits", "decode_8b"}
    for name in ("decode_1b", "decode_8b"):
        assert parts[name]["tokens_per_second"] > 0 and parts[name]["share_of_bandwidth"] > 0
    assert parts["prompt"]["prompt_and_text_ms"] > parts["prompt"]["prompt_ms"] > 0
    assert parts["drafts"]["draft_of_12"]["gain_if_right"] > 0
    assert parts["training"]["tokens_per_second"] > 0 and parts["training"]["model_flop_utilisation"] is None
    assert parts["bits"]["16"]["with_adapter"] > 0 and "bitsandbytes" in parts["bits"]["4"]
    stored = json.loads(out.read_text())
    stored["parts"]["prompt"] = {"problem": "it took more than 60 seconds"}
    out.write_text(json.dumps(stored))
    again = bench("--out", out, "--only", "prompt", "--only", "drafts")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "drafts: kept from the last run" in again.stdout
    assert "problem" not in json.loads(out.read_text())["parts"]["prompt"]


def test_a_dry_run_does_not_overwrite_real_figures() -> None:
    done = bench()
    assert (done.returncode, "--dry needs --out" in done.stderr) == (2, True)
