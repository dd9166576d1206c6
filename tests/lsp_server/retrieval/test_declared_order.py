"""The next row in the order of a list that stands elsewhere in the document."""

import math
from itertools import pairwise

import numpy as np
import pytest

from indexer.text.lines import leading_blanks
from lsp_server.retrieval.cursor import LexedText, LineContext
from lsp_server.retrieval.declared_order import listed_row
from lsp_server.retrieval.gate import made_likely
from lsp_server.retrieval.matches import ExpectedRow
from lsp_server.retrieval.word_tree import WordTree

CONSTRUCTOR = """\
class Customer {
  Customer(String name, List<String> addresses, String phone) {
"""
ENUMERATION = """\
enum Color { RED, GREEN, BLUE }
const char *name(Color color) {
  switch (color) {
"""
PORTS = """\
module first (
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic [3:0] data_i,
  output logic       done_o
);
module second;
  first i_first (
"""
FIELDS = """\
type User struct {
\tName string
\tAge int
\tFirstLetter string
}

func (u User) Print() {
"""


def next_row(above: str, below: str = "") -> ExpectedRow | None:
    """Return the row at the end of a text, whose last line is a row or the cursor's blanks."""
    lines = above.split("\n")
    blanks = lines[-1] if not lines[-1].strip() else leading_blanks(lines[-1])
    before = above if not lines[-1].strip() else above + "\n"
    before = before[: before.rfind("\n") + 1]
    return listed_row(LineContext(LexedText(before), LexedText(below)), blanks)


@pytest.mark.parametrize(
    ("above", "expected"),
    [
        (CONSTRUCTOR + "    this.name = name;", "this.addresses = addresses;"),
        (CONSTRUCTOR + "    this.name = name;\n    this.addresses = addresses;", "this.phone = phone;"),
        ("class A:\n    def __init__(self, one, two=None):\n        self._one = one", "self._two = two"),
        (
            ENUMERATION + '    case RED:\n      return "red";\n    case GREEN:\n      return "green";\n    ',
            "case BLUE:",
        ),
        (ENUMERATION + '    case RED: return "red";\n    case GREEN: return "green";', 'case BLUE: return "blue";'),
        ("enum { A, B, C } e;\ncase (e)\n  A: begin\n    x();\n  end\n  B: begin\n    x();\n  end\n  ", "C: begin"),
        (PORTS + "    .clk_i (clk_i),\n    .rst_ni (rst_ni),", ".data_i (data_i),"),
        (FIELDS + "\tfmt.Println(u.Name)\n\tfmt.Println(u.Age)", "fmt.Println(u.FirstLetter)"),
        # The type stands in the list: what else changes comes from there.
        ("f(a: Int, b: Text, c: Real)\n  val a: Int\n  val b: Text", "val c: Real"),
        # The last argument of a call has no comma where the list's last one has none.
        ("def f(one, two, last):\n  g(\n    one=one,\n    two=two,", "last=last"),
    ],
)
def test_the_next_row_uses_the_next_item(above: str, expected: str) -> None:
    found = next_row(above)
    assert found is not None
    assert found.text == expected


@pytest.mark.parametrize(
    "above",
    [
        CONSTRUCTOR + "    this.phone = phone;",  # not the first parameter
        CONSTRUCTOR + "    check(name);",  # one row that is no assignment
        PORTS + "    .clk_i (clk_i),\n    .done_o (done_o),",  # no neighbours in the list
        PORTS + "    .data_i (data_i),\n    .done_o (done_o)\n",  # the list ends
        "g(a, b, c)\ng(a, b, d)\nx.a()\nx.b()",  # two lists that do not agree
        FIELDS + "\tfmt.Println(u.Name)\n\n\tfmt.Println(u.Age)",  # rows that stand apart, and no blank line
        "a: X;\nb: Y;\nc: Z = 1;\n  a: X;\n  b: Y;",  # a copy of rows, the next of which has another form
        FIELDS + "\tput(1, u.Name)\n\tput(2, u.Age)",  # 1 and 2 may be widths, whose next one is 4
        # The end of the row's block comes first.
        "enum { A, B, C } e;\ncase (e)\n  A: begin\n    x();\n  end\n  B: begin\n    x();\n  ",
        "x = 1\ny = 2",
        "",
    ],
)
def test_rows_that_follow_no_list_have_no_next_one(above: str) -> None:
    assert next_row(above) is None


def test_a_row_that_stands_near_is_not_made_again() -> None:
    rows = FIELDS + "\tfmt.Println(u.Name)\n\tfmt.Println(u.Age)"
    assert next_row(rows, "\tfmt.Println(u.FirstLetter)\n") is None


def test_a_row_whose_predecessor_the_rule_made_too_is_surer() -> None:
    sure = next_row(PORTS + "    .clk_i (clk_i),\n    .rst_ni (rst_ni),\n    .data_i (data_i),")
    first = next_row(PORTS + "    .clk_i (clk_i),\n    .rst_ni (rst_ni),")
    assert sure is not None and first is not None
    assert sure.probability > first.probability


def test_a_text_becomes_as_likely_as_wanted_and_its_rivals_less() -> None:
    tree = WordTree()
    one, other = tree.add(0, "one", 0), tree.add(0, "other", 1)
    end = tree.add(one, "", 0)
    words = np.array([0.0, 0.2, 0.7, 0.6])
    now = made_likely(tree, words, "one", 0.9, ends=True)
    assert math.isclose(now[one] * now[end], 0.9)
    assert now[other] < 0.1 and now[one] + now[other] <= 1
    assert all(a <= b for a, b in pairwise(sorted(now[[one, end]])))
    assert (made_likely(tree, now, "one", 0.8, ends=True) == now).all()
    assert (made_likely(tree, words, "missing", 0.9, ends=True) == words).all()
