"""What a second look counts: the fates of tokens, and the rivals of a proposal."""

from lsp_server.edits.fates import NAMES, Fates
from lsp_server.edits.features import FEATURES as FIRST
from lsp_server.edits.lessons import lesson
from lsp_server.edits.records import NAMES as RECORDS
from lsp_server.edits.records import NEVER, Records
from lsp_server.edits.second_look import (
    ELSEWHERE,
    HERE,
    Looked,
    SoFar,
    edited_around,
    looked,
    rows_elsewhere,
    rows_here,
)
from lsp_server.edits.token_lines import parse

HISTORY = [
    lesson("        inner_c.A(rptr);", "        inner_c.a_i(rptr);"),
    lesson("    x = A + keep;", "    x = a_i + keep;"),
    lesson("    y = Z + keep;", "    y = z_o + keep;"),
]


def counted(old: str, new: str) -> dict[str, float]:
    return dict(zip(NAMES, Fates(HISTORY).of(parse(old).words, parse(new).words), strict=True))


def test_a_text_that_leaves_what_all_edits_took_away_is_known() -> None:
    half = counted("g(.A(rptr), .Z(wptr))", "g(.a_i(rptr), .Z(wptr))")
    whole = counted("g(.A(rptr), .Z(wptr))", "g(.a_i(rptr), .z_o(wptr))")
    assert (half["stale"], half["stale_gone"], half["stale_lately"]) == (1, 0.5, 1)
    assert (whole["stale"], whole["stale_gone"], whole["stale_lately"]) == (0, 1, 0)
    assert half["gone_least"] == 2 and whole["gone_least"] == 1


def test_a_text_that_takes_away_what_edits_left_is_known() -> None:
    assert counted("x = keep;", "x = lost;")["spared"] == 2
    assert counted("x = A;", "x = a_i;")["spared"] == 0
    assert counted("x = keep;", "x = lost;")["come_least"] == 0


def recorded(old: str, new: str, kinds: set[str]) -> dict[str, float]:
    return dict(zip(RECORDS, Records(HISTORY).of(old, new, kinds), strict=True))


def test_edits_that_made_the_same_of_another_line_are_counted() -> None:
    same = recorded("    z = A * 2", "    z = a_i * 2", {"c00"})
    assert (same["same"], same["same_age"], same["same_of_gone"]) == (2, 0, 1)
    other = recorded("    z = A * 2", "    z = b_i * 2", {"c00"})
    assert (other["same"], other["same_age"], other["same_of_gone"]) == (0, NEVER, 0)


def test_a_kind_of_evidence_that_was_right_about_earlier_lines_is_known() -> None:
    told = recorded("    z = A * 2", "    z = a_i * 2", {"c00"})
    assert told["kinds_right"] == 1 and told["kinds_wrong"] == 0
    assert told["kind_best"] == told["kind_worst"] == 0.75
    unknown = recorded("    z = A * 2", "    z = a_i * 2", {"columns"})
    assert unknown["kind_best"] == unknown["kind_worst"] == 0.5


def test_edited_lines_around_a_place_are_counted() -> None:
    assert edited_around(10, {9, 8, 11, 20}) == (2, 1)


def row(marked: float) -> list[float]:
    return [marked, *(0.0 for _ in FIRST[1:])]


def test_the_rivals_of_a_line_and_the_other_places_are_counted() -> None:
    one = looked(0, "a = 1", [("a = 2", 0.3, row(1)), ("a = 3", 0.9, row(2)), ("a = 4", 0.1, row(3))], most=2)
    assert [(it.text, it.rank, it.rival, it.texts) for it in one] == [("a = 3", 0, 0.3, 3), ("a = 2", 1, 0.9, 3)]
    other = looked(1, "b = 1", [("b = 22", 0.6, row(4))], most=2)
    proposed: list[Looked] = sorted([*one, *other], key=lambda it: -it.probability)
    table = rows_elsewhere(proposed, SoFar.of(HISTORY, HISTORY), sites=2)
    made = [dict(zip(ELSEWHERE, it, strict=True)) for it in table]
    assert [it["probability"] for it in made] == [0.9, 0.6, 0.3]
    assert [it["best_elsewhere"] for it in made] == [0.6, 0.9, 0.6]
    assert [it["likely_elsewhere"] for it in made] == [1, 1, 1]
    assert [it["growth"] for it in made] == [0, 1, 0]
    assert [it[FIRST[0]] for it in made] == [2, 4, 1]


def test_at_the_cursor_the_kinds_of_evidence_are_told() -> None:
    first = row(0)
    first[FIRST.index("by_call")], first[FIRST.index("by_c11")] = 3, 1
    (made,) = rows_here(looked(0, "a = 1", [("a = 2", 0.3, first)], most=6), SoFar.of(HISTORY, HISTORY))
    told = dict(zip(HERE, made, strict=True))
    assert (told["is_call"], told["is_c11"], told["is_c22"], told["kinds"]) == (1, 1, 0, 2)
