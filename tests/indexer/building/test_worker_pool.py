"""Worker processes: a file that hangs, crashes or fills the memory is skipped with a reason; all others are indexed."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import indexer.building.renewal
from indexer.building import prepare, worker_pool
from indexer.building.build import build
from indexer.building.worker import Limits
from indexer.errors import Fault
from indexer.storage.reader import Index
from tests.support import indexes, repositories

COMMAND = [sys.executable, str(Path(__file__).with_name("misbehaving_worker.py"))]
ORDERS = {"spin": "timeout", "sleep": "timeout", "allocate": "memory", "abort": "crash", "raise": "crash"}

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs POSIX limits")


@pytest.fixture(autouse=True)
def always_workers(monkeypatch):
    monkeypatch.setattr(indexer.building.renewal, "IN_PROCESS_BYTES", 1)


@pytest.mark.slow
def test_one_bad_file_costs_that_file_alone(tmp_path):
    bad = {f"bad_{order}.py": f"# {order}\nx = 1\n" for order in [*ORDERS, "print"]}
    root = repositories.repository(tmp_path / "repo", {**bad, **repositories.FILES})
    started = time.monotonic()
    limits = Limits(cpu_seconds=1, wall_seconds=4.0, memory_bytes=200 << 20)
    report = build(root, indexes.settings(tmp_path / "data"), limits=limits, command=COMMAND)
    assert time.monotonic() - started < 60
    assert {skip.path: skip.reason for skip in report.skips} == {
        f"bad_{order}.py": why for order, why in ORDERS.items()
    }
    index = Index.open(indexes.directory(root, tmp_path / "data"))
    assert set(index.documents) == {*repositories.FILES, "bad_print.py"}
    assert "bad_raise.py is left out (crash): RuntimeError: a fault in the parser" in report.notes


def test_a_fault_of_ours_in_an_update_costs_one_file(tmp_path, monkeypatch):
    monkeypatch.setattr(indexer.building.renewal, "IN_PROCESS_BYTES", 1_000_000)
    honest = prepare.chunk
    monkeypatch.setattr(prepare, "chunk", lambda *a: 1 / 0 if a[2] == "bad.py" else honest(*a))
    root = repositories.repository(tmp_path / "repo", {"bad.py": "x = 1\n", "good.py": "x = 1\n"})
    report = build(root, indexes.settings(tmp_path / "data"))
    assert (report.files, report.skipped) == (1, {"crash": 1})
    assert report.notes == ["bad.py is left out (crash): ZeroDivisionError: division by zero"]


def test_a_bad_file_is_tried_once_more_and_then_not_before_it_changes(tmp_path, monkeypatch):
    root = repositories.repository(tmp_path / "repo", {"bad.py": "# abort\n", "good.py": "x = 1\n"})
    later = time.time_ns() + 3_600_000_000_000
    monkeypatch.setattr("indexer.fsio.now_ns", lambda: later)
    data = tmp_path / "data"
    assert build(root, indexes.settings(data), command=COMMAND).skipped == {"crash": 1}
    assert build(root, indexes.settings(data), command=COMMAND).skipped == {"crash": 1}
    assert build(root, indexes.settings(data), command=["false"]).skipped == {"crash": 1}
    repositories.write(root, {"bad.py": "x = 'cured'\n"})
    assert build(root, indexes.settings(data), command=COMMAND).skipped == {}


def test_what_was_the_machines_fault_is_cured_by_the_next_update_or_a_full_build(tmp_path, monkeypatch):
    """The command without faults stands for a machine that has memory again."""
    root = repositories.repository(tmp_path / "repo", {"bad.py": "# abort\n", "good.py": "x = 1\n"})
    later = time.time_ns() + 3_600_000_000_000
    monkeypatch.setattr("indexer.fsio.now_ns", lambda: later)
    settings = indexes.settings(tmp_path / "data")
    assert build(root, settings, command=COMMAND).skipped == {"crash": 1}
    assert build(root, settings).skipped == {}
    settings = indexes.settings(tmp_path / "other")
    for _ in range(3):
        assert build(root, settings, command=COMMAND).skipped == {"crash": 1}
    assert build(root, settings).skipped == {"crash": 1}
    assert build(root, settings, full=True).skipped == {}


def test_workers_that_cannot_start_are_a_fault_and_not_an_empty_index(tmp_path):
    root = repositories.repository(tmp_path / "repo")
    code = "import sys; sys.exit('no such module')"
    with pytest.raises(Fault, match="worker processes cannot be started: no such module"):
        build(root, indexes.settings(tmp_path / "data"), command=[sys.executable, "-c", code])


@pytest.mark.slow
def test_workers_that_crash_at_every_file_are_a_fault_and_not_an_empty_index(tmp_path, monkeypatch):
    monkeypatch.setattr(worker_pool, "_CRASHES_IN_A_ROW", 5)
    root, data = repositories.repository(tmp_path / "repo", {"a.py": "x = 1\n"}), tmp_path / "data"
    build(root, indexes.settings(data))
    repositories.write(root, {f"f{i}.py": "# raise\n" for i in range(30)})
    with pytest.raises(Fault, match=r"(?s)crash at every file: .*a fault in the parser"):
        build(root, indexes.settings(data), command=COMMAND)
    assert set(Index.open(indexes.directory(root, data)).documents) == {"a.py"}


def test_workers_import_nothing_from_the_repository(tmp_path, monkeypatch):
    files = {f"{name}.py": f"open({str(tmp_path / 'PWNED')!r}, 'w')\n" for name in ("json", "re", "numpy", "struct")}
    files |= {f"{name}/__init__.py": files["json.py"] for name in ("indexer", "tree_sitter", "multiprocessing")}
    files["sitecustomize.py"] = files["json.py"]
    root = repositories.repository(tmp_path / "repo", files)
    monkeypatch.chdir(root)
    report = build(root, indexes.settings(tmp_path / "data"))
    assert report.files == len(files)
    assert not (tmp_path / "PWNED").exists()


def test_an_update_that_took_its_process_down_is_done_by_workers_the_next_time(tmp_path, monkeypatch):
    monkeypatch.setattr(indexer.building.renewal, "IN_PROCESS_BYTES", 1_000_000)
    root, data = (
        repositories.repository(tmp_path / "repo", {"bad.py": "# abort\n", "good.py": "x = 1\n"}),
        tmp_path / "data",
    )
    code = (
        "import os, sys; from pathlib import Path; from tests.support import indexes; from indexer.building import prepare\n"
        "from indexer.building.build import build\n"
        "prepare.chunk = lambda *_: os.abort()\n"
        "build(Path(sys.argv[1]), indexes.settings(Path(sys.argv[2])))"
    )
    died = subprocess.run([sys.executable, "-c", code, root, data], cwd=Path(__file__).parents[3])
    assert died.returncode != 0
    assert (indexes.directory(root, data) / "inflight").exists()
    report = build(root, indexes.settings(data), command=COMMAND)
    assert report.skipped == {"crash": 1}
    assert report.files == 1
    assert not (indexes.directory(root, data) / "inflight").exists()


def test_ending_the_pool_ends_its_processes(tmp_path):
    root = repositories.repository(tmp_path / "repo", {"bad.py": "# sleep\n"})
    with worker_pool.Pool(root, indexes.settings(tmp_path / "data"), 2, command=COMMAND) as workers:
        entries = indexer.repository.walk.walk(root, indexes.settings(tmp_path / "data"))[0]
        workers.prepare(entries, {})
        for _ in range(200):
            if workers._processes:
                break
            time.sleep(0.05)
        running = [process.popen for process in workers._processes.values()]
    assert running
    assert all(process.returncode is not None for process in running)
