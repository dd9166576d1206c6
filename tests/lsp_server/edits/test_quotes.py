"""Other quotes, which leave the strings of a line whole."""

import pytest

from lsp_server.edits.proposals import proposals, taught
from lsp_server.edits.quotes import breaks_strings, requoted, strings

EDITS = [("go('a');", 'go("a");'), ("f('b', 'c')", 'f("b", "c")')]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("""f('a', "b'c", `d`)""", ["'a'", '"b\'c"', "`d`"]),
        ("""'it\\'s' + 'x""", ["'it\\'s'"]),
        ("don't", []),
        ("''", ["''"]),
    ],
)
def test_strings_are_found_by_their_quotes(line: str, found: list[str]) -> None:
    assert [line[start : end + 1] for start, end in strings(line)] == found


def test_quotes_that_end_a_string_within_it_break_it() -> None:
    old = """at('a[b="c"]')"""
    assert breaks_strings(old, old.replace("'", '"'))
    assert breaks_strings("f('a', 'b')", """f("a', 'b")""")
    assert not breaks_strings("f('a', 'b')", 'f("a", "b")')
    assert not breaks_strings(old, "of('a[b=1]')")
    assert requoted(old + " + 'd'", (old + " + 'd'").replace("'", '"')) == old + ' + "d"'


def test_edits_of_quotes_leave_strings_alone_in_which_the_new_ones_stand() -> None:
    history = [taught("a.ts", number, number, old, new) for number, (old, new) in enumerate(EDITS)]
    line = """type(at('input[name="min"]'), 'low');"""
    found = proposals(line, history)
    assert """type(at('input[name="min"]'), "low");""" in found
    assert not any(breaks_strings(line, text) for text in found)
    assert not proposals("""at('input[name="min"]');""", history)


def test_an_edit_that_breaks_strings_itself_is_repeated() -> None:
    """As in a language in which a quote is no quote."""
    old = """x' <= "a"';"""
    history = [taught("a.v", 0, 0, old, old.replace("'", "`"))]
    assert """y` <= "b"`;""" in proposals("""y' <= "b"';""", history)
