"""Lines of text: ends and indentation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.text.lines import MAX_COLUMNS, TAB_COLUMNS, columns, leading_blanks, line_end, lines_of, lines_with_ends


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("", "\n"),
        ("one line", "\n"),
        ("a\nb\r\nc", "\n"),
        ("a\r\nb\nc", "\r\n"),
        ("a\rb", "\r"),
        ("a\rb\nc", "\r"),
        ("\nb\r\n", "\n"),
        ("\r\n", "\r\n"),
        ("\r", "\r"),
    ],
)
def test_line_end_is_the_first_one_of_the_text(text: str, end: str) -> None:
    assert line_end(text) == end


@given(st.text(alphabet="ab\r\n\x0c\u2028"))
def test_both_ways_to_split_agree(text: str) -> None:
    whole = lines_with_ends(text)
    assert "".join(whole) == text
    assert [line.rstrip("\r\n") for line in whole] == lines_of(text)[: len(whole)]
    assert lines_of(text)[len(whole) :] in ([], [""])


def test_a_tab_counts_the_same_wherever_it_stands() -> None:
    assert leading_blanks(" \t x\t") == " \t "
    assert columns(" \t ") == 2 + TAB_COLUMNS
    assert columns(" " * 1000) == MAX_COLUMNS
