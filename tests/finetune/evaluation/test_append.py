"""Replays with nothing behind the cursor, and the plain vote of longest suffixes that they are compared with."""

from pathlib import Path

import pytest

from finetune.commits.cases import LINES_PER_FILE, choose
from finetune.commits.windows import SkipReport, edits, windows
from finetune.evaluation.suffix_vote import SuffixVote
from indexer.config import Settings
from lsp_server.types import Document, Request
from tests.support import repositories
from tests.support.commit_histories import commit, evaluate, growing, report


class Texts:
    """An index of two texts."""

    documents = {1: Document("", "a.py", "", 0, ""), 2: Document("", "b.py", "", 0, "")}

    def text(self, document: Document) -> str:
        texts = {
            "a.py": "def one(x):\n    check(x)\n    return x.first\n",
            "b.py": "def two(y):\n    check(y)\n\n\n    return y.second\nreturn y.second\n",
        }
        return texts[document.path or ""]


def vote(text: str, path: str = "new.py", *, automatic: bool = False) -> list[str]:
    system = SuffixVote()
    system.set_index(Texts())
    request = Request(Document("file:///x", path, "python", 1, text), len(text), automatic)
    return [one.text for one in system.complete(request, lambda: False).suggestions]


def test_the_longest_suffix_wins_and_blank_lines_and_indentation_do_not_count() -> None:
    assert vote("def three(y):\n        check(y)\n        ")[0] == "return y.second"
    assert vote("    check(x)\n    ")[0] == "return x.first"
    assert vote("check(x)\nreturn x.fi")[0] == "rst"


def test_the_document_weighs_three_times_and_its_indexed_version_does_not_vote() -> None:
    assert vote("return y.third\nreturn y.")[0] == "third"
    assert "first" not in "".join(vote("check(x)\nreturn ", path="a.py"))
    assert vote("check(x)\n", automatic=True) == []


def test_documents_end_at_the_cursor_and_new_files_begin_with_their_first_lines(tmp_path: Path) -> None:
    root = repositories.repository(tmp_path / "r", {"a.py": "one = 1\ntwo = 2\nthree = 3\n"})
    new = "".join(f"line_{n} = {n}\n" for n in range(60))
    commit(root, {"a.py": "one = 1\nadded = 10\ntwo = 2\nthree = 3\n", "new.py": new})
    (window,) = windows(root, 10, 1)
    changed = list(edits(root, window, Settings(), SkipReport()))
    cases = choose(changed, {"start": 100}, 1, append=True)
    assert all(len(case.text) == case.offset for case in cases)
    (inside,) = (case for case in cases if case.path == "a.py")
    assert (inside.text, inside.opened, inside.rest) == ("one = 1\n", "one = 1\n", "added = 10")
    lines = sorted(case.line for case in cases if case.path == "new.py")
    assert lines == list(range(LINES_PER_FILE))
    assert all(case.opened == "" for case in cases if case.path == "new.py")
    ordinary = choose(changed, {"start": 100}, 1)
    assert any(len(case.text) > case.offset for case in ordinary)


def test_the_command_compares_with_the_vote(tmp_path: Path) -> None:
    root = growing(tmp_path / "shop", 8)
    made = report(root, tmp_path / "data", "--append", "--cases", "30", "--windows", "1", "--commits", "6")
    assert list(made["systems"]) == ["retrieval", "suffix_vote"]
    ratio = made["append"]["exact_start"]
    hits = [made["systems"][name]["overall"]["exact_start"]["value"] for name in ("retrieval", "suffix_vote")]
    assert ratio["value"] == pytest.approx(hits[0] / hits[1], abs=0.01)
    done = evaluate(root, tmp_path / "data", "--append", "--fit-gate")
    assert done.returncode == 2 and "leave out --fit-gate" in done.stderr
