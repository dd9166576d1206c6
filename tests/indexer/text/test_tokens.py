"""The lexer for matching: tokens, lines, indentation, ids."""

import pytest

from indexer.text import tokens
from indexer.text.lines import TAB_COLUMNS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = b+c", ["a", "=", "b", "+", "c"]),
        ("self.fn(x, *args)", ["self", ".", "fn", "(", "x", ",", "*", "args", ")"]),
        ("assign y = ~&(a);", ["assign", "y", "=", "~&", "(", "a", ")", ";"]),
        ("8'hFF 1.5e3 0..n", ["8", "'", "hFF", "1.5e3", "0", "..", "n"]),
        ("변수 = 값_1  # 주석", ["변수", "=", "값_1", "#", "주석"]),
        ("if (a->b != NULL)", ["if", "(", "a", "->", "b", "!=", "NULL", ")"]),
    ],
)
def test_text_is_cut_at_words_numbers_and_marks(text: str, expected: list[str]) -> None:
    assert tokens.TOKEN.findall(text) == expected


def test_spacing_does_not_matter_and_case_does() -> None:
    assert tokens.token_ids("a=b [ 1 ]") == tokens.token_ids("a  =\tb[1]")
    assert tokens.token_ids("Name") != tokens.token_ids("name")


def test_words_are_marked_and_nothing_else_is() -> None:
    ids = tokens.token_ids("word _x 변수 1a . + \n")
    assert [bool(one & tokens.WORD) for one in ids] == [True, True, True, False, False, False, False]


def test_blank_lines_have_no_tokens_and_every_other_line_ends() -> None:
    lexed = tokens.lex("a\n\n  b c\n \n\td")
    assert lexed.counts.tolist() == [2, 0, 3, 0, 2]
    assert lexed.indents.tolist() == [0, tokens.BLANK_LINE, 2, tokens.BLANK_LINE, TAB_COLUMNS]
    assert (lexed.ids == tokens.NEWLINE).sum() == 3


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_are_all_one(end: str) -> None:
    lexed = tokens.lex(end.join(["x = 1", "", "y"]))
    assert lexed.ids.tolist() == tokens.lex("x = 1\n\ny").ids.tolist()
    assert len(lexed.counts) == 3


def test_form_feeds_and_separators_do_not_end_lines() -> None:
    assert len(tokens.lex("a\x0cb\u2028c\x85d").counts) == 1


def test_lone_surrogates_are_lexed() -> None:
    assert len(tokens.lex("a \ud800 b").ids) == 4
