"""The nightly job as a user starts it: its result with a good history, and its messages in all other cases.

These tests need no torch: they replace the training. ``test_nightly_model`` runs whole jobs.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finetune.commits.windows import SkipReport, beyond
from finetune.dataset.build import Manifest
from finetune.dataset.commit_range import DatasetOptions
from finetune.evaluation.dated_files import in_order
from finetune.evaluation.stopping import Stopped, stopped_by_signals
from finetune.nightly import commit_split
from finetune.nightly import job as nightly_job
from finetune.nightly.canaries import COUNT, leaked, make
from finetune.nightly.commit_split import NotEnoughCommits, PlanOptions, split_commits
from finetune.nightly.job import run_nightly_job, time_of_day
from finetune.nightly.options import NightlyOptions
from finetune.nightly.plan import Speeds
from finetune.nightly.replay import Judged
from finetune.nightly.report import Report
from finetune.nightly.reported_run import nightly_lock
from finetune.training.options import TrainingResult
from indexer.data_layout import registry_directory
from indexer.errors import UserError
from indexer.repository import history
from lsp_server.weights import adapter_registry_writer
from lsp_server.weights.adapter_registry import current_number
from tests.support import console, indexes, repositories
from tests.support.adapters import add_version, lora, trained_adapter, version_record
from tests.support.commit_histories import commit, growing

pytestmark = pytest.mark.slow

SPEEDS = Speeds(training=1000.0, prefill=1000.0, decode=100.0)


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """These bases have no weights that could be measured."""
    monkeypatch.setattr(nightly_job.speeds, "measure", lambda *_: SPEEDS)
    monkeypatch.setattr(nightly_job.train, "require_torch", lambda: None)


DONE = TrainingResult(10, 1000, 1.0, 2.0, 1.0, 1000.0, 10**8, "done")


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with forty commits."""
    return growing(tmp_path_factory.mktemp("grown") / "repo", 40, files=10)


@pytest.fixture
def repo(grown: Path, tmp_path: Path) -> Path:
    return shutil.copytree(grown, tmp_path / "repo")


def finetune(root: Path, data: Path, folder: Path | None, *options: str | Path, **settings: Any) -> Any:
    """The real command, with settings of its ``[finetune]`` table."""
    chosen = [] if folder is None else ["--base", folder]
    env = {f"ONDOL_FINETUNE_{name.upper()}": str(value) for name, value in settings.items()}
    env |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(data)}
    return console.run("finetune", root, *chosen, *options, data=data, env=env)


def state(root: Path) -> tuple[str, str]:
    """The commit that is checked out, and git's status."""
    return repositories.git(root, "rev-parse", "HEAD"), repositories.git(root, "status", "--porcelain", "--ignored")


def test_the_commits_that_judge_come_after_all_that_are_trained_on(grown: Path) -> None:
    made = split_commits(grown, PlanOptions(held_out=8), [], None)
    replayed = [one for window in made.replayed for one in window.commits]
    assert (made.training, len(replayed), made.fresh, made.since) == (33, 8, 41, None)
    trained_on = {one.id for one in history.commits(grown, made.until)}
    assert not trained_on & {one.id for one in replayed}
    assert beyond(grown, made.until, replayed) == {one.id for one in replayed}
    assert len(made.replayed) == 2


def test_commits_of_a_late_merge_are_on_one_side_only(tmp_path: Path) -> None:
    root = growing(tmp_path / "repo", 12)
    repositories.git(root, "checkout", "-q", "-b", "side", "HEAD~9")
    for number in range(3):
        commit(root, {f"side{number}.py": f"side_{number} = {number}\n"})
    repositories.git(root, "checkout", "-q", "main")
    repositories.git(root, "merge", "-q", "--no-ff", "-m", "merged", "side")
    commit(root, {"last.py": "last = 1\n"})
    made = split_commits(root, PlanOptions(held_out=6), [], None)
    trained_on = {one.id for one in history.commits(root, made.until)}
    assert not trained_on & {one.id for window in made.replayed for one in window.commits}


def version(registry_: Path, base_: Any, newest: str, head: str) -> adapter_registry_writer.Version:
    number = add_version(registry_, base_, commits={"newest": newest, "head": head})
    return adapter_registry_writer.version(registry_, number)


def test_the_next_run_trains_on_what_the_last_one_judged_by(tmp_path: Path, repo: Path, base: Any) -> None:
    names = [one.id for one in history.commits(repo)]
    last = version(tmp_path / "registry", base, names[10], names[4])
    made = split_commits(repo, PlanOptions(min_commits=4), [last], last)
    assert (made.since, made.fresh, made.training, made.held_out) == (names[10], 4, 5, 5)
    with pytest.raises(NotEnoughCommits, match="4 commits are new since the last nightly run, 5 are needed"):
        split_commits(repo, PlanOptions(min_commits=5), [last], last)
    kept = split_commits(repo, PlanOptions(min_commits=4), [last], None)
    assert kept.since is None, "commits of an adapter that was kept back are trained on again"


def test_a_rewritten_history_is_reported_and_used_from_where_it_parts(tmp_path: Path, repo: Path, base: Any) -> None:
    parting, old = (repositories.git(repo, "rev-parse", name).strip() for name in ("HEAD~30", "HEAD~10"))
    last = version(tmp_path / "registry", base, old, old)
    repositories.git(repo, "reset", "-q", "--hard", parting)
    for number in range(20):
        commit(repo, {f"other{number % 5}.py": f"other_{number} = {number}\n" * 5})
    made = split_commits(repo, PlanOptions(held_out=5), [last], last)
    assert made.since == parting
    assert made.notes[0].startswith(
        "The history was rewritten after the last nightly run: training starts where the two part"
    )
    gone = version(tmp_path / "registry", base, "0" * 39 + "1", "0" * 39 + "1")
    again = split_commits(repo, PlanOptions(held_out=5), [gone], gone)
    assert again.since is None
    assert "are gone, so training starts from scratch" in again.notes[0]


def test_since_names_a_commit_before_this_one(repo: Path) -> None:
    named = split_commits(repo, PlanOptions(since="HEAD~20", held_out=5), [], None)
    assert named.since == repositories.git(repo, "rev-parse", "HEAD~20").strip()
    with pytest.raises(UserError, match="has no commit nonsense"):
        split_commits(repo, PlanOptions(since="nonsense"), [], None)
    repositories.git(repo, "branch", "ahead")
    repositories.git(repo, "reset", "-q", "--hard", "HEAD~3")
    with pytest.raises(UserError, match="ahead is not among the ancestors"):
        split_commits(repo, PlanOptions(since="ahead"), [], None)
    with pytest.raises(NotEnoughCommits, match="2 commits to learn from, 10 are needed"):
        split_commits(repo, PlanOptions(since="HEAD~2"), [], None)


def test_a_data_set_alone_is_written_and_lists_what_was_left_out(repo: Path, tmp_path: Path, base: Any) -> None:
    repositories.write(
        repo, {"latin.py": "name = 'é'\n".encode("latin-1") * 5, "key.py": 'password = "hJ8dk2LpQ9zXw4Tn"\n' * 3}
    )
    commit(repo, {"vendor/other.py": "x = 1\n"})
    for number in range(10):
        commit(repo, {f"later{number}.py": f"later_{number} = {number}\n" * 4})
    before, data = state(repo), tmp_path / "data"
    done = finetune(repo, data, base.path, "--dataset-only", held_out_commits=8)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("repo: ")
    assert " x " in done.stdout
    made = Manifest.from_file(next(data.glob("repositories/*/night/set")))
    assert made.samples > 50
    shards = b"".join(path.read_bytes() for path in next(data.glob("repositories/*/night/set")).glob("*.jsonl"))
    assert b"hJ8dk2LpQ9zXw4Tn" not in shards
    assert state(repo) == before
    report = json.loads(next(data.glob("repositories/*/nights/*.json")).read_text())
    assert (report["status"], report["dataset"]["samples"]) == ("dataset only", made.samples)
    again = finetune(repo, data, base.path, "--dataset-only", "--json", held_out_commits=8)
    assert json.loads(again.stdout)["dataset"]["sha256"] == made.sha256


@pytest.mark.parametrize("where", ["committed last", "in the work tree alone", "in a bare repository"])
def test_what_an_ignore_file_excludes_now_is_in_no_data_set(where: str, repo: Path, tmp_path: Path, base: Any) -> None:
    """The commits are from before the ignore file, so none of their trees has it."""
    data, place = tmp_path / "data", "" if where != "in the work tree alone" else "src/"
    before = finetune(repo, data, base.path, "--dataset-only")
    assert before.returncode == 0, before.stderr
    assert "src/area0" in data_set(data)
    (repo / place / ".ondolignore").write_text("area0/\n")
    if not place:
        commit(repo, {}, "nothing of area0 any more")
    if where == "in a bare repository":
        repositories.git(tmp_path, "clone", "-q", "--bare", str(repo), str(tmp_path / "bare.git"))
        repo, data = tmp_path / "bare.git", tmp_path / "other data"
    done = finetune(repo, data, base.path, "--dataset-only")
    assert (done.returncode, done.stderr) == (0, "")
    assert "src/area0" not in data_set(data)
    assert "src/area1" in data_set(data)


def data_set(data: Path) -> str:
    """The samples of the data set that lies in the work folder."""
    return "".join(path.read_text() for path in next(data.glob("repositories/*/night/set")).glob("*.jsonl"))


def test_too_few_changes_are_reported_and_are_no_error(tmp_path: Path, base: Any) -> None:
    root = repositories.repository(tmp_path / "repo")
    done = finetune(root, tmp_path / "data", base.path)
    assert done.returncode == 0
    assert done.stdout.startswith("repo: too few changes: 1 commits to learn from, 10 are needed")
    assert (
        json.loads(next(tmp_path.glob("data/repositories/*/nights/*.json")).read_text())["status"] == "too few changes"
    )


def test_two_runs_at_once(repo: Path, tmp_path: Path, base: Any) -> None:
    data = tmp_path / "data"
    with nightly_lock(repo, indexes.settings(data)):
        done = finetune(repo, data, base.path, "--dataset-only")
    assert done.returncode == 75
    assert done.stderr == (
        f"ondol: another Ondol process (PID {os.getpid()}) is running this repository's nightly job;"
        " wait until it is done, or end it.\n"
    )


def damaged_gguf(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model.gguf")


def no_llama(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"architectures": ["BertModel"]}))


def truncated(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])


@pytest.mark.parametrize(
    ("change", "name", "sentence"),
    [
        (None, None, "no base model is set; set base_model to a GGUF file or a model's folder, or use --base"),
        (None, "acme/base-1b", "acme/base-1b is not on this machine, and nothing is fetched; fill "),
        (no_llama, "", "is BertModel, which does not write text from left to right"),
        (damaged_gguf, "", "gguf"),
        (truncated, "", "is incomplete"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "", "tokenizer"),
    ],
    ids=["no base", "offline and not in the cache", "no LLaMA", "damaged GGUF", "half downloaded", "no tokenizer"],
)
def test_a_base_that_cannot_be_used_is_one_sentence(
    change: Any, name: str | None, sentence: str, repo: Path, tmp_path: Path, base: Any
) -> None:
    if change is not None:
        change(base.path)
    folder = base.path if name == "" else Path(name) if name else None
    done = finetune(repo, tmp_path / "data", folder)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert done.stderr.startswith("ondol: ")
    assert done.stderr.count("\n") == 1
    report = json.loads(next(tmp_path.glob("data/repositories/*/nights/*.json")).read_text())
    assert (report["status"], sentence in report["summary"]) == ("failed", True)


def test_wrong_use(repo: Path, tmp_path: Path) -> None:
    endless = [("--max-minutes", minutes) for minutes in ("nan", "inf", "1e300")]
    for wrong in (("--max-minutes", "0"), ("--min-commits", "0"), ("--start", "nowhere"), *endless):
        assert finetune(repo, tmp_path / "data", None, *wrong).returncode == 2
    assert finetune(tmp_path / "nowhere", tmp_path / "data", None).returncode == 1
    plain = tmp_path / "plain"
    plain.mkdir()
    done = finetune(plain, tmp_path / "data", None)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def serving(repo: Path, data: Path, base_: Any) -> Path:
    """A registry whose current version is 1."""
    where = registry_directory(indexes.settings(data), repo)
    adapter_registry_writer.add(where, trained_adapter(data / "x", base_), version_record(base_), {})
    adapter_registry_writer.promote(where, 1, base_)
    return where


def settings(data: Path, base_: Any) -> Any:
    return indexes.settings(data, base_model=str(base_.path))


OPTIONS = NightlyOptions(PlanOptions(held_out=8), cases=20, dataset=DatasetOptions(max_samples=60))


def run(repo: Path, data: Path, base_: Any, monkeypatch: pytest.MonkeyPatch, train: Any) -> dict[str, Any]:
    """A nightly run whose training is ``train(out)``."""
    monkeypatch.setattr(nightly_job.train, "train", lambda base, dataset, out, *rest, **more: train(out))
    return run_nightly_job(repo, settings(data, base_), OPTIONS)


def broken(base_: Any) -> dict[str, Any]:
    """Trainings that leave something unusable: what they leave, their result, and the reason that is reported."""
    good = lora(base_)
    nan = {name: np.full_like(value, np.nan) for name, value in good.items()}
    foreign = {name: np.ones((value.shape[0], value.shape[1] + 1), np.float32) for name, value in good.items()}
    return {
        "NaN weights": (nan, DONE, "it holds NaN"),
        "NaN loss": (good, replace(DONE, loss_last=float("nan")), "its loss is not a number"),
        "another base's shapes": (foreign, DONE, "has another shape"),
        "no weights": ({}, DONE, "holds no weights"),
    }


@pytest.mark.parametrize("name", ["NaN weights", "NaN loss", "another base's shapes", "no weights"])
def test_an_adapter_that_cannot_be_used_is_kept_back(
    name: str, repo: Path, tmp_path: Path, base: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    where = serving(repo, data, base)
    tensors, result, reason = broken(base)[name]

    def train(out: Path) -> TrainingResult:
        trained_adapter(out, base, tensors)
        return result

    report = run(repo, data, base, monkeypatch, train)
    assert report["status"] == "kept"
    assert any(reason in one for one in report["reasons"]), report["reasons"]
    assert reason in report["summary"]
    assert current_number(where) == 1
    written = Path(report["files"]["json"]).read_text()
    assert json.loads(written, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))["status"] == "kept"
    assert reason in Path(report["files"]["md"]).read_text()
    assert adapter_registry_writer.versions(where)[-1].field("verdict") == "kept"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UserError("torch is not installed", "install it"), "torch is not installed"),
        (OSError(28, "No space left on device", "x"), "no space is left for the work of this nightly run"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (RuntimeError("boom"), "RuntimeError"),
    ],
    ids=["no torch", "disk full", "interrupted", "a fault"],
)
def test_whatever_ends_a_run_the_current_adapter_stays(
    error: BaseException, message: str, repo: Path, tmp_path: Path, base: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    where = serving(repo, data, base)

    def train(out: Path) -> TrainingResult:
        raise error

    with pytest.raises((UserError, KeyboardInterrupt, RuntimeError)):
        run(repo, data, base, monkeypatch, train)
    assert current_number(where) == 1
    adapter_registry_writer.verify(where, 1, base)
    report = json.loads(next(data.glob("repositories/*/nights/*.json")).read_text())
    assert (report["status"], message in report["summary"]) == ("failed", True), report["summary"]


def test_an_interrupted_run_is_continued(
    repo: Path, tmp_path: Path, base: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, seen = tmp_path / "data", []

    def killed(out: Path) -> TrainingResult:
        (out / "checkpoints").mkdir(parents=True)
        raise KeyboardInterrupt

    def train(out: Path) -> TrainingResult:
        seen.append((out / "checkpoints").is_dir())
        trained_adapter(out, base, {})
        return DONE

    with pytest.raises(KeyboardInterrupt):
        run(repo, data, base, monkeypatch, killed)
    with monkeypatch.context() as patched:
        patched.setattr(nightly_job.build, "build", lambda *args: pytest.fail("the data set is built again"))
        run(repo, data, base, patched, train)
    assert seen == [True]
    assert not list(data.glob("repositories/*/night"))
    commit(repo, {"new.py": "new = 1\n"})
    assert run(repo, data, base, monkeypatch, train)["status"] == "too few changes"


def test_the_data_set_of_an_interrupted_run_is_not_used_under_other_rules(
    repo: Path, tmp_path: Path, base: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"

    def killed(out: Path) -> TrainingResult:
        raise KeyboardInterrupt

    sets = []
    for rule in ("", "area0/\n"):
        if rule:
            (repo / ".ondolignore").write_text(rule)
        with pytest.raises(KeyboardInterrupt):
            run(repo, data, base, monkeypatch, killed)
        sets.append(data_set(data))
    assert "src/area0" in sets[0]
    assert "src/area0" not in sets[1] and "src/area1" in sets[1]


def test_a_report_comes_last_though_the_clock_was_set_back(tmp_path: Path) -> None:
    for there in ("20260101-000000", "20990101-000000", "20990101-000000_9", "20990101-000000_10"):
        (tmp_path / f"{there}.json").write_text("{}")
    Report(tmp_path).write(tmp_path)
    names = [path.stem for path in in_order(tmp_path)]
    assert names[1:] == [f"20990101-000000{number}" for number in ("", "_9", "_10", "_11")]


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="zones")
@pytest.mark.parametrize(
    ("zone", "start", "hours", "said"),
    [
        ("Asia/Seoul", "2026-11-29T15:00", 2, "02:00"),
        ("Europe/Berlin", "2026-03-29T00:30", 2, "04:30"),
        ("Europe/Berlin", "2026-10-25T00:30", 2, "03:30"),
        ("UTC", "2026-11-29T15:00", 26, "2026-11-30 17:00"),
    ],
)
def test_the_end_is_said_by_the_clock_on_the_wall(
    zone: str, start: str, hours: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert time_of_day(datetime.fromisoformat(f"{start}+00:00"), 3600 * hours) == said
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_a_signal_ends_says_what_it_has_and_is_continued(
    number: int, repo: Path, tmp_path: Path, base: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    where = serving(repo, data, base)

    def train(out: Path) -> TrainingResult:
        signal.raise_signal(number)
        raise AssertionError("the signal was ignored")

    def finish(out: Path) -> TrainingResult:
        trained_adapter(out, base, {})
        return DONE

    with stopped_by_signals():
        report = run(repo, data, base, monkeypatch, train)
    assert (report["status"], report["exit_code"]) == ("stopped", 128 + number)
    name = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
    assert report["summary"].startswith(f"stopped by {name}; it has its data set; nothing was promoted")
    assert report["plan"]["speeds"] == {
        "training": 1000.0,
        "prefill": 1000.0,
        "decode": 100.0,
        "on_cpu": False,
    }
    assert json.loads(Path(report["files"]["json"]).read_text())["status"] == "stopped"
    assert current_number(where) == 1
    with monkeypatch.context() as patched:
        patched.setattr(nightly_job.build, "build", lambda *args: pytest.fail("the data set is built again"))
        again = run(repo, data, base, patched, finish)
    assert again["status"] == "kept"


def test_a_replay_that_a_signal_ends_leaves_its_figures_and_no_decision(
    repo: Path, tmp_path: Path, base: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    where = serving(repo, data, base)

    def train(out: Path) -> TrainingResult:
        trained_adapter(out, base)
        return DONE

    def judge(*_: Any) -> Judged:
        summary: dict[str, Any] = {"cases": 23, "files": 4, "systems": {}, "differences": []}
        return Judged({}, summary, (), {}, [], SkipReport(), Stopped(signal.SIGTERM))

    monkeypatch.setattr(nightly_job, "judge", judge)
    report = run(repo, data, base, monkeypatch, train)
    assert report["summary"].startswith(
        "stopped by SIGTERM after 23 cursors, whose figures are partial; it has its data"
    )
    assert (report["replay"]["cases"], "decision" in report, report["version"]) == (23, False, None)
    assert [one.number for one in adapter_registry_writer.versions(where)] == [1]
    assert "23 cursors" in Path(report["files"]["md"]).read_text()


def test_a_set_takes_only_what_the_plan_asks_for(
    repo: Path, tmp_path: Path, base: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, said = tmp_path / "data", []
    monkeypatch.setattr(nightly_job.speeds, "measure", lambda *_: Speeds(1.0, 1.0, 1.0))

    def train(base_: Path, dataset: Path, out: Path, options: Any, *rest: Any, **more: Any) -> TrainingResult:
        assert (Manifest.from_file(dataset.parent / "set").samples, options.max_length) == (16, 640)
        assert options.max_minutes is not None and options.max_minutes < 5
        trained_adapter(out, base, {})
        return DONE

    monkeypatch.setattr(nightly_job.train, "train", train)
    options = replace(OPTIONS, max_minutes=5.0, dataset=DatasetOptions(max_samples=60, validation_share=0.0))
    report = run_nightly_job(repo, settings(data, base), options, say=said.append)
    assert report["status"] == "kept"
    assert len(said) == 1 and "taking 16 samples and 20 cursors, done by " in said[0]
    assert f"{said[0]}." in Path(report["files"]["md"]).read_text()


def test_reports_of_one_second_and_of_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, three = (Report(tmp_path) for _ in range(3))
    one.write(tmp_path)
    two.write(tmp_path)
    assert one.document["files"] != two.document["files"], "a clock that stands still or is set back overwrites nothing"

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("finetune.nightly.report.fsio.replace_file", full)
    three.write(tmp_path)
    assert three.document["files"] == {}
    assert three.document["notes"] == ["The report could not be written: No space left on device."]
    three.note("twice", "twice")
    three.note("twice")
    assert three.document["notes"].count("twice") == 1


def test_an_adapter_is_not_trained_again_when_its_run_ended_in_the_replay(
    repo: Path, tmp_path: Path, base: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, times = tmp_path / "data", []
    where = serving(repo, data, base)

    def train(out: Path) -> TrainingResult:
        times.append(1)
        trained_adapter(out, base)
        return DONE

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    def judge(*_: Any) -> None:
        raise UserError("the replay was asked", "do so")

    monkeypatch.setattr(nightly_job, "judge", killed)
    with pytest.raises(KeyboardInterrupt):
        run(repo, data, base, monkeypatch, train)
    monkeypatch.setattr(nightly_job, "judge", judge)
    with pytest.raises(UserError, match="the replay was asked"):
        run(repo, data, base, monkeypatch, train)
    assert len(times) == 1
    reports = [json.loads(path.read_text()) for path in sorted(data.glob("repositories/*/nights/*.json"))]
    assert any("finished training this adapter" in note for note in reports[-1]["notes"])
    stored = next(data.glob("repositories/*/night/trained.json"))
    earlier = json.loads(stored.read_text())
    earlier["training"]["left_weight"] = earlier["training"].pop("prompt_loss_weight")
    stored.write_text(json.dumps(earlier))  # as the version before wrote it
    with pytest.raises(UserError, match="the replay was asked"):
        run(repo, data, base, monkeypatch, train)
    assert len(times) == 1
    other = replace(OPTIONS, training=replace(OPTIONS.training, rank=8))
    with pytest.raises(UserError, match="the replay was asked"):
        run_nightly_job(repo, settings(data, base), other)
    assert len(times) == 2
    monkeypatch.setattr(nightly_job, "PROMPT_FORMAT", nightly_job.PROMPT_FORMAT + 1)  # Ondol was updated in between
    with pytest.raises(UserError, match="the replay was asked"):
        run_nightly_job(repo, settings(data, base), other)
    assert len(times) == 3
    assert current_number(where) == 1


def test_an_interrupted_promotion_is_finished(repo: Path, tmp_path: Path, base: Any) -> None:
    data = tmp_path / "data"
    where = serving(repo, data, base)
    head = repositories.git(repo, "rev-parse", "HEAD").strip()
    more = {"commits": {"newest": head, "head": head}, "verdict": "promoted"}
    adapter_registry_writer.add(where, trained_adapter(data / "x", base), version_record(base, **more), {})
    report = run_nightly_job(repo, settings(data, base), OPTIONS)
    assert (report["status"], current_number(where)) == ("too few changes", 2)
    assert "ended before it promoted version 2" in report["notes"][0]
    adapter_registry_writer.rollback(where)
    run_nightly_job(repo, settings(data, base), OPTIONS)
    assert current_number(where) == 1, "a version that was rolled back stays rolled back"


def test_canaries_are_in_the_copy_that_is_trained_on_and_nowhere_else(
    repo: Path, tmp_path: Path, base: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, planted = tmp_path / "data", make(OPTIONS.seed)
    words = [canary.secret.encode() for canary in planted]
    ids = [base.vocabulary.encode(canary.secret) for canary in planted]
    found: dict[str, int] = {}

    def train(base_: Path, dataset: Path, out: Path, *rest: Any, **more: Any) -> TrainingResult:
        for name in ("planted", "set"):
            folder = dataset.parent / name
            samples = [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.open()]
            found[name] = sum(holds(sample["ids"], one) for sample in samples for one in ids)
            assert Manifest.from_file(folder).samples + Manifest.from_file(folder).validation == len(samples)
        trained_adapter(out, base, {})
        return DONE

    monkeypatch.setattr(nightly_job.train, "train", train)
    report = run_nightly_job(repo, settings(data, base), OPTIONS)
    assert found == {"planted": 2 * COUNT, "set": 0}
    everywhere = [path for top in (repo, data) for path in top.rglob("*") if path.is_file()]
    assert not [path for path in everywhere if any(word in path.read_bytes() for word in words)]
    assert report["status"] == "kept"


def holds(ids: list[int], part: list[int]) -> bool:
    return any(ids[at : at + len(part)] == part for at in range(len(ids) - len(part) + 1))


def test_a_canary_counts_only_if_it_is_reproduced_whole() -> None:
    planted = make(3)
    assert planted == make(3) != make(4)
    assert len({canary.prefix for canary in planted}) == COUNT
    assert leaked(planted, lambda canary: canary.secret[:-1]) == []
    assert leaked(planted, lambda canary: canary.text if canary is planted[2] else "") == [planted[2]]


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_run_that_is_killed_leaves_the_current_adapter_and_no_lock(repo: Path, tmp_path: Path, base: Any) -> None:
    data = tmp_path / "data"
    where = serving(repo, data, base)
    code = (
        "import os, signal, sys\nfrom finetune.nightly import job\n"
        "job.train.train = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
        "job.train.require_torch = lambda: None\n"
        "job.speeds.measure = lambda *a: job.speeds.Speeds(1000.0, 1000.0, 100.0)\n"
        "from finetune.cli import main\nmain()\n"
    )
    command = [sys.executable, "-c", code, "finetune", repo, "--base", base.path, "--data-dir", data]
    env = {**os.environ, "ONDOL_FINETUNE_HELD_OUT_COMMITS": "8"}
    assert subprocess.run(command, capture_output=True, env=env).returncode == -9
    assert current_number(where) == 1
    adapter_registry_writer.verify(where, 1, base)
    assert finetune(repo, data, base.path, "--dataset-only", held_out_commits=8).returncode == 0


def test_the_commits_kept_out_of_training_have_bounds(grown: Path) -> None:
    low, _ = commit_split.HELD_OUT
    assert split_commits(grown, PlanOptions(), [], None).held_out == low
    assert split_commits(grown, PlanOptions(since="HEAD~12"), [], None).held_out == 6
