"""The commands as people type them; mistakes are one sentence and exit code 1."""

import json
from pathlib import Path

import pytest

from indexer.config import load
from indexer.data_layout import STATS, TRACES
from lsp_server.telemetry.traces import ring_of
from tests.support.console import finished
from tests.support.repositories import repository
from tests.support.screens import fits


@pytest.mark.parametrize("command", ["serve", "complete", "explain", "stats", "demo"])
def test_every_command_has_help_with_an_example(tmp_path: Path, command: str) -> None:
    done = finished(tmp_path, command, "--help")
    assert done.returncode == 0
    assert f"Example: ondol {command}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["complete", "nonsense"], "FILE:LINE"),
        (["complete", "no-such-file.py:3"], "there is no file"),
        (["complete", "a.py:0"], "counted from 1"),
        (["complete", "a.py:99"], "the file has"),
        (["complete", "a.py:1:99"], "name a column"),
        (["complete", ".env:1"], "left out"),
        (["explain"], "no completion was requested"),
        (["explain", "abc-1"], "no record 'abc-1'"),
        (["stats", "--since", "yesterday"], "no point in time"),
        (["demo", "empty"], "holds fewer than two code files"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, arguments: list[str], said: str) -> None:
    root = repository(tmp_path / "shop", {"a.py": "x = 1\n"}, commit=False)
    (root / ".env").write_text("KEY=1\n")
    (root / "empty").mkdir()
    if arguments[0] == "demo":
        arguments = ["demo", str(tmp_path / "nothing")]
        (tmp_path / "nothing").mkdir()
    done = finished(tmp_path, *arguments, cwd=root)
    assert done.returncode == 1, done
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_explain_and_stats_read_what_the_server_wrote(tmp_path: Path) -> None:
    root = repository(tmp_path / "shop", {"a.py": "x = 1\n"}, commit=False)
    settings, _ = load(root, env={"ONDOL_DATA_DIR": str(tmp_path / "data")})
    traces, stats = ring_of(settings, root, TRACES, 10_000), ring_of(settings, root, STATS, 10_000)
    assert traces is not None
    assert stats is not None
    traces.append({"id": "f-1", "time": 1e9, "reason": "no-match", "path": "a.py\x1b[31m", "line": 4, "ms": 3.2})
    stats.append({"id": "f-2", "time": 1e9, "event": "shown", "language": "go", "engine": "retrieval"})
    done = finished(tmp_path, "explain", cwd=root)
    assert "Nothing in the repository" in done.stdout
    assert "\x1b" not in done.stdout
    assert json.loads(finished(tmp_path, "explain", "f-1", "--json", cwd=root).stdout)["line"] == 4
    (go, everything) = json.loads(finished(tmp_path, "stats", "--json", cwd=root).stdout)
    assert (go["language"], go["shown"], everything["language"]) == ("go", 1, "all")
    for in_time in (True, True, False):
        traces.append({"id": "f-3", "time": 1e9, "trace": {"model_in_time": in_time}})
    printed = finished(tmp_path, "stats", cwd=root).stdout
    assert "go" in printed and "The model was in time for 2 of 3 requests that waited for it (67%)." in printed
    everything = json.loads(finished(tmp_path, "stats", "--json", cwd=root).stdout)[-1]
    assert (everything["model_in_time"], everything["model_asked"]) == (2, 3)
    assert json.loads(finished(tmp_path, "stats", "--json", "--since", "7d", cwd=root).stdout) == []


def test_the_first_screen_of_the_statistics_answers_and_fits(tmp_path: Path) -> None:
    root = repository(tmp_path / "shop", {"a.py": "x = 1\n"}, commit=False)
    settings, _ = load(root, env={"ONDOL_DATA_DIR": str(tmp_path / "data")})
    ring = ring_of(settings, root, STATS, 1_000_000)
    assert ring is not None
    assert "open a file of this repository" in finished(tmp_path, "stats", cwd=root).stdout
    for number in range(40):
        told = {"time": 1e9, "id": f"{number}", "language": f"언어-{number}\u202e", "engine": "retrieval", "adapter": 7}
        ring.append({**told, "event": "shown"})
        ring.append({**told, "event": "accepted", "characters": 10})
        ring.append({**told, "event": "retained", "after": 300, "kept": 0.5})
    ring.append({"time": 1e9, "id": "e", "language": "go", "engine": "next edit", "event": "shown"})
    first = finished(tmp_path, "stats", cwd=root).stdout
    assert first.startswith("40 texts were shown: 40 accepted (100 %), 0 in part, 400 characters.\n")
    assert "After 5 minutes, 50 % of the accepted characters still stood there." in first
    assert "Next edits: 1 shown, 0 accepted." in first
    assert fits(first) and "\u202e" not in first
    full = finished(tmp_path, "stats", "--full", cwd=root).stdout
    assert all(f"언어-{number}" in full for number in range(40))
    assert "shown: The editor displays the text" in full
