"""Changes of signs and numbers that go on from line to line, as they are offered elsewhere."""

import pytest

from lsp_server.edits.assignments import stand_otherwise
from lsp_server.edits.features import ELSEWHERE
from lsp_server.edits.history import History, PastEdit
from lsp_server.edits.listed import all_of_newest
from lsp_server.edits.offered import Offer, Refusals
from lsp_server.edits.offers import Search
from lsp_server.edits.probability import shipped
from lsp_server.edits.views import View

URI = "file:///a"

LINES = {
    "quotes": (
        """
        import { open } from 'files';
        import { get, put } from 'http';
        const said = "it's late", kept = 'a, b';
        run('one', "two", 'say "three"');
        // don't touch 'this'
        export default name;
        """,
        {
            0: 'import { open } from "files";',
            1: 'import { get, put } from "http";',
            2: 'const said = "it\'s late", kept = "a, b";',
            3: 'run("one", "two", \'say "three"\');',
        },
    ),
    "delay": (
        """
        always @(posedge clk) begin
          count <= next_count;
          state <= rst ? IDLE : after(state);
          if (a == b) valid = 1;
          if (count <= limit) level = 0;
          else level[1].top <= 0;
          data[3:0] <= bus;
        end
        """,
        {
            1: "  count <= #1 next_count;",
            2: "  state <= #1 rst ? IDLE : after(state);",
            5: "  else level[1].top <= #1 0;",
            6: "  data[3:0] <= #1 bus;",
        },
    ),
    "stricter comparison": (
        """
        if (kind == 'a') { first(); }
        const same = left.size == right.size;
        if (count >= 3 || more != less) { second(); }
        return found.length == 0 ? null : found;
        """,
        {
            0: "if (kind === 'a') { first(); }",
            1: "const same = left.size === right.size;",
            3: "return found.length === 0 ? null : found;",
        },
    ),
    "another negation": (
        """
        assign a = !busy & req;
        assign b = !full;
        assign c = x != y;
        assign d = en & !empty;
        """,
        {0: "assign a = ~busy & req;", 1: "assign b = ~full;", 3: "assign d = en & ~empty;"},
    ),
    "assignment that waits": (
        """
        if (valid) begin
          len_seen  = event.len;
          size_seen = event.size;
          done_seen = size_seen == 3;
          int others = 0;
          for (int i = 0; i < 4; i = i + 1)
            {last, first} = first;
          logic [3:0] more = 2;
          if (first == last) count = 0; else count = 1;
        end
        """,
        {
            1: "  len_seen  <= event.len;",
            2: "  size_seen <= event.size;",
            3: "  done_seen <= size_seen == 3;",
            6: "    {last, first} <= first;",
            8: "  if (first == last) count <= 0; else count <= 1;",
        },
    ),
    "numbers that go on": (
        """
        enum {
          FIRST,
          SECOND,

          OTHER_THINGS,
          LAST
        };
        """,
        {1: "  FIRST = 1,", 2: "  SECOND = 2,", 4: "  OTHER_THINGS = 3,"},
    ),
}


def after(text: list[str], made: dict[int, str], order: list[int]) -> Offer | None:
    """What is offered elsewhere after these lines were changed in this order."""
    now, edits = list(text), []
    for step, at in enumerate(order):
        around = tuple(now[max(0, at - 10) : at]), tuple(now[at + 1 : at + 11])
        edits.append(PastEdit(URI, at, step, (now[at],), (made[at],), *around))
        now[at] = made[at]
    view = View(URI, "\n".join(now), frozenset(order))
    return Search(shipped(), History().lines(tuple(edits)), Refusals()).elsewhere(view, order[-1])


def lines_of(text: str) -> list[str]:
    rows = text.strip("\n").split("\n")
    return [row[8:] for row in rows[:-1]]


@pytest.mark.parametrize("name", LINES)
def test_each_further_line_is_offered_in_turn_and_then_none(name: str) -> None:
    text, made = LINES[name]
    rows, order = lines_of(text), sorted(made)
    for count in range(2, len(order)):
        offer = after(rows, made, order[:count])
        assert offer is not None
        assert (offer.line, offer.new) == (order[count], made[order[count]])
    assert after(rows, made, order) is None


def test_the_way_up_goes_on_upwards() -> None:
    rows = ["f('a');", "g(b, 'c');", "return 'd';", "h(1);"]
    made = {2: 'return "d";', 1: 'g(b, "c");'}
    offer = after(rows, made, [2, 1])
    assert offer is not None
    assert (offer.line, offer.new) == (0, 'f("a");')


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("  int last = count;", None),
        ("  for (count = 0; count < 4; count = count + 1)", None),
        ("  if (count == 2) count = 0;", "  if (count == 2) count <= 0;"),
        ("  if (count == 2) count.low[1] = 0;", "  if (count == 2) count.low[1] <= 0;"),
        ("  box->count = 0;", "  box->count <= 0;"),
    ],
)
def test_at_the_cursor_an_assignment_changes_in_statements_alone(line: str, wanted: str | None) -> None:
    rows = ["  count = a;", "  count = b;", "  count = c;", line]
    edits = [PastEdit(URI, at, at, (rows[at],), (rows[at].replace("=", "<="),), (), ()) for at in range(3)]
    now = [row.replace("=", "<=") for row in rows[:3]]
    offer = Search(shipped(), History().lines(tuple(edits)), Refusals()).here(View(URI, "\n".join([*now, line])), 3)
    assert (offer.new if offer is not None else None) == wanted


def test_at_the_cursor_an_edit_of_a_comparison_changes_no_other_operator() -> None:
    rows = ["  if (one == null) begin", "  if (two != null) begin", "  if (a.b() == null) begin"]
    edits = [PastEdit(URI, at, at, (row,), (row.replace("= null", "== null"),), (), ()) for at, row in enumerate(rows)]
    lines = [*(row.replace("= null", "== null") for row in rows), "  phase end_state=null);", "  if (x != null) begin"]
    search = Search(shipped(), History().lines(tuple(edits)), Refusals())
    view = View(URI, "\n".join(lines), frozenset(range(3)))
    assert search.here(view, 3) is None
    offer = search.here(view, 4)
    assert offer is not None and offer.new == "  if (x !== null) begin"


@pytest.mark.parametrize(
    ("rows", "made"),
    [
        (["f('a');", "u('x');", "g(b, 'c');", "return 'd';"], {0: 'f("a");', 2: 'g(b, "c");'}),
        (["a = 1", "bb(2)", "c = 3"], {0: "# a = 1", 1: "# bb(2)"}),
        (["x(a.b);", "c.d = 1;", "e(f.g, 2);"], {0: "x(a->b);", 1: "c->d = 1;"}),
        (["return WIDE;", "return TALL;", "return DEEP;"], {0: "return 4;", 1: "return 6;"}),
        (["a  = b;", "cc = f(d);", "e  = g;"], {0: "a = b;", 1: "cc  = f(d);"}),
    ],
    ids=["a line between was left", "comments", "members of some objects", "numbers two apart", "blanks"],
)
def test_what_does_not_go_on_is_not_offered(rows: list[str], made: dict[int, str]) -> None:
    offer = after(rows, made, sorted(made))
    assert offer is None


def test_an_operator_goes_with_its_assignment() -> None:
    rows = ["  return a[0] + (a[1] << 8);", "  return b[0] + (b[1] << 8);", "  c[0] + (c[1] << 8);"]
    edits = [PastEdit(URI, at, at, (row,), (row.replace("+", "|"),), (), ()) for at, row in enumerate(rows)]
    lessons = [one.lesson for one in History().lines(tuple(edits))]
    assert not stand_otherwise(lessons, "  all += a[1] << 8;", "  all |= a[1] << 8;")
    assert stand_otherwise(lessons, "  all++;", "  all|+;")


@pytest.mark.parametrize("typed", [1, 2])
def test_all_places_of_a_change_of_quotes_are_listed(typed: int) -> None:
    rows = [f"f{n}('{n}');" if n % 3 else f'g{n}("it\'s {n}");' for n in range(200)]
    at = [1, 2][:typed]
    edits = [PastEdit(URI, n, n, (rows[n],), (rows[n].replace("'", '"'),), (), ()) for n in at]
    lines = [row.replace("'", '"') if n in at else row for n, row in enumerate(rows)]
    refusals = Refusals()
    refusals.take_back(rows[4], rows[4].replace("'", '"'))
    search = Search(shipped(), History().lines(tuple(edits)), refusals)
    listed = list(all_of_newest(search, View(URI, "\n".join(lines), frozenset(at)), ELSEWHERE, 0.2))
    made = {offer.line: offer.new for offer in listed}
    assert len(made) == len(listed)
    left = [n for n in range(200) if n % 3 and n not in at and n != 4]
    assert made == {n: rows[n].replace("'", '"') for n in left}
