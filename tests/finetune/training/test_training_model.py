"""Training: packed documents do not see each other, interruptions do not change the result, bad input is reported."""

import contextlib
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: training is NOT tested")
pytest.importorskip("peft", reason="peft is not installed: training is NOT tested")
pytest.importorskip("accelerate", reason="accelerate is not installed: training is NOT tested")

from finetune.dataset.build import Manifest
from finetune.dataset.shards import TRAIN, read
from finetune.training import checkpoints, lora_model, trainer, worker
from finetune.training.launch import MARK
from finetune.training.lora_model import Weighted
from finetune.training.options import Progress, TrainingOptions
from finetune.training.run import Run, Validated
from finetune.training.sequence_packing import Collator, Samples, pack, schedule
from finetune.training.train import train
from indexer import fsio
from indexer.errors import UserError
from indexer.prompt.renderer import PromptInput
from lsp_server.backends.torch_backend import TorchBackend
from lsp_server.weights.adapter_registry import read_folder, read_version
from lsp_server.weights.base_model import open_folder
from tests.support.adapters import write_version
from tests.support.models import make_model, write_folder
from tests.support.training_sets import made_set

pytestmark = pytest.mark.model

WEIGHTS = "adapter_model.safetensors"
QUICK = TrainingOptions(
    rank=4,
    alpha=8,
    learning_rate=5e-3,
    epochs=2.0,
    tokens_per_step=512,
    max_length=256,
    rows_per_batch=2,
    checkpoint_minutes=60.0,
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """On a busy machine two threads wait for each other; the models here are tiny."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("base") / "tiny", initializer_range=0.08)


@pytest.fixture(scope="module")
def dataset(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_set(base, tmp_path_factory.mktemp("sets") / "set")


def options_of(**changes: Any) -> TrainingOptions:
    """Many small steps on one thread, so that sums are taken in one order."""
    return replace(QUICK, rows_per_batch=1, epochs=1.0, checkpoint_minutes=0.0, threads=1, **changes)


def child(base: Path, dataset: Path, out: Path, options: TrainingOptions) -> subprocess.Popen[str]:
    """Training in another process, started with a job's file."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    job = out.with_suffix(".json")
    job.write_text(json.dumps({"folders": [*map(str, (base, dataset, out)), None], "options": asdict(options)}))
    line = [sys.executable, worker.__file__, str(job)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def samples_of(dataset: Path, prompt_loss_weight: float = 0.0) -> Samples:
    manifest = Manifest.from_file(dataset)
    return Samples.gather(read(dataset, manifest.files, TRAIN), 4096, prompt_loss_weight)


@pytest.mark.parametrize("config", ["LlamaConfig", "Qwen2Config"])
def test_a_documents_loss_is_the_same_alone_and_packed(
    config: str, base: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With bfloat16, which some processors compute in, the sums differ in the fifth digit.
    monkeypatch.setattr(lora_model, "pick_dtype", lambda device: torch.float32)
    folder = open_folder(write_folder(tmp_path / "base", config_class=config, initializer_range=0.08))
    model = lora_model.load(folder, QUICK, None).eval()
    samples = samples_of(dataset, prompt_loss_weight=0.3)
    collate = Collator(samples)

    def loss(*rows: tuple[int, ...]) -> float:
        with torch.no_grad():
            return float(model(**collate(rows)))

    alone = [loss((number,)) for number in range(8)]
    assert min(alone) > 1 and max(alone) > 1.2 * min(alone)
    packed = loss((0, 1, 2, 3, 4, 5, 6, 7))
    assert packed == pytest.approx(sum(alone), rel=1e-5)
    # Two rows of different lengths, so that one is padded; and the same in another order.
    assert loss((0, 1, 2, 3, 4), (5, 6), (7,)) == pytest.approx(sum(alone), rel=1e-5)
    assert loss((7, 3), (), (6, 5, 4, 2, 1, 0)) == pytest.approx(sum(alone), rel=1e-5)
    assert loss((), ()) == 0
    # That it is the positions which keep documents apart: without them the loss is another.
    batch = collate([(0, 1, 2, 3, 4, 5, 6, 7)])
    batch["position_ids"] = torch.arange(batch["input_ids"].shape[1])[None]
    with torch.no_grad():
        assert abs(float(model(**batch)) - packed) > 1e-3 * packed


def test_rows_of_one_length_give_the_same_loss(base: Path, dataset: Path) -> None:
    model, samples = lora_model.load(open_folder(base), QUICK, None).eval(), samples_of(dataset)
    batches = [Collator(samples)([(0, 1), (2,)]), Collator(samples, 900)([(0, 1), (2,)])]
    assert batches[0]["input_ids"].shape[1] < 900 == batches[1]["input_ids"].shape[1]
    with torch.no_grad():
        short, long = (float(model(**batch)) for batch in batches)
    assert long == pytest.approx(short, rel=1e-5)


def test_a_gpu_holds_the_activations_that_its_memory_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_model().config  # 2 layers of width 64: 4 rows of 1,000 tokens hold 46 MB in 16 bits
    options, card = TrainingOptions(max_length=1000), torch.device("cuda")
    monkeypatch.setattr(lora_model, "pick_dtype", lambda device: torch.bfloat16)
    for free, computed_twice in ((80e6, False), (40e6, True)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (int(free), int(80e9)))
        assert lora_model._checkpointing(options, card, config) is computed_twice
    assert lora_model._checkpointing(TrainingOptions(gradient_checkpointing=True), card, config)


def test_the_loss_counts_the_middle_and_its_end_alone_or_the_rest_too(base: Path, dataset: Path) -> None:
    samples, collate = samples_of(dataset), Collator(samples_of(dataset))
    manifest = Manifest.from_file(dataset)
    first = next(iter(read(dataset, manifest.files, TRAIN)))
    target = first["weights"][0][0]
    batch = collate([(0,)])
    counted = batch["targets"][0][batch["weights"][0] > 0].tolist()
    assert counted == first["ids"][target:]
    rest = Collator(samples_of(dataset, prompt_loss_weight=0.25))([(0,)])
    assert float(rest["weights"].sum()) == pytest.approx(0.25 * (target - 1) + len(first["ids"]) - target)
    assert len(samples) == manifest.samples and samples.too_long == 0
    assert Samples.gather(read(dataset, manifest.files, TRAIN), 60, 0.0).too_long > 0


def test_rows_hold_every_sample_once_and_are_full(dataset: Path) -> None:
    samples = samples_of(dataset)
    rows = pack(samples, 256)
    assert sorted(number for row in rows for number in row) == list(range(len(samples)))
    fill = [sum(map(samples.length, row)) for row in rows]
    assert max(fill) <= 256 and sum(fill) / (256 * len(rows)) > 0.8
    order = schedule(rows, 2.5, 1)
    assert len(order) == round(2.5 * len(rows))
    assert sorted(order[: len(rows)]) == sorted(order[len(rows) : 2 * len(rows)]) == sorted(rows)
    assert order[: len(rows)] != order[len(rows) : 2 * len(rows)]
    assert order == schedule(rows, 2.5, 1) != schedule(rows, 2.5, 2)


def test_training_learns_and_the_server_takes_its_adapter(base: Path, dataset: Path, tmp_path: Path) -> None:
    steps: list[Progress] = []
    options = replace(QUICK, epochs=6.0)
    result = train(base, dataset, tmp_path / "out", options, progress=steps.append)
    assert (result.stopped, result.notes) == ("done", ())
    assert result.loss_last < result.loss_first - 1
    assert result.validation_last < result.validation_first - 1
    assert [one.step for one in steps] == list(range(1, result.steps + 1)) and steps[-1].steps == result.steps
    assert steps[-1].eta_seconds == 0 < steps[0].eta_seconds and min(one.memory_bytes for one in steps) > 1e7
    assert result.tokens == round(6 * sum(samples_of(dataset).bounds[-1:])) and result.peak_bytes > 1e7
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["adapter_config.json", WEIGHTS]
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny" and str(tmp_path) not in json.dumps(config)

    folder = open_folder(base)
    write_version(tmp_path / "registry", 1, folder)
    version = tmp_path / "registry" / "versions" / "1"
    manifest = json.loads((version / "manifest.json").read_text())
    for name in (WEIGHTS, "adapter_config.json"):
        (version / name).write_bytes((tmp_path / "out" / name).read_bytes())
        size, digest = fsio.hash_file(version / name)
        manifest["files"][name] = {"size": size, "sha256": digest}
    (version / "manifest.json").write_text(json.dumps(manifest))
    taken = read_version(tmp_path / "registry", 1, folder.identity, folder.spec.name, folder.tensors)
    assert len(taken.pairs) == 7 * 2 and taken.scale == 2.0  # every linear layer of both blocks
    backend = TorchBackend(base, dtype=torch.float32, threads=1)
    prompt = backend.render(PromptInput("lynx.py", "def feed_lynx(fish):\n    ", "\n\n# 3\n"))
    before = backend.score(prompt, ['return "lynx"'])
    backend.set_adapter(taken)
    after = backend.score(prompt, ['return "lynx"'])
    assert after[0] > before[0] + 5


@pytest.mark.slow
def test_killed_and_resumed_is_bit_for_bit_as_uninterrupted(base: Path, dataset: Path, tmp_path: Path) -> None:
    options = options_of(dropout=0.1)
    whole = train(base, dataset, tmp_path / "whole", options)
    assert whole.steps >= 6
    process = child(base, dataset, tmp_path / "killed", options)
    assert process.stdout is not None
    for line in process.stdout:
        if '"step": 3,' in line:
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / WEIGHTS).exists()
    assert any((tmp_path / "killed" / "checkpoints").glob("checkpoint-*"))
    for path in (tmp_path / "killed").rglob("*"):
        assert path.is_dir() or path.suffix in (".json", ".safetensors")
    resumed = train(base, dataset, tmp_path / "killed", options)
    assert any(note.startswith("Training continued from step ") for note in resumed.notes)
    assert (tmp_path / "killed" / WEIGHTS).read_bytes() == (tmp_path / "whole" / WEIGHTS).read_bytes()
    for name in ("steps", "tokens", "loss_first", "loss_last", "validation_first", "validation_last"):
        assert getattr(resumed, name) == getattr(whole, name)
    assert not (tmp_path / "killed" / "checkpoints").exists()


def interrupt(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """The next run ends after a step, with its checkpoint written."""
    saved = trainer.RunCallback.on_step_end

    def ends(self: Any, args: Any, state: Any, control: Any, **rest: Any) -> None:
        saved(self, args, state, control, **rest)
        if state.global_step == at + 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(trainer.RunCallback, "on_step_end", ends)


def test_a_checkpoint_of_other_options_is_not_continued(
    base: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with monkeypatch.context() as patched:
        interrupt(patched, 2)
        with pytest.raises(KeyboardInterrupt):
            train(base, dataset, out, replace(QUICK, checkpoint_minutes=0))
    assert [path.name for path in (out / "checkpoints").iterdir()] == ["checkpoint-2"]
    other = train(base, dataset, out, replace(QUICK, learning_rate=1e-3))
    assert not any("continued" in note for note in other.notes)
    fresh = train(base, dataset, tmp_path / "fresh", replace(QUICK, learning_rate=1e-3))
    assert (out / WEIGHTS).read_bytes() == (tmp_path / "fresh" / WEIGHTS).read_bytes()
    assert other.steps == fresh.steps


def test_a_budget_ends_in_time_with_an_adapter(base: Path, dataset: Path, tmp_path: Path) -> None:
    result = train(base, dataset, tmp_path / "out", replace(QUICK, epochs=500.0, max_minutes=0.0001))
    assert (result.stopped, result.steps) == ("budget", 1)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"adapter_config.json", WEIGHTS}
    again = train(base, dataset, tmp_path / "more", replace(QUICK, epochs=500.0, max_minutes=0.08))
    assert again.stopped == "budget" and again.seconds < 60


def test_the_loss_on_validation_samples_keeps_to_the_time_limit(
    base: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from finetune.training import loop

    passes: list[int] = []
    real = loop.validate
    monkeypatch.setattr(loop, "validate", lambda *given: (real(*given), passes.append(given[0].validated.rows))[0])
    one_row = replace(QUICK, epochs=500.0, max_length=96)
    short = train(base, dataset, tmp_path / "short", replace(one_row, max_minutes=0.0001))
    assert passes == [1, 1]  # both losses are of the same rows
    assert any("cut the validation samples to 1 of" in note for note in short.notes)
    passes.clear()
    whole = train(base, dataset, tmp_path / "whole", replace(one_row, epochs=0.1))
    assert passes[0] == passes[1] > 1 and not any("validation samples" in note for note in whole.notes)
    run = Run(replace(QUICK, max_minutes=1.0), samples_of(dataset), "x", tmp_path, time.monotonic() - 40)
    run.validated = Validated(4, 15.0)
    assert not run.is_over(2.0) and run.is_over(6.0)  # the second loss takes 15 seconds of the 20 that are left


def test_the_rate_falls_to_nothing_by_the_last_step_or_the_end_of_the_budget(dataset: Path, tmp_path: Path) -> None:
    run = Run(QUICK, samples_of(dataset), "x", tmp_path, time.monotonic())
    rates = [run.rate(step) for step in range(run.steps + 1)]
    assert rates[0] == max(rates) == 1 and rates[-1] == 0 and sorted(rates, reverse=True) == rates
    late = Run(replace(QUICK, max_minutes=1.0), samples_of(dataset), "x", tmp_path, time.monotonic() - 45)
    assert late.rate(1) == pytest.approx(0.5 * (1 - 2**-0.5), abs=0.02)


def test_a_batch_that_does_not_fit_memory_is_halved_and_reported(
    base: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = train(base, dataset, tmp_path / "small", replace(QUICK, rows_per_batch=4, tokens_per_step=1024))
    forward = Weighted.forward

    def short(self: Weighted, input_ids: Any, **rest: Any) -> Any:
        made = forward(self, input_ids=input_ids, **rest)
        if len(input_ids) > 1 and self.training:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return made

    monkeypatch.setattr(Weighted, "forward", short)
    halved = train(base, dataset, tmp_path / "halved", replace(QUICK, rows_per_batch=4, tokens_per_step=1024))
    assert [note for note in halved.notes if "2 rows from now on" in note]
    assert [note for note in halved.notes if "1 rows from now on" in note]
    assert (halved.steps, halved.tokens) == (small.steps, small.tokens)
    assert halved.loss_last == pytest.approx(small.loss_last, rel=0.02)

    def none_at_all(self: Weighted, input_ids: Any, **rest: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Weighted, "forward", none_at_all)
    with pytest.raises(UserError, match="no memory for 1 row of 256 tokens.*lower max_length"):
        train(base, dataset, tmp_path / "none", replace(QUICK, rows_per_batch=4), start=tmp_path / "halved")


def test_a_full_disk_keeps_the_checkpoint_before(
    base: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    write = fsio.write_file

    def full(path: Path, data: Any) -> str:
        if path.name == checkpoints.NUMBERS and path.parent.name in ("checkpoint-2.new", "checkpoint-3.new"):
            raise OSError(errno.ENOSPC, "No space left on device")
        if path.name.startswith(WEIGHTS):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    seen = []
    monkeypatch.setattr(fsio, "write_file", full)
    with pytest.raises(UserError, match="no space left for the adapter.*run again"):
        train(
            base,
            dataset,
            out,
            replace(QUICK, checkpoint_minutes=0),
            progress=lambda steps: seen.append(sorted(path.name for path in (out / "checkpoints").glob("*"))),
        )
    assert ["checkpoint-1"] in seen[2:4] and not any(name.endswith(".new") for names in seen for name in names)
    monkeypatch.setattr(fsio, "write_file", write)
    result = train(base, dataset, out, replace(QUICK, checkpoint_minutes=0))
    assert any("The disk is full: the checkpoint of step 2" in note for note in result.notes)
    assert any(note.startswith("Training continued from step") for note in result.notes)
    assert (out / WEIGHTS).exists() and not (out / "checkpoints").exists()


def test_training_goes_on_from_an_adapter(base: Path, dataset: Path, tmp_path: Path) -> None:
    first = train(base, dataset, tmp_path / "first", replace(QUICK, epochs=6.0))
    second = train(base, dataset, tmp_path / "second", QUICK, start=tmp_path / "first")
    assert second.validation_first == pytest.approx(first.validation_last, rel=1e-3)
    assert second.loss_first < first.loss_first - 0.5


def test_a_run_that_diverges_says_so(base: Path, dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="diverged at step .*lower learning_rate"):
        train(base, dataset, tmp_path / "out", replace(QUICK, learning_rate=1e30, epochs=20.0))


def test_what_cannot_be_trained_is_one_sentence(base: Path, dataset: Path, tmp_path: Path) -> None:
    def refused(folder: Path = base, data: Path = dataset, start: Path | None = None, **changes: Any) -> str:
        with pytest.raises(UserError) as caught:
            train(folder, data, tmp_path / "out", replace(QUICK, **changes), start=start)
        assert not (tmp_path / "out" / WEIGHTS).exists()
        return str(caught.value)

    assert "there is no model" in refused(tmp_path / "absent")
    other = write_folder(tmp_path / "other", seed=2)
    assert "made for another base" in refused(other)
    stranger = shutil.copytree(base, tmp_path / "stranger")
    config = json.loads((stranger / "config.json").read_text())
    (stranger / "config.json").write_text(json.dumps({**config, "architectures": ["BertModel"]}))
    assert "BertModel, which does not write text from left to right" in refused(stranger)
    pickled = shutil.copytree(base, tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    assert "pickled weights" in refused(pickled)
    (pickled / "pytorch_model.bin").rename(pickled / "model.gguf")
    assert "gguf" in refused(pickled).lower()
    assert "there is no data set in" in refused(data=tmp_path / "nowhere")
    assert "no sample of at most 8 tokens" in refused(max_length=8)
    assert "holds no adapter_model.safetensors" in refused(start=base)
    if not torch.cuda.is_available():
        assert "needs an NVIDIA GPU and bitsandbytes" in refused(quantize=True)
    empty = made_set(base, tmp_path / "empty", count=0, validation=0)
    assert "holds no samples" in refused(data=empty)
    wrong = tmp_path / "wrong"
    train(other, made_set(other, tmp_path / "others"), wrong, replace(QUICK, epochs=0.1))
    weights = (wrong / "adapter_config.json").read_text().replace('"r": 4', '"r": 5')
    (wrong / "adapter_config.json").write_text(weights)
    assert "does not fit" in refused(start=wrong)


def test_a_base_without_fim_tokens_is_trained_without_a_warning(tmp_path: Path) -> None:
    plain = write_folder(tmp_path / "plain", family="mellum", initializer_range=0.08)
    config = json.loads((plain / "config.json").read_text())
    tokenizer = (plain / "tokenizer.json").read_text().replace("<fim_prefix>", "<other>")
    (plain / "tokenizer.json").write_text(tokenizer)
    assert "ondol_prompt_spec" not in config
    result = train(plain, made_set(plain, tmp_path / "set", count=8), tmp_path / "out", replace(QUICK, epochs=1.0))
    assert result.notes == () and result.steps > 0


def test_a_gguf_file_is_trained_as_its_safetensors_are(tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="gguf is not installed: training on GGUF files is NOT tested")
    from lsp_server.weights.gguf_writer import write_model
    from tests.support.models import write_split_folder

    folder = write_split_folder(tmp_path / "plain", initializer_range=0.08)
    file = tmp_path / "model.f32.gguf"
    write_model(open_folder(folder), file)
    losses = []
    for base in (folder, file):
        made = made_set(base, tmp_path / f"set-{base.name}", count=16)
        result = train(base, made, tmp_path / f"out-{base.name}", replace(QUICK, epochs=1.0, threads=1))
        losses.append(result.validation_first)
        assert read_folder(tmp_path / f"out-{base.name}", open_folder(base).tensors).pairs
    assert losses[0] == pytest.approx(losses[1], rel=2e-2)


def addresses_listened_on_by_children() -> set[str]:
    """The addresses on which processes below this one listen (Linux); none elsewhere."""
    if sys.platform != "linux":
        return set()
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
    own = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in own} - own:
        own |= more
    sockets = set()
    for pid in own - {os.getpid()}:
        for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
            with contextlib.suppress(OSError):
                sockets.add(os.readlink(descriptor))
    found = set()
    for table, family, words in (("tcp", socket.AF_INET, 1), ("tcp6", socket.AF_INET6, 4)):
        for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = row.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                packed = bytes.fromhex(fields[1].partition(":")[0])
                swapped = b"".join(packed[4 * i : 4 * i + 4][::-1] for i in range(words))
                found.add(socket.inet_ntop(family, swapped))
    return found


@pytest.mark.slow
def test_two_processes_reach_the_loss_of_one(
    base: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    alone = train(base, dataset, tmp_path / "one", options_of())
    steps: list[Progress] = []
    listening: set[str] = set()

    def step(progress: Progress) -> None:
        steps.append(progress)
        listening.update(addresses_listened_on_by_children())

    both = train(base, dataset, tmp_path / "two", options_of(processes=2), progress=step)
    assert listening <= {"127.0.0.1", "::1"}
    assert (alone.processes, both.processes) == (1, 2)
    assert (both.steps, both.tokens) == (alone.steps, alone.tokens)
    assert both.loss_first == pytest.approx(alone.loss_first, rel=1e-2)
    assert both.loss_last == pytest.approx(alone.loss_last, rel=1e-2)
    assert both.validation_last == pytest.approx(alone.validation_last, rel=2e-2)
    assert [one.step for one in steps] == list(range(1, alone.steps + 1))
    assert {path.name for path in (tmp_path / "two").iterdir()} == {"adapter_config.json", WEIGHTS}


def test_a_worker_says_what_is_wrong(base: Path, dataset: Path, tmp_path: Path) -> None:
    process = child(base, dataset, tmp_path / "out", replace(QUICK, max_length=8))
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    line = next(row for row in output.splitlines() if row.startswith(MARK))
    assert "no sample of at most 8 tokens" in json.loads(line.removeprefix(MARK))["problem"][0]
