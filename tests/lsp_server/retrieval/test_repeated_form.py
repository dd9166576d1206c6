"""Rows that follow from their names, as the rows above do."""

import pytest

from lsp_server.retrieval.cursor import CursorContexts
from lsp_server.retrieval.matches import ExpectedRow
from lsp_server.retrieval.repeated_form import repeated_row
from lsp_server.types import Document


def row_at_the_end(text: str, new: bool = True) -> ExpectedRow | None:
    """Return the row that the last line of a text asks for."""
    document = Document("file:///a.x", "a.x", "text", 1, text)
    return repeated_row(CursorContexts().at(document, len(text)), lambda row: new)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ('RED = "red"\nBLUE = "blue"\nPINK = "pink"\nGREEN = ', '"green"'),
        ('Red = "red",\nDarkBlue = "dark-blue",\nPink = "pink",\nLightGreen = ', '"light-green",'),
        ("  .a_i (a_i),\n  .b_i (b_i),\n  .c_i (c_i),\n  .valid_i ", "(valid_i),"),
        # The part in which the names differ stands in other names.
        ("IN_EN = 1 << IN_SHIFT;\nUP_EN = 1 << UP_SHIFT;\nCC_EN = 1 << CC_SHIFT;\nDMA_EN ", "= 1 << DMA_SHIFT;"),
        ("withKey(readKey());\nwithSize(readSize());\nwithOneMore(readOneMore());\nwithLength(", "readLength());"),
        # Two names, in the order in which the rows above have them.
        ("map(a, b, b.a);\nmap(c, d, d.c);\nmap(e, f, f.e);\nmap(key, value, ", "value.key);"),
        ("swap(a, b, b, a);\nswap(c, a, a, c);\nswap(x, y, y, x);\nswap(y, x, ", "x, y);"),
        ("a: Box\nb: Box\nc: Box\nd:", " Box"),
        # A name of one word does not tell how a name of two is spelled; the row above it does.
        ('OneTwo: "one two",\nRed: "red",\nBlue: "blue",\nDarkBlue:', ' "dark blue",'),
    ],
)
def test_the_row_follows_from_its_names(text: str, rest: str) -> None:
    found = row_at_the_end(text)
    assert found is not None
    assert found.text == text.rsplit("\n", 1)[-1].strip() + (" " if text.endswith(" ") else "") + rest.lstrip(
        " " if text.endswith(" ") else ""
    )


@pytest.mark.parametrize(
    "text",
    [
        'RED = "red"\nGREEN = ',  # no row follows
        'RED = "same"\nPINK = "same"\nGREEN = ',  # one row that has the same rest is not enough
        'RED = "red"\nBLUE = "azure"\nPINK = "pink"\nGREEN = ',  # the rows do not follow from their names
        'RED = "red"\nBLUE = "blue"\nPINK = "pink"\nGREEN',  # the name may go on
        'Red: "red",\nBlue: "blue",\nPink: "pink",\nDarkBlue: ',  # "dark_blue", "darkBlue" or "dark-blue"
        'RED = "red"\nBLUE = "blue"\nPINK = "pink"\n  GREEN = ',  # another block
        'RED = "red"\n\nBLUE = "blue"\n\nPINK = "pink"\n\nGREEN = ',
        'RED = "red"\nBLUE = "blue"\nPINK = "pink"\nGREEN += ',  # another form
        "a = 1\nb = 2\nc = 3\nd = ",
        "x = y\nx = y\nx = y\nx = ",  # no name differs
        "",
    ],
)
def test_rows_that_do_not_agree_make_none(text: str) -> None:
    assert row_at_the_end(text) is None


def test_more_rows_make_it_surer() -> None:
    rows = ['RED = "red"', 'BLUE = "blue"', 'PINK = "pink"', 'GREEN = "green"']
    found = [row_at_the_end("\n".join([*rows[:count], "WHITE = "])) for count in (2, 3, 4)]
    one, few, many = (row.probability if row is not None else 0.0 for row in found)
    assert 0 < one < 0.66 < few < many


def test_behind_old_rows_it_is_less_sure() -> None:
    rows = ['RED = "red"', 'BLUE = "blue"', 'PINK = "pink"', 'GREEN = "green"', 'GREY = "grey"', "WHITE = "]
    for count in (3, 4, 5):
        text = "\n".join([*rows[:count], rows[-1]])
        old, new = row_at_the_end(text, new=False), row_at_the_end(text)
        assert old is not None and new is not None
        assert old.probability < new.probability
        assert (old.probability > 0.66) == (count == 5)


def test_names_with_many_spellings_cost_little() -> None:
    rows = "".join(f"m{n}({', '.join(f'k{n}' for _ in range(40))});\n" for n in range(5))
    assert row_at_the_end(rows + "mAB(") is None
