"""What the user refused on a line does not come back there: the memory alone, as an editor's events reach it."""

import random
import time

import pytest

from lsp_server.refused_texts import is_refused
from lsp_server.server.documents import Change, Documents
from lsp_server.server.refusals import Refusals, Standing

KEY = "a.py"


class Editor:
    """A document with one cursor; every edit and every cursor reaches the memory."""

    def __init__(self, text: str = "", line: int = 0, column: int | None = None) -> None:
        self.documents, self.refusals = Documents(encoding="utf-32"), Refusals()
        self.buffer = self.documents.put(KEY, "python", 1, text).buffer
        self.at = (line, len(self.buffer.lines[line].rstrip("\n")) if column is None else column)
        self.passed = False
        self.ask()

    def ask(self) -> Standing:
        self.standing = self.refusals.asked(KEY, self.buffer.lines, *self.at)
        return self.standing

    def edit(self, start: tuple[int, int] | None, end: tuple[int, int] | None, text: str) -> None:
        self.documents.change(KEY, 2, [Change(text, start, end)])
        edit = (start, end, text) if start is not None and end is not None else None
        self.passed = self.refusals.changed(KEY, self.buffer.lines, [edit])

    def insert(self, text: str, closed: str = "") -> Standing:
        line, column = self.at
        self.edit(self.at, self.at, text + closed)
        rows = text.split("\n")
        self.at = (line + len(rows) - 1, len(rows[-1]) + (column if len(rows) == 1 else 0))
        return self.ask()

    def type(self, text: str) -> Standing:
        for letter in text:
            self.insert(letter)
        return self.standing

    def backspace(self, count: int = 1) -> Standing:
        for _ in range(count):
            line, column = self.at
            self.at = (line, column - 1)
            self.edit(self.at, (line, column), "")
            self.ask()
        return self.standing

    def offer(self, text: str, identifier: str = "1") -> None:
        self.refusals.offered(KEY, identifier, text)

    def refuses(self, text: str) -> bool:
        line, column = self.at
        return is_refused(text, self.standing.refused, self.buffer.lines[line][:column])


def test_a_text_that_was_typed_past_does_not_come_back_nor_its_rest() -> None:
    editor = Editor("total = ")
    editor.offer("price * count")
    editor.type("pri")
    assert editor.standing == Standing()
    editor.type("x")
    assert editor.passed and editor.standing.new == 2
    assert editor.refuses("ce * count") and editor.refuses("price * count") and editor.refuses("price * count + 1")
    assert not editor.refuses("price_list") and not editor.refuses("cent")
    editor.backspace()
    assert editor.refuses("ce * count"), "after Backspace on the wrong character it is refused still"


def test_a_wrong_character_and_backspace_between_two_requests_are_noticed() -> None:
    editor = Editor("total = ")
    editor.offer("price")
    editor.edit((0, 8), (0, 8), "q")
    assert editor.passed
    editor.edit((0, 8), (0, 9), "")
    assert editor.ask().refused == ("price",)


@pytest.mark.parametrize(
    ("before", "typed", "text"), [("x", " ", "),"), ("# ", "-", " Registers ---"), ("# --", "-", "TODO")]
)
def test_the_same_text_does_not_come_back_while_blanks_or_a_rule_are_typed(before: str, typed: str, text: str) -> None:
    editor = Editor(before)
    editor.offer(text)
    for _ in range(40):
        editor.type(typed)
        assert editor.refuses(text) and editor.refuses(typed + typed + text) and editor.refuses(" " + text)


def test_refusals_end_with_the_line_and_where_text_before_them_is_deleted() -> None:
    editor = Editor("total = \nrest = ")
    editor.offer("price")
    editor.type("q")
    editor.at = (1, 7)
    assert editor.ask().refused == ()
    editor.at = (0, 9)
    assert editor.ask().refused == ()
    editor.backspace()
    editor.offer("price")
    editor.type("q")
    assert editor.backspace().refused
    assert editor.backspace().refused == ()


def test_escape_is_silence_to_the_end_of_the_line() -> None:
    editor = Editor("total = \n")
    editor.offer("price", "7")
    assert editor.refusals.dismissed("6") == []
    assert editor.refusals.dismissed("7") == [KEY] and editor.refusals.silent(KEY)
    assert editor.type("pri").silent and editor.backspace(2).silent
    editor.insert("\n")
    assert not editor.standing.silent


def test_escape_ends_where_the_line_is_emptied() -> None:
    editor = Editor("    x")
    editor.offer(" = 1", "7")
    editor.refusals.dismissed("7")
    assert not editor.backspace().silent


def test_an_escape_that_arrives_after_the_next_letter_counts() -> None:
    editor = Editor("total = ")
    editor.offer("price", "7")
    editor.type("q")
    assert editor.refusals.dismissed("7") == [KEY]
    assert editor.type("r").silent


@pytest.mark.parametrize("text", ["price * count", "price:\n        return count\n    return 0"])
def test_accepted_text_that_is_undone_is_refused_with_its_beginning_and_its_rest(text: str) -> None:
    editor = Editor("if x\ntotal = \nnext", 1)
    editor.offer(text)
    editor.insert(text)
    assert editor.standing.refused == ()
    end, editor.at = editor.at, (1, 8)
    editor.edit((1, 8), end, "")
    editor.ask()
    assert editor.refuses(text) and editor.refuses("price")
    editor.type("price")
    assert editor.refuses(text.removeprefix("price"))


def test_accepted_text_that_is_deleted_letter_by_letter_is_refused_at_every_letter() -> None:
    editor = Editor("total = ")
    editor.offer("price * count")
    editor.insert("price * count")
    for gone in range(1, 14):
        editor.backspace()
        assert editor.refuses("price * count"[-gone:]), gone
    assert editor.refuses("price * count")
    editor.backspace(3)
    assert editor.refuses(" = price * count"), "the deletion goes on to the left"


def test_a_part_that_was_accepted_and_deleted_is_refused() -> None:
    editor = Editor("total = ")
    editor.offer("price * count")
    editor.insert("price")
    editor.offer(" * count")
    editor.backspace(5)
    assert editor.refuses("price") and editor.refuses("price * count")


@pytest.mark.parametrize("report_first", [True, False])
def test_one_accepted_character_that_is_deleted_is_refused(report_first: bool) -> None:
    editor = Editor("call(x")
    editor.offer(")", "7")
    if report_first:
        editor.refusals.accepted("7")
    editor.edit((0, 6), (0, 6), ")")
    if not report_first:
        editor.refusals.accepted("7")
    editor.at = (0, 7)
    assert editor.ask().refused == ()
    editor.backspace()
    assert editor.refuses(")")


def test_what_is_written_into_accepted_text_refuses_nothing() -> None:
    editor = Editor("total = ")
    editor.offer("price * count")
    editor.insert("price * count")
    editor.at = (0, 13)
    editor.ask()
    assert editor.type("_list").refused == ()


def test_edits_above_move_the_line_and_keep_what_was_refused() -> None:
    editor = Editor("a\nb\ntotal = ", 2)
    editor.offer("price")
    editor.type("q")
    editor.edit((0, 0), (0, 0), "new\nlines\n")
    editor.at = (4, 9)
    assert editor.ask().refused
    editor.edit((0, 0), (2, 0), "")
    editor.at = (2, 9)
    assert editor.ask().refused
    editor.edit(None, None, "before\na\nb\ntotal = q")
    editor.at = (3, 9)
    assert editor.ask().refused, "clients without ranges send the whole text"


@pytest.mark.parametrize("text", ["", "\n\n", "other\nlines\nhere\n", "total"])
def test_a_document_that_changes_underneath_forgets_its_refusals(text: str) -> None:
    editor = Editor("a\nb\ntotal = ", 2)
    editor.offer("price")
    editor.type("q")
    editor.edit(None, None, text)
    editor.at = (len(editor.buffer.lines) - 1, 0)
    assert editor.ask() == Standing()


def test_brackets_that_the_editor_closes_do_not_refuse() -> None:
    editor = Editor("call")
    editor.offer("(price)")
    editor.insert("(", closed=")")
    assert not editor.passed and editor.standing.refused == ()
    editor.type("q")
    assert editor.refuses("(price)")


def test_a_second_cursor_on_the_line_refuses_rather_than_showing_the_text_again() -> None:
    editor = Editor("a = 1; b = ")
    editor.offer("price")
    editor.documents.change(KEY, 2, [Change("q", (0, 11), (0, 11)), Change("q", (0, 4), (0, 4))])
    edits = [((0, 11), (0, 11), "q"), ((0, 4), (0, 4), "q")]
    assert editor.refusals.changed(KEY, editor.buffer.lines, edits)
    editor.at = (0, 13)
    editor.ask()
    assert editor.refuses("price")


def test_short_texts_are_compared_as_a_whole() -> None:
    assert is_refused("s", ["s"], "x") and not is_refused("self", ["s"], "x")
    assert is_refused(")", [")"], "x") and not is_refused(") else", [")"], "x")
    assert not is_refused("", ["x"], "") and not is_refused("  ", ["x"], "")


def test_a_typist_who_only_deletes_refuses_nothing() -> None:
    editor = Editor("first line\nsecond line of text")
    editor.at = (1, 19)
    editor.ask()
    for number in range(19):
        editor.offer(f"text {number}", str(number))
        assert editor.backspace() == Standing()
    editor.edit((0, 0), (1, 0), "")
    editor.at = (0, 0)
    assert editor.ask() == Standing()


def test_ten_thousand_keys_in_one_line_stay_cheap() -> None:
    """Every key refuses a text; the cost of a key does not grow with the line beyond reason."""
    editor, began = Editor(""), time.perf_counter()
    for number in range(10_000):
        editor.offer(f"text{number}")
        editor.insert("q")
    assert len(editor.standing.refused) <= 500
    assert editor.refuses("text9999")
    print("seconds for 10,000 keys:", round(time.perf_counter() - began, 2))


def test_random_typists_never_see_a_refused_text_again() -> None:
    """Letters of two kinds, Backspace, accepts and undo at random; after each the rule is checked from the outside."""
    for seed in range(60):
        rng = random.Random(seed)
        editor, offered = Editor("x = "), ""
        refused: dict[str, int] = {}
        for _ in range(60):
            start = editor.at[1]
            if rng.random() < 0.5 and not offered:
                candidate = "".join(rng.choice("ab(") for _ in range(rng.randint(3, 6)))
                known = [one for one, column in refused.items() if one == candidate and column <= start]
                assert not known or editor.refuses(candidate), (seed, candidate, editor.standing)
                if not editor.refuses(candidate):
                    editor.offer(candidate, str(rng.random()))
                    offered = candidate
            if rng.random() < 0.25 and start > 4:
                editor.backspace()
                refused, offered = {one: at for one, at in refused.items() if at <= start - 1}, ""
                continue
            letter = rng.choice("ab(")
            if offered and not offered.startswith(letter):
                refused[offered] = start
                offered = ""
            offered = offered[1:]
            editor.type(letter)
