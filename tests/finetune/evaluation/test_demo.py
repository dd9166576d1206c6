"""``ondol demo``: lines of the last commits typed again, counted whether anything was saved or not."""

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from finetune.evaluation.demo import DemoResult, PlayedHunk, Step
from finetune.evaluation.demo_command import report
from tests.support.console import SCRIPT, environment, finished, printed
from tests.support.repositories import git
from tests.support.shop import shop


@pytest.mark.slow
@pytest.mark.parametrize("history", [True, False], ids=["with history", "without git"])
def test_every_drawn_hunk_is_shown_and_counted(tmp_path: Path, history: bool) -> None:
    root = shop(tmp_path / "shop", history=history)
    before = sorted(path.relative_to(root) for path in root.rglob("*"))
    result = json.loads(printed(tmp_path, "demo", str(root), "--count", "3", "--json"))
    assert ("as it was before its last 4 commits" in result["premise"]) is history
    assert ("the index leaves out 1 of its 5 files" in result["premise"]) is not history
    assert "drawn at random" in result["premise"]
    assert "(seed 1)" in result["premise"]
    assert 0 < len(result["hunks"]) <= 3
    for hunk in result["hunks"]:
        assert hunk["text"].strip() in (root / hunk["path"]).read_text()
        start = hunk["steps"][0]["at"]
        assert hunk["text"][:start].strip() == ""
        assert "".join(step["taken"] for step in hunk["steps"]) == hunk["text"][start:]
        assert all(step["ghost"].startswith(step["taken"].rstrip()) for step in hunk["steps"] if step["accepted"])
    assert result["pressed"] < result["keys"], "the modules repeat each other"
    assert result["wanted"] == sum(hunk["wanted"] for hunk in result["hunks"]) <= result["texts"]
    text = printed(tmp_path, "demo", str(root), "--count", "3")
    assert result["verdict"] in text and "‹" in text
    assert sorted(path.relative_to(root) for path in root.rglob("*")) == before
    assert not list((tmp_path / "data").glob("demo-*"))


@pytest.mark.slow
def test_on_a_terminal_the_lines_are_seen_growing(tmp_path: Path) -> None:
    root = shop(tmp_path / "shop", history=True)
    main, side = pty.openpty()
    variables = environment(tmp_path, TERM="xterm-256color", COLUMNS="100", LINES="24")
    variables.pop("NO_COLOR", None)
    command = [str(SCRIPT), "demo", str(root), "--count", "1"]
    with subprocess.Popen(command, stdin=side, stdout=side, stderr=side, env=variables) as process:
        os.close(side)
        seen = b""
        while True:
            try:
                data = os.read(main, 65536)
            except OSError:  # the other side is closed
                break
            seen += data
        assert process.wait(60) == 0, seen
    text = seen.decode()
    assert text.count("\x1b[2K") > 10, "frames replace each other"
    assert "it would have saved" in text


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


def test_what_nobody_wanted_is_said_and_control_characters_do_nothing() -> None:
    steps = [Step(0, "", "x", False), Step(1, "\x1b[2J", "\x1b[2J", True)]
    hunks = [PlayedHunk("a\x1b.py", 4, "x\x1b[2J", steps, keys=5, pressed=2, texts=3, wanted=1)]
    text = report(DemoResult("Premise.", hunks), colour=False)
    assert "\\x1b.py:4  3 of 5 keys saved" in text
    assert "   | x‹\\x1b[2J›" in text
    assert "it would have saved 60% of 5 keys. Texts that appeared: 3; taken: 1; not wanted: 2." in text
    assert "\x1b" not in text
    silent = [PlayedHunk("a.py", 1, "x", steps[:1], keys=1, pressed=1, texts=0, wanted=0)]
    assert "It showed nothing" in DemoResult("Premise.", silent).verdict()
