"""``ondol demo``: real completions of the real server, counted whether right, wrong or silent."""

import json
from pathlib import Path

import pytest

from finetune.evaluation.demo import DemoResult, ShownCompletion
from finetune.evaluation.demo_command import report
from finetune.evaluation.metrics import is_beginning
from tests.support.console import finished, printed
from tests.support.repositories import git
from tests.support.shop import shop


@pytest.mark.slow
@pytest.mark.parametrize("history", [True, False], ids=["with history", "without git"])
def test_every_asked_cursor_is_counted(tmp_path: Path, history: bool) -> None:
    root = shop(tmp_path / "shop", history=history)
    before = sorted(path.relative_to(root) for path in root.rglob("*"))
    result = json.loads(printed(tmp_path, "demo", str(root), "--count", "3", "--json"))
    assert ("as it was before its last 4 commits" in result["premise"]) is history
    assert ("the index leaves out 1 of its 5 files" in result["premise"]) is not history
    assert "drawn at random" in result["premise"]
    assert "(seed 1)" in result["premise"]
    assert 0 < len(result["shown"]) <= 3
    assert result["asked"] == len(result["shown"]) + result["silent"]
    assert any(shown["right"] for shown in result["shown"])  # the modules repeat each other
    for shown in result["shown"]:
        assert shown["right"] is is_beginning(shown["ghost_text"], shown["author"])
        assert shown["typed"] + shown["author"] in (root / shown["path"]).read_text()
    text = printed(tmp_path, "demo", str(root), "--count", "3")
    assert f"Cursors asked: {result['asked']}." in text
    assert f"Nothing shown: {result['silent']}." in text
    assert sorted(path.relative_to(root) for path in root.rglob("*")) == before
    assert not list((tmp_path / "data").glob("demo-*"))


@pytest.mark.parametrize("kind", ["no files", "no commit", "one commit of prose", "commits of prose"])
def test_a_repository_without_code_is_one_sentence(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "empty"
    root.mkdir()
    if kind != "no files":
        git(root, "init", "-q")
    for number in range({"one commit of prose": 1, "commits of prose": 2}.get(kind, 0)):
        (root / "notes.md").write_text(f"{number} notes\n")
        git(root, "add", ".")
        git(root, "commit", "-q", "-m", "Notes")
    done = finished(tmp_path, "demo", str(root))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    expected = "added no lines of code" if kind == "commits of prose" else "holds fewer than two code files"
    assert expected in done.stderr
    assert not list((tmp_path / "data").glob("demo-*"))


def test_verdicts_and_control_characters() -> None:
    plain = ShownCompletion("a.py", 1, "x", "y", "z", "", 1.0, right=False, first_line_right=False, usable=False)
    kinds = {
        "right": {"right": True, "first_line_right": True, "usable": True},
        "first line right": {"first_line_right": True, "usable": True},
        "first token right": {"usable": True},
        "wrong": {},
    }
    fields = {name: getattr(plain, name) for name in plain.__slots__}
    shown = [ShownCompletion(**{**fields, **one, "ghost_text": "\x1b[2J"}) for one in kinds.values()]
    text = report(DemoResult("Premise.", shown, asked=7, silent=3, milliseconds=2.0), colour=False)
    assert [line.split("file  ")[1] for line in text.splitlines() if "from the open file" in line] == list(kinds)
    assert "Cursors asked: 7. Completion shown: 4. Nothing shown: 3." in text
    assert "Of the 4 shown, 1 are what the author wrote next." in text
    assert "\x1b" not in text
