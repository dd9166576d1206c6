"""Which edit is offered, with the judge that Ondol ships."""

from dataclasses import replace
from pathlib import Path

import pytest

from indexer.config import Settings
from lsp_server.edits import places
from lsp_server.edits.changed_lines import GONE
from lsp_server.edits.edit_log import EditLog
from lsp_server.edits.features import ELSEWHERE, OTHER_FILE
from lsp_server.edits.history import History, PastEdit
from lsp_server.edits.listed import all_of_newest
from lsp_server.edits.offered import LEFT_KEPT, REFUSED_KEPT, Offer, Refusals
from lsp_server.edits.offers import STEPS_OFFERED, Search
from lsp_server.edits.probability import shipped
from lsp_server.edits.proposals import Taught, taught
from lsp_server.edits.views import OtherFile, View
from tests.support.indexes import updated


def call(n: int, more: str = "") -> str:
    return f"    total_{n} = compute_total(items_{n}, rate{more})"


LINES = ["def work(rate):", *map(call, range(6)), "    return 0"]


def edited(count: int) -> tuple[View, list[Taught]]:
    lines = [*LINES]
    history = []
    for n in range(count):
        lines[1 + n] = call(n, ", tax=0")
        history.append(taught("a.py", 1 + n, n, LINES[1 + n], lines[1 + n]))
    return View("a.py", "\n".join(lines), frozenset(range(1, 1 + count))), history


def search(history: list[Taught], refusals: Refusals | None = None) -> Search:
    return Search(shipped(), history, refusals or Refusals())


def test_the_nearest_like_line_is_offered_elsewhere() -> None:
    view, history = edited(2)
    offer = search(history).elsewhere(view)
    assert offer is not None
    assert offer.line == 3
    assert offer.new == call(offer.line - 1, ", tax=0")
    assert {line for _, line in offer.sources} == {1, 2}


NAMES = ("first", "second", "parsed", "written", "joined", "sorted", "merged", "cached")


@pytest.mark.parametrize(
    ("line", "old", "new"),
    [
        ("    assert found == {n}, '{name}'", "assert found ==", "assert same(found,"),
        ("    log.debug('{name}', found.{x})", "log.debug", "self.log"),
    ],
)
def test_whoever_follows_offers_leaves_no_like_place_behind(line: str, old: str, new: str) -> None:
    """What is jumped over counts as left alone, and is hardly offered again."""
    lines: list[str] = []
    wanted_places = []
    for n, name in enumerate(NAMES):
        lines += [f"def test_{name}(box):", f"    found = box.{name}({n % 4})"]
        wanted_places.append(len(lines))
        lines += [line.format(name=name, n=n + 1, x="x" * (n % 3 + 1)), ""]
    wanted = [one.replace(old, new) for one in lines]
    made = wanted_places[:2]
    history = [taught("a.py", at, step, lines[at], wanted[at]) for step, at in enumerate(made)]
    while len(made) < len(wanted_places):
        now = [wanted[at] if at in made else one for at, one in enumerate(lines)]
        offer = search(history).elsewhere(View("a.py", "\n".join(now), frozenset(made)), made[-1])
        assert offer is not None
        made.append(offer.line)
        history.append(taught("a.py", offer.line, len(history), offer.old, offer.new))
    assert made == wanted_places


def test_all_places_are_as_probable_as_with_the_cursor_there() -> None:
    view, history = edited(2)
    made = search(history)
    listed = list(all_of_newest(made, view, ELSEWHERE, 0.2))
    assert [offer.line for offer in listed] == [3, 4, 5, 6]
    assert [offer.probability for offer in listed] == [
        dict(made.unsure(view, line))[call(line - 1, ", tax=0")] for line in range(3, 7)
    ]
    assert min(offer.probability for offer in listed) > 0.5


def test_rows_that_share_no_word_are_listed_as_they_are_offered_at_the_cursor() -> None:
    rows = ["| id | int |", "| name | text |", "| size | int |", "| tags | list |"]
    lines = [*(f"{row} yes |" for row in rows[:2]), *rows[2:]]
    history = [taught("a.md", at, at, rows[at], lines[at]) for at in range(2)]
    listed = all_of_newest(search(history), View("a.md", "\n".join(lines), frozenset({0, 1})), ELSEWHERE, 0.2)
    assert [(offer.line, offer.new, offer.probability > 0.5) for offer in listed] == [
        (2, "| size | int | yes |", True),
        (3, "| tags | list | yes |", True),
    ]


def test_nothing_is_offered_without_an_edit_and_on_edited_lines() -> None:
    view, history = edited(2)
    assert search([]).here(view, 3) is None
    assert search(history).here(view, 1) is None


def test_a_refused_offer_does_not_come_back_and_its_edits_count_less() -> None:
    view, history = edited(2)
    refusals = Refusals()
    refused: list[Offer] = []
    while (offer := search(history, refusals).elsewhere(view)) is not None:
        assert (offer.line, offer.new) not in [(one.line, one.new) for one in refused]
        refused.append(offer)
        refusals.add(offer)
    assert 1 <= len(refused) < 4


def test_a_rule_that_matches_everywhere_offers_nothing() -> None:
    lines = [f"x = x + {n}" for n in range(200)]
    history = [taught("a.py", 0, 1, lines[0], "y = x + 0")]
    assert search(history).elsewhere(View("a.py", "\n".join(["y = x + 0", *lines[1:]]), frozenset({0}))) is None


def deleted_blocks() -> tuple[View, list[Taught]]:
    """A check of two lines was deleted at the beginning of two functions of four."""
    check = ["    if tracing:", "        trace(d)"]
    lines = [line for name in "abcd" for line in (f"def {name}_open(d):", *check, f"    d.{name} = 1", "")]
    history = []
    for step, at in enumerate((1, 4)):
        history += [taught("a.py", at, step, line, GONE) for line in lines[at : at + 2]]
        del lines[at : at + 2]
    return View("a.py", "\n".join(lines)), history


def test_lines_that_were_deleted_together_are_offered_together() -> None:
    view, history = deleted_blocks()
    offer = search(history).elsewhere(view)
    assert offer is not None
    assert offer.line in (7, 12)
    assert (offer.lines, offer.new) == (["    if tracing:", "        trace(d)"], GONE)
    there = search(history).here(view, 8)
    assert there is not None and (there.line, there.old) == (7, offer.old)
    refusals = Refusals()
    refusals.add(offer)
    assert search(history, refusals).elsewhere(view) is None
    changed = View("a.py", view.text.replace("        trace(d)", "        note(d.c)", 1))
    alone = search(history).here(changed, 7)
    assert alone is not None and alone.lines == ["    if tracing:"]


@pytest.mark.parametrize("inner", [0, 1])
@pytest.mark.parametrize("behind", [0, 1])
def test_blank_lines_go_with_the_lines_that_they_went_with(inner: int, behind: int) -> None:
    block = ["    if tracing:", *[""] * inner, "    note(d)", *[""] * behind]
    text = [line for name in "abc" for line in (f"def {name}_open(d):", *block, f"    d.{name} = 1", "")]
    lines, log = list(text), EditLog()
    for at in (1, 4):
        gone = lines[at : at + len(block)]
        edit = log.begin("a.py", at, at + len(block) - 1, gone, (tuple(lines[:at]), tuple(lines[at + len(block) :])))
        log.apply(edit, at, at + len(block) - 1, [])
        del lines[at : at + len(block)]
        log.settle("a.py")
    history = History().lines([PastEdit.of(edit) for edit in log.settled])
    offer = search(history).here(View("a.py", "\n".join(lines), frozenset()), 7)
    assert offer is not None
    assert (offer.line, offer.lines, offer.new) == (7, block, GONE)
    lines[8 + inner] = "    other(d, c)"  # the block is not whole there
    alone = search(history).here(View("a.py", "\n".join(lines), frozenset()), 7)
    assert alone is not None and alone.lines == ["    if tracing:"]


SHAPES = ("print(x)", "if x > {n}:", "a{n} = x + {n}", "return f{n}(x, {n})", "rows[x] = {n}", "while g{n}(x):")


def test_a_name_that_stands_everywhere_is_offered_where_nothing_was_passed_alone() -> None:
    before = [SHAPES[n % len(SHAPES)].format(n=n) for n in range(120)]
    lines = [line.replace("x", "y") if n < 2 else line for n, line in enumerate(before)]
    history = [taught("a.py", n, n, before[n], lines[n]) for n in range(2)]
    for count, offered in ((120, False), (30, True)):
        view = View("a.py", "\n".join(lines[:count]), frozenset(range(2)))
        far = [n for n in range(8, 30) if n % len(SHAPES) in (2, 4)]  # nothing but the name is that of an edited line
        assert all((search(history).here(view, n) is not None) == offered for n in far)
        assert search(history).here(view, 2) is not None
        assert search(history).here(view, 6) is not None


def test_a_line_that_a_pattern_fits_is_offered_however_many_were_passed() -> None:
    before = [
        f"expect(chart{n}).to.be.equal({n % 3});" if n % 3 else f"note(chart{n}.to.be.equal);" for n in range(240)
    ]
    at = [1, 62, 121, 182]
    lines = [line.replace(".to.be.equal", ".toBe") if n in at else line for n, line in enumerate(before)]
    history = [taught("a.ts", n, step, before[n], lines[n]) for step, n in enumerate(at)]
    view = View("a.ts", "\n".join(lines), frozenset(at))
    offer = search(history).here(view, 184)
    assert offer is not None and offer.new == "expect(chart184).toBe(1);"
    assert search(history).here(view, 183) is None


def test_the_index_names_the_files_that_use_what_was_changed(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    root.mkdir()
    for n in range(6):
        body = "from lib import compute_total\n\n" + (call(n)[4:] if n < 3 else f"other_{n} = {n}") + "\n"
        (root / f"m{n}.py").write_text(body)
    index = updated(root, tmp_path / "data")
    _, history = edited(2)
    found = list(places.in_repository(index, history, lambda path: path == "m0.py"))
    assert set(found) >= {"m1.py", "m2.py"}
    assert not set(found) & {"m0.py", "m3.py", "m4.py", "m5.py"}
    view = View.of("m1.py", index.text(index.documents["m1.py"]), frozenset())
    looked = search(history)
    proposed, _ = looked.looked_again(view, looked.places.everywhere(view, OTHER_FILE))
    assert proposed[0].text == call(1, ", tax=0")[4:]
    assert Settings().next_edits


def many(count: int) -> list[Taught]:
    """Edits of a call in two files, one after the other."""
    found = []
    for n in range(count):
        found.append(taught("a.py" if n < 3 else "b.py", n, n, call(n), call(n, ", tax=0")))
    return found


def there(*more: str, edited: frozenset[int] = frozenset()) -> list[OtherFile]:
    return [OtherFile(View("c.py", "\n".join(["def other(rate):", call(8), *more]), edited), 0, 1)]


def test_another_file_is_offered_once_many_edits_agree() -> None:
    offer = search(many(STEPS_OFFERED)).other_file(there())
    assert offer is not None
    assert (offer.document, offer.line, offer.new) == ("c.py", 1, call(8, ", tax=0"))
    assert search(many(STEPS_OFFERED - 1)).other_file(there()) is None


def test_another_file_is_not_offered_after_an_edit_of_another_kind() -> None:
    last = taught("b.py", 9, STEPS_OFFERED, "import sys", "import os")
    assert search([*many(STEPS_OFFERED), last]).other_file(there()) is None


def test_a_file_of_another_kind_is_not_offered() -> None:
    view = View("c.md", there()[0].view.text)
    assert search(many(STEPS_OFFERED)).other_file([OtherFile(view, 0, 1)]) is None


def test_what_was_left_in_an_edited_document_is_not_offered_from_another_one() -> None:
    assert search(many(STEPS_OFFERED)).other_file(there("x = 1", edited=frozenset({2}))) is None


def test_in_a_document_without_edits_other_lines_are_offered_behind_the_newest_edit_alone() -> None:
    """The cursor came there from another document: what older edits say, and whole lines, are seldom wanted."""
    view = View("b.py", "\n".join(LINES))
    offer = search(many(3)).elsewhere(view, 0)
    assert offer is not None
    assert offer.new == call(offer.line - 1, ", tax=0")
    last = taught("a.py", 9, 3, "import sys", "import os")
    assert search([*many(3), last]).elsewhere(view, 0) is None
    assert search([*many(3), last]).here(view, 1) is not None
    view, history = deleted_blocks()
    assert search(history).elsewhere(view) is not None
    assert search(history).elsewhere(View("b.py", view.text)) is None


def test_of_many_lines_those_are_tried_to_which_most_edits_lead() -> None:
    edited_lines = [f"value_{n} = compute(items_{n}, rate, tax)" for n in range(2)]
    near, like = [f"note_{n} = rate" for n in range(25)], [f"x{n} = compute(y{n}, rate)" for n in range(30)]
    lines = [*edited_lines, *(50 * [""]), *near, *(50 * [""]), *like]
    history = [taught("a.py", n, n + 1, line.replace(", tax", ""), line) for n, line in enumerate(edited_lines)]
    found = places.in_document(View("a.py", "\n".join(lines), frozenset({0, 1})), history, 1)
    assert [lines[line] for line in found.lines] == like[: places.TRIED]
    assert found.cut == len(near) + len(like) - places.TRIED


def test_what_was_left_alone_counts_at_the_cursor_until_an_offer_of_the_same_edits_is_accepted() -> None:
    view, history = edited(2)
    offer = search(history).here(view, 3)
    assert offer is not None
    refusals = Refusals()
    refusals.leave(offer)
    refusals.leave(offer)  # seen again
    edits = [one.lesson.old_text for one in history]

    def lowered() -> float:
        return refusals.lowered(0.9, offer.steps, refusals.left_like(view.lines[5], edits))

    once = lowered()
    assert refusals.lowered(0.9, offer.steps) == 0.9  # elsewhere
    refusals.leave(replace(offer, line=4, old=view.lines[4]))
    assert lowered() < once < 0.9
    assert not refusals.refused(offer.old, offer.new)
    refusals.accept(offer)
    assert lowered() == 0.9


def test_of_thousands_that_were_left_alone_only_the_newest_are_kept() -> None:
    refusals, edits = Refusals(), [call(n) for n in range(3)]
    first = Offer("a.py", 0, "first(line)", "first(text)", 0.9, 0.0, (), frozenset({1}), True)
    for n in range(5_000):
        refusals.leave(replace(first, line=n, old=call(n, f", {n}"), steps=frozenset({2, n + 3})))
    assert len(refusals.left) == LEFT_KEPT
    left = refusals.left_like("other(line)", edits)
    assert left[2] == LEFT_KEPT
    assert left[4_999 + 3] == 1
    assert left[3] == 0
    refusals.accept(replace(first, steps=frozenset({2, 5_002})))
    assert len(refusals.left) == LEFT_KEPT - 1  # of one of them no edit is left
    assert refusals.left_like("other(line)", edits)[2] == 0


def test_what_was_refused_and_made_all_the_same_counts_against_no_edit() -> None:
    view, history = edited(2)
    offer = search(history).elsewhere(view)
    assert offer is not None
    refusals = Refusals()
    refusals.add(offer)
    refusals.add(replace(offer, old="other(1)", new="other(2)"))
    refusals.made(offer.old, offer.new)
    once = refusals.lowered(0.9, offer.steps)
    assert refusals.lowered(0.9, []) > once
    refusals.made("other(1)", "other(2)")
    assert refusals.lowered(0.9, offer.steps) == 0.9 > once
    assert not refusals.refused(offer.old, offer.new)


def test_of_thousands_that_were_refused_the_newest_stay_refused() -> None:
    refusals = Refusals()
    offer = Offer("a.py", 0, "line(0)", "text(0)", 0.9, 0.0, (), frozenset({1}), True)
    for n in range(3 * REFUSED_KEPT):
        refusals.add(replace(offer, old=f"line({n})", new=f"text({n})", steps=frozenset({n})))
        refusals.add(offer)  # again and again
    assert len(refusals.texts) == len(refusals.steps) == REFUSED_KEPT
    assert refusals.refused("line(0)", "text(0)")
    assert refusals.refused(f"line({3 * REFUSED_KEPT - 1})", f"text({3 * REFUSED_KEPT - 1})")
    assert not refusals.refused("line(1)", "text(1)")
    assert refusals.lowered(0.9, [3 * REFUSED_KEPT - 1]) < refusals.lowered(0.9, [1]) == 0.9


def test_what_was_left_alone_does_not_count_where_a_name_tells_the_places_apart() -> None:
    edits = ["  public Number getAsNumber() {", "  public String getAsString() {"]
    others = [f"  public boolean is{name}() {{" for name in ("Number", "Empty", "Null")]
    history = [taught("A.java", n, n, old, old.replace("public", "public final")) for n, old in enumerate(edits)]
    like = "  public Decimal getAsDecimal() {"
    lines = [*(one.lesson.new_text for one in history), *others, like, "  public boolean isString() {"]
    view, refusals = View("A.java", "\n".join(lines), frozenset({0, 1})), Refusals()
    for line in range(2, 5):
        offer = search(history, refusals).here(view, line)
        if offer is not None:
            refusals.leave(offer)
    assert refusals.left
    found = search(history, refusals).here(view, 5)
    assert found is not None
    assert found.new == like.replace("public", "public final")
    assert search(history, refusals).here(view, 6) is None
    assert search(history).here(view, 6) is not None


def test_what_was_left_alone_stays_so_when_an_offer_is_accepted_where_something_tells_the_places_apart() -> None:
    edits = [f'    $uri = new Uri("http://{name}");' for name in ("a", "b", "c")]
    without = "    $uri = new Uri();"
    history = [taught("A.php", n, n, old, old.replace("new Uri", "Uri::parse")) for n, old in enumerate(edits)]
    lines = [*(one.lesson.new_text for one in history), *["    $x = 1;", edits[0], without] * 6]
    view, refusals = View("A.php", "\n".join(lines), frozenset(range(3))), Refusals()
    offered = []
    for line in range(3, len(lines)):
        offer = search(history, refusals).here(view, line)
        if offer is not None and offer.old == without:
            offered.append(line)
            refusals.leave(offer)
        elif offer is not None:
            refusals.accept(offer)
    assert len(offered) < 4
    assert offered[-1] < len(lines) - 4
    assert search(history, refusals).here(view, len(lines) - 2) is not None
    refusals.made(without, "    $uri = Uri::parse();")
    assert search(history, refusals).here(view, len(lines) - 1) is not None
    assert len(refusals.apart) + len(refusals.left) <= LEFT_KEPT


def test_of_thousands_told_apart_the_newest_are_kept() -> None:
    refusals = Refusals()
    edited = ("f(a, x)", "f(b, x)")
    offer = Offer("a.py", 0, "f(c, x)", "g(c, x)", 0.9, 0.0, (), frozenset({1}), True, edited=edited)
    for n in range(3 * LEFT_KEPT):
        refusals.leave(replace(offer, old=f"note({n})"))
        refusals.accept(offer)
    assert len(refusals.apart) == LEFT_KEPT
    assert refusals.left_like("note(0)", edited)[1] == LEFT_KEPT
    assert not refusals.left_like("f(d, x)", edited)


OTHERS = {
    "b.go": 'package b\n\nimport (\n\t"io/ioutil"\n\t"os"\n)\n\nfunc TestB(t *testing.T) {\n\trun(2)\n}\n',
    "c.go": "package c\n\nfunc TestC(t *testing.T) {\n\tlog.Debug(two, 3)\n\trun(3)\n}\n",
    "d.go": "package d\n\nvar ioutils, debug = 1, 2\n",
}


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ('\t"io/ioutil"', (), {"b.go": [(3, GONE)]}),
        ("\tlog.Debug(one)", (), {"c.go": [(3, GONE)]}),
        (
            "func TestA(t *testing.T) {",
            ("func TestA(t *testing.T) {", "\tt.Parallel()"),
            {
                "b.go": [(7, "func TestB(t *testing.T) {\n\tt.Parallel()")],
                "c.go": [(2, "func TestC(t *testing.T) {\n\tt.Parallel()")],
            },
        ),
    ],
    ids=["the same line deleted", "a like call deleted", "a line inserted"],
)
def test_all_places_in_other_files_hold_inserted_and_deleted_lines(
    tmp_path: Path, old: str, new: tuple[str, ...], wanted: dict[str, list[tuple[int, str]]]
) -> None:
    root = tmp_path / "repo"
    root.mkdir()
    for name, text in OTHERS.items():
        (root / name).write_text(text)
    index = updated(root, tmp_path / "data")
    edits = [
        PastEdit("a.go", 4 + 10 * n, n, (old,), new, ("package a", ""), ("\trun(1)", "}"))  # two places of one file
        for n in range(2)
    ]
    made = search(History().lines(tuple(edits)))
    found: dict[str, list[tuple[int, str]]] = {}
    for name in places.in_repository(index, made.history, lambda path: False):
        view = View.of(name, index.text(index.documents[name]), frozenset())
        offers = all_of_newest(made, view, OTHER_FILE, 0.2)
        listed = [(offer.line, offer.new) for offer in offers if not offer.new.startswith("\tt.")]
        if listed:
            found[name] = listed
    assert found == wanted
