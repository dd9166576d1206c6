"""Several repositories, one after the other and on a Ray cluster of two processes on this machine."""

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from indexer.building import cluster, ray_connection
from indexer.config import Settings
from indexer.data_layout import index_directory
from indexer.errors import UserError
from indexer.storage import fingerprint
from indexer.storage.reader import Index
from tests.support import console, indexes, ray_cluster, repositories

PLACE = "ONDOL_TEST_PLACE"
"""A variable by which a test knows its processes."""


def several(folder: Path, count: int = 3) -> list[Path]:
    roots = [repositories.repository(folder / f"r{number}") for number in range(count)]
    for number, root in enumerate(roots):
        more = {f"src/m{i}.py": f"def f{i}_{number}(value):\n    return value + {i}\n" for i in range(60 * number)}
        repositories.write(root, more)
    return roots


def opened(root: Path, data: Path) -> Index:
    return Index.open(index_directory(Settings(data_dir=data), root))


def same(root: Path, one: Path, other: Path) -> bool:
    """Whether two indexes hold the same documents, in segments of the same bytes."""
    first, second = opened(root, one), opened(root, other)
    segments = [
        {name: record for name, record in index.manifest.files.items() if name.startswith("segments/")}
        for index in (first, second)
    ]
    return segments[0] == segments[1] and indexes.holds(first) == indexes.holds(second)


def test_repositories_are_indexed_in_turn_and_one_that_fails_does_not_end_the_others(tmp_path: Path) -> None:
    roots, data = several(tmp_path), tmp_path / "data"
    subprocess.run(["git", "clone", "-q", "--bare", roots[0], tmp_path / "bare.git"], check=True)
    done = console.run("index", roots[0], tmp_path / "bare.git", roots[1], roots[0], "--json", data=data)
    assert done.returncode == 1
    assert [json.loads(line)["root"] for line in done.stdout.splitlines()] == [str(roots[0]), str(roots[1])]
    assert "bare.git is not indexed:" in done.stderr
    assert "clone it and index the clone" in done.stderr
    for option in ("--export", "--import", "--adopt"):
        refused = console.run("index", *roots, option, tmp_path / "x", data=data)
        assert refused.returncode == 2
        assert f"{option} is for one repository on this machine" in refused.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Ray's local clusters need a Unix")
def test_a_cluster_makes_the_same_indexes(tmp_path: Path) -> None:
    roots, here, there = several(tmp_path), tmp_path / "here", tmp_path / "there"
    for root in roots:
        assert console.run("index", root, "--workers", "1", data=here).returncode == 0
    started = tmp_path / "started"  # Ray's workers would import from here first
    repositories.write(started, dict.fromkeys(("indexer.py", "numpy.py", "json.py"), "1 / 0\n"))
    env = {"HOME": str(tmp_path / "home"), "RAY_ADDRESS": "127.0.0.1:1"}
    options = ("--ray", "local", "--workers", "2", "--json")
    done = console.run("index", *roots, *options, data=there, env=env, cwd=started)
    assert done.returncode == 0, done.stderr
    assert {json.loads(line)["root"] for line in done.stdout.splitlines()} == set(map(str, roots))
    assert all(same(root, here, there) for root in roots)
    assert not list((there / "repositories").glob("cluster-*"))
    assert not (tmp_path / "home" / ".ray").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Ray's clusters need a Unix")
@pytest.mark.parametrize("token", ["with the user's token", "without a token"])
def test_a_cluster_that_runs_makes_the_same_indexes(tmp_path: Path, token: str) -> None:
    roots, here, there = several(tmp_path, 2), tmp_path / "here", tmp_path / "there"
    home = {"HOME": str(tmp_path / "home")}
    if token.startswith("with "):
        (tmp_path / "home" / ".ray").mkdir(parents=True)
        (tmp_path / "home" / ".ray" / "auth_token").write_text("0123456789abcdef" * 4)
    for root in roots:
        indexes.updated(root, here)
    with tempfile.TemporaryDirectory() as logs, ray_cluster.running(Path(logs), **home) as address:
        done = console.run("index", *roots, "--ray", address, "--json", data=there, env=home)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    assert all(same(root, here, there) for root in roots)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="processes are looked for in /proc")
def slow(folder: Path) -> list[Path]:
    """Two repositories, the first of which takes seconds."""
    roots = several(folder, 2)
    repositories.write(
        roots[0],
        {f"big/m{i}.py": "".join(f"def f{i}_{j}(a, b): return a * {j}\n" for j in range(300)) for i in range(200)},
    )
    return roots


def task_process(folder: Path) -> int:
    """Wait for a process that indexes for a command with ``PLACE`` set to this folder, and return its number."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for place in Path("/proc").glob("[0-9]*"):
            try:
                command, ours = (place / "cmdline").read_bytes(), (place / "environ").read_bytes()
            except OSError:
                continue
            if command.startswith(b"ray::build_one") and str(folder).encode() in ours:
                return int(place.name)
        time.sleep(0.02)
    raise AssertionError("no process indexes")


def test_a_killed_task_runs_again(tmp_path: Path) -> None:
    roots, here, there = slow(tmp_path), tmp_path / "here", tmp_path / "there"
    for root in roots:
        indexes.updated(root, here)
    killed: list[int] = []

    def kill() -> None:
        killed.append(task_process(tmp_path))
        os.kill(killed[0], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    options = ("--ray", "local", "--workers", "2", "--json")
    done = console.run("index", *roots, *options, data=there, env={PLACE: str(tmp_path)})
    thread.join()
    assert killed
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    assert all(same(root, here, there) for root in roots)


def test_sigterm_ends_the_command_and_leaves_nothing(tmp_path: Path) -> None:
    roots = slow(tmp_path)
    with tempfile.TemporaryDirectory(prefix="r") as scratch:  # short, for the paths of Ray's sockets
        started = subprocess.Popen(
            [console.SCRIPT, "index", *roots, "--ray", "local", "--workers", "1"],
            env=console.environment(tmp_path, TMPDIR=scratch, **{PLACE: str(tmp_path)}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        worker = task_process(tmp_path)
        started.terminate()
        said = started.communicate(timeout=60)[1]
        assert started.returncode == 128 + signal.SIGTERM
        assert "SIGTERM received" not in said
        assert "Traceback" not in said
        assert os.listdir(scratch) == []
        assert not Path(f"/proc/{worker}/environ").exists()
    assert not list((tmp_path / "data").rglob("cluster-*"))


def test_a_cluster_that_does_not_answer_is_said_at_once(tmp_path: Path) -> None:
    done = console.run("index", several(tmp_path, 1)[0], "--ray", "127.0.0.1:1", data=tmp_path / "data")
    assert done.returncode == 1
    assert "no Ray cluster answers at 127.0.0.1:1" in done.stderr
    assert "start one with `ray start --head`, or use `--ray local` for this machine." in done.stderr


@pytest.mark.parametrize(
    "address", ["", "localhost", "ray://127.0.0.1:1", "127.0.0.1:65536", "h:1:x", "127.0.0.1:" + "9" * 30]
)
def test_an_address_of_another_form_is_refused(tmp_path: Path, address: str) -> None:
    done = console.run("index", tmp_path, "--ray", address, data=tmp_path / "data")
    assert done.returncode == 1
    assert f"{address!r} is no address of a Ray cluster; name its head as HOST:PORT" in done.stderr


def test_workers_are_not_counted_on_a_cluster_of_others(tmp_path: Path) -> None:
    done = console.run("index", tmp_path, "--ray", "127.0.0.1:1", "--workers", "2", data=tmp_path / "data")
    assert done.returncode == 2
    assert "--workers is for this machine" in done.stderr


def test_a_cluster_that_does_not_start_is_said_and_ended() -> None:
    begun: list[str] = []
    ended: list[bool] = []

    def init(address: str, **_: object) -> None:
        begun.append(address)
        raise Exception("The current node timed out during startup.\nMore.")  # as Ray does on a busy machine

    ray = SimpleNamespace(init=init, shutdown=lambda: ended.append(True))
    before = Path.cwd()
    said = r"does not start on this machine \(The current node timed out during startup.\);"
    with pytest.raises(UserError, match=said), ray_connection._connected(ray, ray_connection.LOCAL, {}):
        pass
    assert len(begun) == len(ended) == 2
    assert Path.cwd() == before


def test_a_cluster_that_does_not_start_in_time_is_started_again() -> None:
    begun: list[str] = []

    def init(address: str, **_: object) -> None:
        begun.append(address)
        if len(begun) == 1:
            raise Exception("The current node timed out during startup.")

    with ray_connection._connected(SimpleNamespace(init=init, shutdown=lambda: None), ray_connection.LOCAL, {}):
        assert len(begun) == 2


def test_a_file_that_may_not_be_written_does_not_end_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(root: Path, settings: Settings, *, full: bool) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(root / "x"))

    monkeypatch.setattr("indexer.building.build.build", build)
    roots = [tmp_path / "a", tmp_path / "b"]
    outcomes = list(cluster.build_in_turn([(root, Settings(data_dir=tmp_path)) for root in roots]))
    assert [outcome.root for outcome in outcomes] == roots
    assert outcomes[0].problem == f"{roots[0] / 'x'}: Permission denied; check that it exists and may be read."


def test_a_machine_that_sees_other_folders_or_has_another_version_says_so(tmp_path: Path) -> None:
    root = several(tmp_path, 1)[0]
    mark = tmp_path / "mark"
    mark.write_text("secret")
    task = cluster.Task(root, Settings(data_dir=tmp_path / "data"), False, fingerprint.shape(), mark, "secret")
    assert cluster.build_one(task).report is not None
    for changed, said in (
        ({"secret": "another"}, "does not see the data folder"),
        ({"mark": tmp_path / "nowhere"}, "does not see the data folder"),
        ({"shape": "another"}, "has another version of Ondol"),
        ({"root": tmp_path / "nowhere"}, "does not see"),
    ):
        outcome = cluster.build_one(replace(task, **changed))
        assert outcome.report is None
        assert said in outcome.problem
