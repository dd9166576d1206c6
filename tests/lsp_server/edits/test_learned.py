"""The new form of a line that is about to be proposed, by the edits of a session."""

import pytest

from lsp_server.edits.learned import Learned
from lsp_server.edits.proposals import taught


def new_form(line: str, *edits: tuple[str, str]) -> str | None:
    return Learned(lambda: [taught("a", n, n, old, new) for n, (old, new) in enumerate(edits)]).new_form(line)


CASES = [
    (  # Python
        ("    pipe = Pipeline.from_crawler(first)", "    pipe = build_from_crawler(Pipeline, first)"),
        ("        self.two = Pipeline.from_crawler(second)", "        self.two = build_from_crawler(Pipeline, second)"),
        "    return Pipeline.from_crawler(third)",
        "    return build_from_crawler(Pipeline, third)",
    ),
    (  # Go
        ("\tlog.Printf(one)", "\tlogger.Infof(ctx, one)"),
        ("\tlog.Printf(two)", "\tlogger.Infof(ctx, two)"),
        "\t\tlog.Printf(three)",
        "\t\tlogger.Infof(ctx, three)",
    ),
    (  # Java
        ("  int a = values.length();", "  int a = values.size();"),
        ("  return values.length();", "  return values.size();"),
        "  while (n < values.length()) {",
        "  while (n < values.size()) {",
    ),
    (  # C
        ("  buf = malloc(n);", "  buf = xmalloc(n);"),
        ("  p = malloc(len + 1);", "  p = xmalloc(len + 1);"),
        "  return malloc(sizeof(x));",
        "  return xmalloc(sizeof(x));",
    ),
    (  # SystemVerilog
        ("    .clk_i (clk_i),", "    .clk_i (clk_gated),"),
        ("  .clk_i (clk_i),", "  .clk_i (clk_gated),"),
        "      .clk_i (clk_i),",
        "      .clk_i (clk_gated),",
    ),
    (  # TypeScript
        ("  const a = fetchAll(one)", "  const a = fetchAll(one, options)"),
        ("  const b = fetchAll(two)", "  const b = fetchAll(two, options)"),
        "  return fetchAll(pick(three))",
        "  return fetchAll(pick(three), options)",
    ),
]


@pytest.mark.parametrize(("one", "two", "line", "wanted"), CASES)
def test_two_like_edits_teach_the_new_form(one: tuple[str, str], two: tuple[str, str], line: str, wanted: str) -> None:
    assert new_form(line, one, two) == wanted
    assert new_form(line, one) is None, "a single edit teaches nothing yet"
    assert new_form(wanted, one, two) is None, "the new form stays as it is"
    assert new_form("unrelated = 1", one, two) is None


def test_edits_that_disagree_and_arguments_that_change_places_teach_nothing() -> None:
    assert new_form("x = load(p)", ("a = load(q)", "a = read(q)"), ("b = load(r)", "b = fetch(r)")) is None
    assert new_form("move(c, d)", ("move(a, b)", "move(b, a)"), ("move(e, f)", "move(f, e)")) is None


def test_what_is_taught_is_read_once_and_long_lines_are_left_alone() -> None:
    reads = []

    def read() -> list:
        reads.append(1)
        return [taught("a", n, n, f"x{n} = load(p)", f"x{n} = read(p)") for n in range(3)]

    learned = Learned(read)
    assert not reads
    assert learned.new_form("z = load(p)") == learned.new_form("z = load(p)") == "z = read(p)"
    assert learned.new_form("z = load(" + "p" * 1_000 + ")") is None
    assert len(reads) == 1
