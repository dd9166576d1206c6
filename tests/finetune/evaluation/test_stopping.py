"""``ondol eval`` that is asked to end reports the cursors that it has replayed, and says that they are not all."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from finetune.evaluation.replay import ReplayResult
from finetune.evaluation.stopping import Stopped, stopped_by_signals
from tests.support import commit_histories, console

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


def test_the_first_signal_raises_and_the_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped) as caught, stopped_by_signals():
        signal.raise_signal(signal.SIGTERM)
    assert (caught.value.exit_code, str(caught.value)) == (143, "stopped by SIGTERM")
    assert signal.getsignal(signal.SIGTERM) is before
    assert not isinstance(caught.value, Exception), "code that goes on after errors must not go on after a signal"


def test_a_case_that_not_every_system_has_answered_is_left_out() -> None:
    cases, answers = [object(), object()], [object(), object()]
    result = ReplayResult(cases, {"one": list(answers), "two": answers[:1]})  # type: ignore[arg-type]
    result.cut(Stopped(signal.SIGINT))
    assert (len(result.cases), [len(one) for one in result.systems.values()]) == (1, [1, 1])
    assert result.stopped is not None and result.stopped.exit_code == 130


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_replay_reports_what_it_has(tmp_path: Path, number: signal.Signals) -> None:
    root = commit_histories.growing(tmp_path / "repo", 24)
    command = [console.SCRIPT, "eval", root, "--cases", "4", "--typing", "--hunks", "5000", "--windows", "1", "--json"]
    code = (  # the moment to stop is the first hunk that is typed
        "import os, sys\nfrom finetune.evaluation import replay\nnumber = int(sys.argv.pop())\n"
        "def type_hunks(*_):\n    os.kill(os.getpid(), number)\n    raise SystemExit(9)\n"
        "replay.type_hunks = type_hunks\nfrom finetune.cli import main\nmain()\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, *map(str, command[1:]), "--data-dir", tmp_path / "data", str(int(number))],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == 128 + number, process.stderr
    report = json.loads(process.stdout)
    assert report["partial"] is True
    assert report["systems"]["retrieval"]["overall"]["exact"]["count"] == 4
    assert any("these figures are partial" in note and "after 4 of 4 cursors" in note for note in report["notes"])
    assert not list((tmp_path / "data").glob("eval*/*")), "trees and indexes of the replay are removed"


@pytest.mark.slow
def test_a_replay_that_is_stopped_at_once_says_so(tmp_path: Path) -> None:
    root = commit_histories.growing(tmp_path / "repo", 24)
    command = [console.SCRIPT, "eval", root, "--data-dir", tmp_path / "data"]
    code = (
        "import os, signal, sys\nfrom finetune.evaluation import replay\n"
        "replay.verbatim = lambda *_: os.kill(os.getpid(), signal.SIGTERM)\nfrom finetune.cli import main\nmain()\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, *map(str, command[1:])], capture_output=True, text=True, timeout=300
    )
    assert (process.returncode, process.stdout) == (143, ""), process.stderr
    assert process.stderr == (
        "ondol: stopped by SIGTERM before the first cursor was replayed; there is nothing to report\n"
    )
