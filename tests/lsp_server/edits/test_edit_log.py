"""Keystrokes become edits, as the server records them."""

import random

import pytest

from lsp_server.edits.edit_log import BURST, KEPT, EditLog
from lsp_server.server.documents import Change, Documents
from lsp_server.server.edit_recording import EditRecorder


class Typist:
    """One document that is edited, and the log of its edits."""

    def __init__(self, text: str) -> None:
        self.documents, self.log, self.recorder = Documents(), EditLog(), EditRecorder()
        self.document = self.documents.put("a", "python", 1, text)

    def change(self, *changes: Change) -> None:
        self.recorder.change(self.log, "a", self.document, changes, lambda c: self.documents.change("a", 2, [c]))

    def type(self, line: int, column: int, text: str) -> None:
        for number, letter in enumerate(text):
            self.change(Change(letter, (line, column + number), (line, column + number)))

    def settled(self) -> list[tuple[int, list[str], list[str]]]:
        self.log.settle("a")
        return [(edit.start, edit.old, edit.new) for edit in self.log.settled]


def test_keystrokes_on_one_line_are_one_edit() -> None:
    typist = Typist("one\ntwo\nthree\n")
    typist.type(1, 3, " and more")
    assert typist.settled() == [(1, ["two"], ["two and more"])]


def test_typing_elsewhere_settles_the_edit_and_lines_above_move_it() -> None:
    typist = Typist("one\ntwo\nthree\n")
    typist.type(2, 5, "x")
    typist.type(0, 3, "\n")
    typist.type(1, 0, "y")
    assert typist.settled() == [(3, ["three"], ["threex"]), (0, ["one"], ["one", "y"])]


def test_undo_takes_an_edit_back_also_after_a_pause() -> None:
    typist = Typist("one\ntwo\n")
    typist.type(0, 3, "x")
    typist.log.settle("a")
    typist.change(Change("", (0, 3), (0, 4)))
    assert typist.settled() == []


@pytest.mark.parametrize("settled", [True, False])
def test_what_was_undone_is_noted(settled: bool) -> None:
    typist = Typist("one = f(a)\ntwo\n")
    typist.change(Change("g(a, b)", (0, 6), (0, 10)))
    if settled:
        typist.log.settle("a")
    typist.change(Change("f(a)", (0, 6), (0, 13)))
    assert typist.settled() == []
    assert typist.log.taken_back == [("one = f(a)", "one = g(a, b)")]


def test_going_on_after_a_pause_is_the_same_edit() -> None:
    typist = Typist("one\n")
    typist.type(0, 3, "x")
    typist.log.settle("a")
    typist.type(0, 4, "yz")
    assert typist.settled() == [(0, ["one"], ["onexyz"])]


@pytest.mark.parametrize(
    "changes",
    [
        [Change("x\n" * 5_000, (0, 0), (0, 0))],  # a paste
        [Change("y", (n, 0), (n, 1)) for n in range(2_000)],  # search and replace by the editor
        [Change("".join(f"  other {n}\n" for n in range(2_000)))],  # a formatter, a branch switch
    ],
)
def test_what_was_not_typed_teaches_nothing(changes: list[Change]) -> None:
    typist = Typist("x = 1\n" * 2_000)
    typist.change(*changes)
    assert typist.settled() == []


def test_lines_that_a_formatter_rewrites_in_one_change_teach_nothing() -> None:
    typist = Typist("a = 1\nb = 2\nc = 3\nd = 4\ne = 5\n")
    typist.change(Change("a=1\nb=2\nc=3\nd=4", (0, 0), (3, 5)))
    assert typist.settled() == []
    typist.change(Change("", (0, 0), (4, 0)))  # four lines deleted at once may be typed
    assert [(old, new) for _, old, new in typist.settled()] == [(["a=1", "b=2", "c=3", "d=4", "e = 5"], ["e = 5"])]


def test_two_documents_at_the_same_time_were_not_typed() -> None:
    log = EditLog()
    assert log.typed("a", 1, 0.0)
    assert not log.typed("b", 1, 0.01)
    assert log.typed("b", 1, 5.0)


def test_random_edits_keep_what_the_lines_became() -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rng = random.Random(seed)
    typist = Typist("".join(f"line {n}\r\n" for n in range(30)))
    for _ in range(400):
        lines = typist.document.buffer.lines
        first = rng.randrange(len(lines))
        last = min(len(lines) - 1, first + rng.choice([0, 0, 0, 1]))
        start = (first, rng.randrange(len(lines[first]) + 1))
        end = max(start, (last, rng.randrange(len(lines[last]) + 1)))
        typist.change(Change(rng.choice(["", "a", "b\n", "c\r\nd"]), start, end))
        for edit in typist.log.open.values():
            there = [line.rstrip("\r\n") for line in typist.document.buffer.lines[edit.start : edit.end]]
            assert there == [line.rstrip("\r\n") for line in edit.new]
    assert len(typist.log.settled) <= KEPT


def test_an_inserted_line_is_taken_back_in_two_steps() -> None:
    typist = Typist("int f(int d)\n{\n    return d;\n}\n")
    typist.change(Change("\n    check(d);", (1, 1), (1, 1)))
    typist.settled()
    (edit,) = typist.log.settled
    assert edit.changed() == [
        (1, "int f(int d)\n{", "int f(int d)\n{\n    check(d);"),
        (3, "    return d;", "    check(d);\n    return d;"),
    ]
    typist.change(Change("", (2, 4), (2, 13)))
    assert len(typist.settled()) == 2
    typist.change(Change("", (1, 1), (2, 4)))
    assert typist.settled() == []
    assert ("{", "{\n    check(d);") in typist.log.taken_back


def test_edits_are_taken_back_in_one_step_though_lines_were_inserted_above() -> None:
    typist = Typist("a1\nb1\nc1\nd1\n")
    typist.change(Change("2", (2, 1), (2, 2)))
    typist.log.settle("a")
    typist.change(Change("x\n", (0, 0), (0, 0)))
    typist.log.settle("a")
    assert len(typist.settled()) == 2
    typist.change(Change("a1\nb1\nc1", (0, 0), (3, 2)))
    assert typist.settled() == []


def test_many_edits_in_a_moment_were_not_typed_and_what_follows_was() -> None:
    log = EditLog()
    for number in range(BURST + 5):
        typed = log.typed("a", 1, number / 100)
        assert typed == (number < BURST)
        if typed:
            log.apply(log.begin("a", 2 * number, 2 * number, ["old"]), 2 * number, 2 * number, ["new"])
    log.settle("a")
    assert log.settled == []
    assert log.typed("a", 1, 10.0)
