"""Calls that are written over several lines."""

import pytest

from lsp_server.edits.calls import CallRule, CallTemplate, call_rule
from lsp_server.edits.changed_lines import GONE
from lsp_server.edits.edit_log import Edit
from lsp_server.edits.features import ELSEWHERE
from lsp_server.edits.history import History, PastEdit
from lsp_server.edits.listed import all_of_newest
from lsp_server.edits.offered import Refusals
from lsp_server.edits.offers import Search
from lsp_server.edits.probability import shipped
from lsp_server.edits.spread_calls import flat_change, spread_at, spread_texts
from lsp_server.edits.token_lines import parse
from lsp_server.edits.views import View


def rule(old: str, new: str) -> CallRule | CallTemplate:
    found = call_rule(parse(old), parse(new))
    assert found is not None
    return found


APPENDED = rule("f(a, b)", "f(a, b, c=1)")
FIRST = rule("f(a, b)", "f(ctx, a, b)")
REMOVED = rule("f(a, b, old)", "f(a, b)")


@pytest.mark.parametrize(
    ("made", "lines", "line", "text"),
    [
        (APPENDED, ["x = f(", "    a[0],", "    g(b),", ")"], 2, "    g(b),\n    c=1,"),
        (APPENDED, ["x = f(", "    a[0],", "    g(b)", ")"], 2, "    g(b),\n    c=1"),
        (APPENDED, ["x = f(a,", "      b)"], 1, "      b, c=1)"),
        (FIRST, ["x = f(", "    a,", "    b", ")"], 1, "    ctx,\n    a,"),
        (FIRST, ["x = f(a,", "      b)"], 0, "x = f(ctx, a,"),
        (rule("f(old, a, b)", "f(a, b)"), ["f(g(x), a,", "  b)"], 0, "f(a,"),
        (REMOVED, ["f(", "    a,", "    b,", "    c,", ")"], 3, GONE),
    ],
)
def test_a_change_is_put_into_the_line_it_belongs_to(
    made: CallRule | CallTemplate, lines: list[str], line: int, text: str
) -> None:
    for at in range(len(lines)):
        assert list(spread_texts(["def work():", *lines, "y = 1"], 1 + at, [None, made])) == [(1, 1 + line, text)]


@pytest.mark.parametrize(
    "lines",
    [
        ["f(a, b)", "y = 1"],
        ["f(", "    a,", "    b,"],
        ["f(", *(f"    a{n}," for n in range(30)), ")"],
        ["if x {", "    f(a, b)", "}"],
        ["g(", "    a,", "    b,", ")"],
    ],
)
def test_what_is_no_such_call_does_not_change(lines: list[str]) -> None:
    assert [found for at in range(len(lines)) for found in spread_texts(lines, at, [APPENDED])] == []


def test_a_last_argument_without_a_comma_behind_it_would_change_two_lines() -> None:
    assert list(spread_texts(["f(", "    a,", "    b,", "    c", ")"], 1, [REMOVED])) == []


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("f(a)", "f(a,)", ["x = f(", "    b", ")"]),
        ("f(a)", "f(a,)", ["x = f(", "    b,", ")"]),
        ("f(a, (b))", "f(a, (b,))", ["f(", "    a,", "    (", "        b", "    )", ")"]),
    ],
)
def test_a_comma_alone_is_no_argument(old: str, new: str, lines: list[str]) -> None:
    made = rule(old, new)
    assert [found for at in range(len(lines)) for found in spread_texts(lines, at, [made])] == []


def test_an_edit_within_a_call_is_one_of_the_whole_call() -> None:
    above, below = ["x = 1", "f("], [")", "y = 2"]
    assert flat_change(["    b,"], ["    b,", "    c=1,"], [*above, "    a,"], below) == ("f(a, b)", "f(a, b, c=1)")
    assert flat_change(["x = 1"], ["x = 2"], [], below) is None
    call = spread_at([*above, "    {", "        1,", "    },", *below], 3)
    assert call is not None
    assert call.first == 1
    assert call.line.texts == ("f", "(", "{", "1", "}", ")")


def test_such_calls_are_listed_where_all_places_are_asked_for() -> None:
    edit = PastEdit.of(Edit("a.py", 0, ["value = compute_all(a, b)"], ["value = compute_all(a, b, c=1)"], 1))
    lines = [*edit.new, "x = 1", "other = compute_all(", "    first,", "    second,", ")"]
    search = Search(shipped(), History().lines((edit,)), Refusals())
    view = View("a.py", "\n".join(lines), frozenset({0}))
    listed = [(offer.line, offer.new) for offer in all_of_newest(search, view, ELSEWHERE, 1.0)]
    assert listed == [(4, "    second,\n    c=1,")]
