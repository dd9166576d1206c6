"""Numbers that grow from edit to edit, and names that change in the same way."""

import pytest

from lsp_server.edits.lessons import lesson
from lsp_server.edits.names import changes_alike, derived, part_table
from lsp_server.edits.series import next_of_series
from lsp_server.spellings import with_parts


@pytest.mark.parametrize(
    ("older", "newest", "wanted"),
    [
        (("A,", "A = 1,"), ("B,", "B = 2,"), "B = 3,"),
        (("f(x)", "f(10, x)"), ("f(y)", "f(20, y)"), "f(30, y)"),
        (("A,", "A = 1,"), ("B,", "B = 1,"), None),
        (("A,", "A = 2,"), ("B,", "B = 1,"), None),
        (("A = 1;", "A = 2;"), ("B = 2;", "B = 3;"), None),
        (("A,", "A = 1,"), ("B(x),", "B(x) = 2,"), None),
        (("A,", "A = x,"), ("B,", "B = y,"), None),
    ],
)
def test_a_series_goes_on(older: tuple[str, str], newest: tuple[str, str], wanted: str | None) -> None:
    found = next_of_series([lesson(*newest), lesson(*older)])
    assert (found and found.new_text) == wanted
    assert next_of_series([lesson(*newest)]) is None


@pytest.mark.parametrize(
    ("old", "new", "name", "wanted"),
    [
        ("user_name", "userName", "mail_address", "mailAddress"),
        ("getUser", "get_user", "findAllTeams", "find_all_teams"),
        ("max_rows", "kMaxRows", "page_size", "kPageSize"),
        ("max_rows", "MAX_ROWS", "page_size", "PAGE_SIZE"),
        ("0x00", "0x1000", "0x04", "0x1004"),
        ("10dp", "10px", "20dp", "20px"),
    ],
)
def test_a_name_is_written_in_the_same_other_way(old: str, new: str, name: str, wanted: str) -> None:
    assert changes_alike(old, new, name) == wanted


def test_a_name_that_is_a_part_of_another_one_follows_it() -> None:
    assert derived("name", {"names": "mails"}) == "mail"
    assert derived("User", {"users": "teams"}) == "Team"
    assert derived("name", {"names": "box"}) is None
    assert derived("name", {"name_of_all": "mail_of_all"}) is None


def test_a_part_that_was_added_is_added_once() -> None:
    table = part_table("fifo_valid", "i_fifo_valid")
    assert with_parts("fifo_data", table) == "i_fifo_data"
    assert with_parts("i_fifo_data", table) == "i_fifo_data"
