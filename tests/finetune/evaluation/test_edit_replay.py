"""The replay of edits: the real command on a small history, and what counts as right."""

from pathlib import Path
from typing import Any

import pytest

from finetune.commits.edit_steps import CommitSteps, steps_of
from finetune.commits.windows import SkipReport, edits, windows
from finetune.evaluation.edit_figures import figures
from finetune.evaluation.edit_replay import CommitReplay, Outcome, replay
from indexer.config import Settings
from tests.support import repositories
from tests.support.commit_histories import commit, evaluate, report

CALLS = [f"total_{n} = compute_total(items_{n}, rate)\n" for n in range(8)]
BETWEEN = "print()\n"


def changed(*lines: int) -> str:
    calls = (call[:-2] + ", tax=0)\n" if n in lines else call for n, call in enumerate(CALLS))
    return "".join(call + BETWEEN for call in calls)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    root = repositories.repository(tmp_path / "repo", {"a.py": changed(), "b.py": "x = 1\n"})
    commit(root, {"a.py": changed(*range(6)), "b.py": "x = 1\ny = 2\n"})
    return root


def commits(root: Path, seed: int | None = None) -> list[CommitSteps]:
    (window,) = windows(root, 1, 1)
    return list(steps_of(edits(root, window, Settings(), SkipReport()), SkipReport(), seed))


def test_the_changes_of_a_commit_lead_to_the_files_after_it(history: Path) -> None:
    for seed in (None, 1, 2, 3):
        (made,) = commits(history, seed)
        now = CommitReplay(made, None)
        for _ in now.moments():
            wanted = now.wanted(True)
            assert all(0 <= line < len(now.view().lines) for line in wanted)
        texts = {path: "\n".join(now._lines[number]) for number, path in enumerate(made.paths)}
        assert texts == {"a.py": changed(*range(6)), "b.py": "x = 1\ny = 2\n"}
    assert [step.start for step in commits(history)[0].steps] == [*range(0, 12, 2), 0]
    assert [step.start for step in commits(history, 1)[0].steps] != [*range(0, 12, 2), 0]


def test_nothing_of_the_rest_of_the_commit_is_known_to_the_search(history: Path) -> None:
    (made,) = commits(history)
    now = CommitReplay(made, None)
    for before in now.moments():
        if before and now.step.file == 0:
            text = "\n".join(view.text for view in now.asked(0).views)
            assert text.count("tax=0") == now.number
            assert sum("tax=0" in line for edit in now.asked(0).edits for line in edit.new) == now.number


def test_like_edits_are_foreseen_and_what_stays_counts_as_wrong(history: Path) -> None:
    outcomes = list(replay(commits(history), None))
    here = [one for one in outcomes if one.kind == "here"]
    assert len(here) == 5
    assert [one.right for one in here[1:]] == [True] * 4
    assert [one.series for one in here] == [False, True, True, True, True]
    after = [one for one in outcomes if one.kind == "after"]
    assert len(after) == 6
    assert [one.more for one in after] == [True] * 5 + [False]
    assert not after[-1].right  # lines 6 and 7 stay
    told = figures(outcomes, 1)["overall"]
    assert told["here_right"]["value"] == 1.0
    assert told["series_reached"]["value"] == 1.0
    assert told["edits"] == 6


def test_a_file_that_the_commit_moves_is_known_by_its_old_path(tmp_path: Path) -> None:
    root = repositories.repository(tmp_path / "repo", {"a.py": changed(), "old.py": changed()})
    (root / "old.py").unlink()
    commit(root, {"a.py": changed(0), "new.py": changed(*range(2))})
    (made,) = commits(root)
    assert (made.paths, made.old_paths) == (["a.py", "new.py"], ["a.py", "old.py"])
    now = CommitReplay(made, None)
    wanted = []
    for before in now.moments():
        if not before and now.step.file == 0:
            wanted.append(now.elsewhere("old.py"))
        elif not before:
            assert {"new.py", "old.py"} <= now.asked(0).paths
    (told,) = wanted
    assert told[CALLS[0].rstrip()] == CALLS[0].rstrip()[:-1] + ", tax=0)"
    assert len(told) == 2


def test_figures_count_offers_that_the_commit_did_not_make() -> None:
    def one(kind: str, where: str, right: bool) -> Outcome:
        return Outcome("c", "python", kind, False, True, where, right, 0.9, 1.0, ("c", "a", f"{kind}{where}{right}"))

    told = figures([one("after", "elsewhere", True), one("after", "elsewhere", False), one("here", "here", True)], 1)
    overall = told["overall"]
    assert overall["offers"]["value"] == 150.0
    assert overall["not_made"]["value"] == 50.0
    assert overall["elsewhere_right"]["value"] == 0.5
    assert overall["saved"]["value"] == 1.0


def test_the_command_reports_edits_in_both_orders(history: Path, tmp_path: Path) -> None:
    done = evaluate(history, tmp_path, "--edits", "--cases", "0", "--commits", "1", "--windows", "1", "--full")
    assert done.returncode == 0, done.stderr
    assert "edits of 1 commits: 6 changed lines" in done.stdout
    assert "random order" in done.stdout
    found: dict[str, Any] = report(history, tmp_path, "--edits", "--cases", "0", "--commits", "1", "--windows", "1")
    assert set(found["edits"]) == {"in_order", "random"}
    assert found["edits"]["in_order"]["overall"]["predicted"] == 5


def test_options_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    root = repositories.repository(tmp_path / "repo", {"a.py": "x = 1\n"})
    for options in (("--edits", "--split-files"), ("--cases", "0")):
        done = evaluate(root, tmp_path, *options)
        assert done.returncode == 2
        assert "--edits" in done.stderr
