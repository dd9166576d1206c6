"""The typing replay: the real command on small histories, and the typist with engines whose answers a test chooses."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finetune.commits.stages import SILENT
from finetune.commits.typed_hunks import CHARACTERS, LINES, TypedHunk, draw
from finetune.commits.windows import SkipReport, edits, windows
from finetune.evaluation.systems import System
from finetune.evaluation.typing_editor import TypingEditor
from finetune.evaluation.typing_figures import figures
from finetune.evaluation.typing_replay import TypingPlan, type_hunks
from finetune.evaluation.typist import Habits, TypedResult
from indexer.config import Settings
from lsp_server.reasons import Reason
from lsp_server.types import Answer, Request, Suggestion
from tests.support import repositories
from tests.support.commit_histories import commit, evaluate, growing, report

PLAIN = Habits(typos=0, escape=0, undo=0, auto_close=False)


class Fixed:
    """An engine that answers with a function of the document and the cursor."""

    state = None

    def __init__(self, text: Callable[[str, int], str]) -> None:
        self.text = text
        self.asked: list[Request] = []

    def set_index(self, index: Any) -> None: ...

    def update(self, document: Any) -> None: ...

    def close(self, uri: str) -> None: ...

    def accepted(self, document: Any, offset: int) -> None: ...

    def prepare(self, stop: Any) -> None: ...

    def stop(self) -> None: ...

    def complete(self, request: Request, cancelled: Any) -> Answer:
        self.asked.append(request)
        text = self.text(request.document.text, request.offset)
        found = (Suggestion(text, request.offset, request.offset, 0.9, "fixed"),) if text else ()
        return Answer(found, Reason.SHOWN if found else Reason.NO_MATCH)


def hunk(*lines: str, before: str = "", after: tuple[str, ...] = ("",), further: tuple[str, ...] = ()) -> TypedHunk:
    return TypedHunk("c0", "a.py", "python", before, lines, further, after)


def typed(text: Callable[[str, int], str], one: TypedHunk, habits: Habits = PLAIN, seed: int = 1) -> TypedResult:
    system = System("fixed", Fixed(text), {})
    return type_hunks([one], system, TypingPlan(Settings(), habits, seed), SILENT)[0]


def nothing(text: str, at: int) -> str:
    return ""


def from_author(one: TypedHunk, length: int | None = None) -> Callable[[str, int], str]:
    """An engine that knows the author's text: the rest of the line at each word, or its first characters."""
    whole = "\n".join((*one.lines, *one.further))

    def answer(text: str, at: int) -> str:
        rest = whole[at - len(one.before) :]
        return rest[:length] if length is not None else rest.split("\n")[0]

    return answer


@pytest.fixture(autouse=True)
def documents_end_as_the_author_wrote_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was accepted, taken back or closed by the editor: the document is the author's at the end."""
    shut = TypingEditor.shut

    async def checked(self: TypingEditor) -> None:
        self.final = self.text  # type: ignore[attr-defined]
        ends.append(self.text)
        await shut(self)

    ends.clear()
    monkeypatch.setattr(TypingEditor, "shut", checked)


ends: list[str] = []


def expected(one: TypedHunk) -> str:
    return one.before + "\n".join(one.lines) + "".join("\n" + line for line in one.after)


CODE = hunk(
    "def total(prices, names):",
    '    found = {"a": [1, 2], "b": (3, len(prices))}',
    "    call(",
    "        found,",
    "    )",
    "    if names: {",
    "        x",
    "    }",
    "",
    "    # it doesn't matter (much",
    "    return sum(prices[0])",
    before="import os\n\n",
    after=("", "x = 1", ""),
)


def test_without_ghost_texts_every_key_is_pressed() -> None:
    result = typed(nothing, CODE)
    assert ends[-1] == expected(CODE)
    characters = sum(len(line.strip()) for line in CODE.lines) + len(CODE.lines) - 1
    assert result.characters == result.alone == result.pressed == characters
    assert result.seen == [] and result.by_parts == 0


def test_what_the_editor_closes_is_free_with_and_without_ghost_texts() -> None:
    result = typed(nothing, CODE, Habits(0, 0, 0, auto_close=True))
    assert ends[-1] == expected(CODE)
    # def; two strings and four brackets; call and block with their line ends; the last line
    assert result.pressed == result.alone
    assert result.characters - result.alone == 1 + 6 + 2 + 2 + 2


@pytest.mark.parametrize("seed", range(20))
def test_random_habits_and_random_engines_leave_the_authors_text(seed: int) -> None:
    rng = random.Random(seed)
    whole = "\n".join(CODE.lines)

    def answer(text: str, at: int) -> str:
        place = rng.randrange(len(whole)) if rng.random() < 0.6 else min(at - len(CODE.before), len(whole))
        return whole[place : place + rng.randint(1, 40)] if rng.random() < 0.7 else ""

    result = typed(answer, CODE, Habits(0.1, 0.3, 0.2, auto_close=seed % 2 == 0), seed)
    assert ends[-1] == expected(CODE), seed
    assert result.again == {"past": 0, "escape": 0, "deleted": 0}, seed


def test_a_right_rest_of_line_costs_one_key() -> None:
    one = hunk("total = price * count", "return total")
    result = typed(from_author(one), one)
    assert ends[-1] == expected(one)
    assert result.pressed == 3, "a line, Enter, a line"
    assert [seen.ended for seen in result.seen] == ["accepted", "accepted"]
    assert all(seen.right and seen.first_word and seen.keys == 1 for seen in result.seen)


def test_a_right_first_word_is_accepted_and_the_wrong_rest_is_typed_past() -> None:
    one = hunk("total = price * count")
    result = typed(lambda text, at: "total = cost" if at == 0 else "", one)
    assert result.pressed == len("total = price * count") - len("total") + 1
    (seen,) = result.seen
    assert seen.part and seen.ended == "past" and not seen.right and seen.first_word
    assert result.by_parts == len("total") - 1
    assert seen.keys == 5, "the word, blank, sign and blank agree; the letter does not"


def test_the_right_first_lines_of_several_are_accepted_one_by_one() -> None:
    one = hunk("if x:", "    call(x)", "    return price", further=("    more",))
    result = typed(lambda text, at: "if x:\n    call(x)\n    raise cost" if at == 0 else "", one)
    assert result.pressed == 2 + len("\nreturn price"), "two lines and what is typed"
    whole = typed(lambda text, at: "\n".join((*one.lines, *one.further)) if at == 0 else "", one)
    assert whole.pressed == 1 and whole.seen[0].right, "what the author added below counts as right"


def test_a_text_of_the_next_lines_and_short_texts_are_counted() -> None:
    one = hunk("first = 10000", after=("    second = 2", "third", ""))
    answers = {0: "second = 2", 5: " )"}
    found = figures([typed(lambda text, at: answers.get(at, ""), one)], 1)["overall"]
    assert found["below"]["value"] == 0.5 and found["short"]["value"] == 0.5
    assert found["texts"] == 2 and found["seen"]["value"] == pytest.approx(200 / 13, abs=1e-4)


def test_escape_is_followed_by_silence_on_the_line() -> None:
    one = hunk("first = 10000", "second = 20000")
    result = typed(lambda text, at: "wrong" + str(at), one, Habits(0, 1.0, 0, auto_close=False))
    assert [seen.ended for seen in result.seen] == ["dismissed", "dismissed"]
    assert result.pressed == result.alone + 2


def test_an_undone_accept_is_not_offered_again() -> None:
    one = hunk("total = price * count")
    result = typed(from_author(one), one, Habits(0, 0, 1.0, auto_close=False))
    assert [seen.ended for seen in result.seen] == ["undone"] and result.pressed == result.alone
    assert result.again["deleted"] == 0


def test_a_typist_who_makes_only_typos_ends() -> None:
    result = typed(from_author(CODE, 3), CODE, Habits(0.9, 1.0, 0.9))
    assert ends[-1] == expected(CODE)
    assert result.pressed <= result.alone + len(result.seen)


def test_ten_thousand_keys_in_one_line() -> None:
    one = hunk("x = [" + "1, " * 900 + "]")
    result = typed(lambda text, at: "2, 3", one)
    assert ends[-1] == expected(one)
    assert len(result.seen) == 1, "typed past once, and never shown again on the line"


# Hunks


def drawn(root: Path, count: int = 100, seed: int = 1) -> tuple[list[TypedHunk], SkipReport]:
    skips, found = SkipReport(), []
    for window in windows(root, 100, 1):
        found += draw(list(edits(root, window, Settings(), skips)), count, seed, skips)
    return found, skips


def test_a_file_is_typed_from_its_top_down(tmp_path: Path) -> None:
    root = repositories.repository(tmp_path / "r", {"a.py": "one = 1\ntwo = 2\nthree = 3\nfour = 4\n"})
    commit(root, {"a.py": "one = 1\n\nadded_first = 1000\nalso = 2\ntwo = 2\nreplaced_third = 3000\nfour = 4\n"})
    found, _ = drawn(root)
    above = "one = 1\n\nadded_first = 1000\nalso = 2\ntwo = 2\n"
    assert {(one.before, one.lines, one.replaced, one.after) for one in found} == {
        ("one = 1\n\n", ("added_first = 1000", "also = 2"), (), ("two = 2", "three = 3", "four = 4", "")),
        (above, ("replaced_third = 3000",), ("three = 3",), ("four = 4", "")),
    }


@pytest.mark.parametrize("after", [("",), ("last = 1", ""), ()])
def test_replaced_lines_stand_in_the_document_until_the_typing_begins(after: tuple[str, ...]) -> None:
    opened = []

    class Listening(Fixed):
        def update(self, document: Any) -> None:
            opened.append(document.text)

    one = replace(hunk("new_text = 1000", before="x = 1\n", after=after), replaced=("old = 1", "older = 2"))
    engine = Listening(nothing)
    type_hunks([one], System("fixed", engine, {}), TypingPlan(Settings(), PLAIN, 1), SILENT)
    assert opened[0] == "x = 1\n" + "\n".join(("old = 1", "older = 2", *after))
    assert not any("old" in request.document.text for request in engine.asked)
    assert ends[-1] == expected(one)


def test_commits_of_one_line_generated_files_moved_lines_and_mixed_blanks(tmp_path: Path) -> None:
    block = [f"moved_line_number_{n} = compute({n})" for n in range(4)]
    root = repositories.repository(tmp_path / "r", {"a.py": "\n".join(["x = 1", *block, ""])})
    commit(root, {"a.py": "\n".join(["written_above = 1000", *block, "x = 1", ""])})
    commit(root, {"one.py": "single_line = 1"})
    commit(root, {"generated.py": "".join(f"value_{n} = {n}\n" for n in range(400))})
    commit(root, {"mixed.py": "if x:\n\tcall(one)   \n        call(two)\n\t  call(three)\n"})
    found, skips = drawn(root)
    assert {one.lines for one in found} == {
        ("written_above = 1000",),
        ("single_line = 1",),
        ("if x:", "\tcall(one)", "        call(two)", "\t  call(three)"),
    }
    assert sum(skips.reasons.values()) == 1
    assert all(len(one.lines) <= LINES and sum(map(len, one.lines)) >= CHARACTERS for one in found)
    for one in found:
        typed(nothing, one)
        assert ends.pop() == expected(one)


# The command


def test_the_command_types_and_reports_the_same_for_the_same_seed(tmp_path: Path) -> None:
    root = growing(tmp_path / "shop", 12)
    options = ("--typing", "--hunks", "8", "--cases", "0", "--windows", "2", "--commits", "8")
    first, again = (report(root, tmp_path / "data", *options) for _ in range(2))
    one, other = (made["typing"]["systems"]["retrieval"] for made in (first, again))
    for found in (one, other):
        for part in (found["overall"], *found["languages"].values()):
            part.pop("ms")
    assert one == other
    overall = one["overall"]
    assert overall["hunks"] == 8 and overall["keys_pressed"] < overall["keys_alone"]
    assert overall["again"] == {"past": 0, "escape": 0, "deleted": 0}
    assert overall["saved"]["low"] <= overall["saved"]["value"] <= overall["saved"]["high"]
    assert set(one["languages"]) == {"python"} and "systems" not in first


def test_typing_comes_first_and_single_cursors_stay_beneath(tmp_path: Path) -> None:
    root = growing(tmp_path / "shop", 8)
    keys = tmp_path / "keys.jsonl"
    html = tmp_path / "page.html"
    options = ("--typing", "--hunks", "4", "--cases", "20", "--windows", "1", "--commits", "6", "--out", keys)
    options = (*options, "--full", "--html", html)
    done = evaluate(root, tmp_path / "data", *options)
    assert done.returncode == 0, done.stderr
    assert 0 <= done.stdout.index("keys saved") < done.stdout.index("exact rest of line")
    page = html.read_text()
    assert 0 < page.index("keys saved") < page.index("At single cursors") < page.index("exact at line start")
    records = [json.loads(line) for line in keys.read_text().splitlines()]
    typed_keys = [record for record in records if "hunk" in record]
    assert len(records) - len(typed_keys) == 20
    assert {"at", "typed", "rest", "text", "reason", "below", "system", "path"} <= set(typed_keys[0])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--typing", "--split-files"), "leave out --split-files"),
        (("--cases", "0"), "0 needs --typing"),
        (("--typing", "--typos", "2"), "not in the range"),
        (("--typing", "--cases", "0", "--html", "page.html"), "leave out --cases 0"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    root = growing(tmp_path / "shop", 2)
    done = evaluate(root, tmp_path / "data", *options)
    assert done.returncode == 2 and said in done.stderr
