"""What edits did to the same words is not done to others, and lines are not inserted next to the same ones."""

import pytest

from lsp_server.edits.changed_lines import stands_near
from lsp_server.edits.offered import Refusals
from lsp_server.edits.offers import Search
from lsp_server.edits.probability import shipped
from lsp_server.edits.proposals import Taught, proposals, taught
from lsp_server.edits.same_changes import done_otherwise
from lsp_server.edits.views import View

URI = "file:///a"


def offered(edits: list[tuple[str, str]], others: list[str]) -> list[str | None]:
    """What is offered with the cursor at each of other lines, which stand below the edited ones."""
    history = [taught(URI, at, at, old, new) for at, (old, new) in enumerate(edits)]
    view = View(URI, "\n".join([*(new for _, new in edits), *others]), frozenset(range(len(edits))))
    search = Search(shipped(), history, Refusals())
    offers = (search.here(view, len(edits) + at) for at in range(len(others)))
    return [offer.new if offer is not None else None for offer in offers]


@pytest.mark.parametrize(
    ("edits", "others", "wanted"),
    [
        pytest.param(
            [
                ('<div class="box">', '<div className="box">'),
                ('  <span class="a">{b}</span>', '  <span className="a">{b}</span>'),
            ],
            ["  <Input value={x} />", "  <p class={styles.text}>"],
            [None, "  <p className={styles.text}>"],
            id="a name of which a part came",
        ),
        pytest.param(
            [("  count_q  <= 0;", "  count_q  <= '0;"), ("  addr_q   <= 0;", "  addr_q   <= '0;")],
            ["  data_q   <= 0;", "  state_q  <= IDLE;", "  count_q  <= count_d;", "  valid_q  <= 1'b0;"],
            ["  data_q   <= '0;", None, None, None],
            id="a sign next to a number",
        ),
        pytest.param(
            [
                ("  v.push_back(Point(1, 2));", "  v.emplace_back(1, 2);"),
                ("  v.push_back(Point(x, y));", "  v.emplace_back(x, y);"),
            ],
            ["  w.push_back(p);", "  v.push_back(Point(0, h));"],
            [None, "  v.emplace_back(0, h);"],
            id="a call that held another call",
        ),
        pytest.param(
            [
                ("  virtual void run();", "  void run() override;"),
                ("  virtual int size() const;", "  int size() const override;"),
            ],
            ["  void plain();", "  virtual void stop(int code);"],
            [None, "  void stop(int code) override;"],
            id="a word that goes",
        ),
        pytest.param(
            [('  type    = "string"', "  type    = string"), ('  type = "string"', "  type = string")],
            ['variable "zone" {', '  default = "a"', '  type    = "string"'],
            [None, None, "  type    = string"],
            id="quotes that go around one word",
        ),
        pytest.param(
            [("    return err", "    return wrap(err)"), ("        return err", "        return wrap(err)")],
            ["    return nil", "    return err"],
            [None, "    return wrap(err)"],
            id="a call around one word",
        ),
        pytest.param(
            [("    x: number;", "    readonly x: number;"), ("    y: number;", "    readonly y: number;")],
            ["    return moved;", "    const moved = {", "    z: number;"],
            [None, None, "    readonly z: number;"],
            id="a word before a name with a type",
        ),
        pytest.param(
            [("    double area() const;", "    double area() const override;")]
            + [("    std::string name() const;", "    std::string name() const override;")],
            ["    double r_;", "    virtual int size() const = 0;", "    int edges() const;"],
            [None, None, "    int edges() const override;"],
            id="a word behind a method",
        ),
        pytest.param(
            [("  id,", "  o.id,"), ("  total,", "  o.total,")],
            ["FROM orders o", "  created_at,"],
            [None, "  o.created_at,"],
            id="a name before columns",
        ),
        pytest.param(
            [
                ("A extends Array,", "A extends Array<State>,"),
                ("<B extends Array, R>(", "<B extends Array<State>, R>("),
            ],
            ["c: Combine<Inputs, R>,", "D extends Array,"],
            [None, "D extends Array<State>,"],
            id="what is attached to a name",
        ),
        pytest.param(
            [("    if (a == NULL)", "    if (!a)"), ("    if (b->next == NULL)", "    if (!b->next)")],
            ["    if (a->next == NULL && b->next == NULL)", "    if (a->key == NULL)"],
            [None, "    if (!a->key)"],
            id="one of two comparisons",
        ),
        pytest.param(
            [('show("a {}".format(x.a))', 'show(f"a {x.a}")'), ('show("b {}".format(y.b))', 'show(f"b {y.b}")')],
            ['show("c {} {}".format(z.c, z.d))', 'show("d {}".format(z.d))'],
            [None, 'show(f"d {z.d}")'],
            id="two arguments in place of one",
        ),
        pytest.param(
            [("  PORT: 80", '  PORT: "80"'), ("  WORKERS: 4", '  WORKERS: "4"')],
            ["env:", "  RETRIES: 3"],
            [None, '  RETRIES: "3"'],
            id="quotes around nothing",
        ),
    ],
)
def test_what_edits_did_to_the_same_words_is_not_done_to_others(
    edits: list[tuple[str, str]], others: list[str], wanted: list[str | None]
) -> None:
    assert offered(edits, others) == wanted


@pytest.mark.parametrize(
    ("edits", "other", "wanted"),
    [
        pytest.param(
            [("user_name = a", "login_name = a"), ("b(user_name)", "b(login_name)")],
            "class UserName:",
            "class LoginName:",
            id="another spelling",
        ),
        pytest.param(
            [("x = load(a, True)", "x = load(a)"), ("y = load(b, True)", "y = load(b)")],
            "z = load(c, False)",
            "z = load(c)",
            id="an argument of a call",
        ),
        pytest.param(
            [("f(x: Optional[str])", "f(x: str | None)"), ("g(y: Optional[int])", "g(y: int | None)")],
            "h(z: Optional[bytes]) -> Optional[str]",
            "h(z: bytes | None) -> str | None",
            id="a word that goes twice",
        ),
        pytest.param(
            [("  if (ready) {", "  if (!ready) {"), ("  if (done) {", "  if (!done) {")],
            "  if (empty) {",
            "  if (!empty) {",
            id="a sign before several names",
        ),
    ],
)
def test_what_other_edits_say_of_other_words_stays(edits: list[tuple[str, str]], other: str, wanted: str) -> None:
    history = [taught(URI, n, n, *one) for n, one in enumerate(edits)]
    evidence = proposals(other, history)[wanted]
    assert not done_otherwise(evidence, [history[-1 - age] for age in evidence.edits], other, wanted)


INSTANCE = [
    "  fifo u_{name} (",
    "    .clk_i  (clk),",
    "    .data_i ({name}_data),",
    "    .full_o ({name}_full)",
    "  );",
]


def test_lines_are_not_inserted_next_to_the_same_ones() -> None:
    come = "    .test_i (test),"
    lines: list[str] = []
    history: list[Taught] = []
    for step, name in enumerate(("cmd", "rsp", "err")):
        lines += [line.format(name=name) for line in INSTANCE]
        if step < 2:
            above = len(lines) - 4
            lines.insert(above + 1, come)
            clock, data = lines[above], lines[above + 2]
            history.append(taught(URI, above, step, clock, f"{clock}\n{come}"))
            history.append(taught(URI, above + 2, step, data, f"{come}\n{data}"))
    edited = frozenset(at for at, line in enumerate(lines) if line == come)
    view = View(URI, "\n".join(lines), edited)
    search = Search(shipped(), history, Refusals())
    third = lines.index("  fifo u_err (")
    assert search.here(view, third + 1) is not None
    assert [search.here(view, at) for at in range(third) if at not in edited] == [None] * (third - 2)


def test_lines_are_inserted_once_in_a_block() -> None:
    come = "    t.Parallel()"
    lines = ["func TestA() {", come, "    a := 1", "    b := 2", "    c := 3", "    d := 4", "    check(a, b)", "}", ""]
    lines += ["func TestB() {", "    e := 5", "    check(e)", "}"]
    for at in range(2, 7):
        assert stands_near(f"{lines[at]}\n{come}", lines, at)
        assert stands_near(f"{come}\n{lines[at]}", lines, at)
    assert not stands_near(f"{lines[9]}\n{come}", lines, 9)
    assert not stands_near(f"{come}\n{lines[10]}", lines, 10)
    methods = ["  [A]", *[line for name in "fgh" for line in (f"  int {name}() {{", "    x();", "    y();", "  }")]]
    assert not stands_near(f"  [A]\n{methods[9]}", methods, 9)
    twice = [*lines[:5], come, *lines[5:]]
    assert not stands_near(f"{twice[7]}\n{come}", [*twice[:7], *["    f()"] * 5, *twice[7:]], 12)


def test_words_and_lines_stay_in_blocks_of_one_kind() -> None:
    lines = [
        "export interface Point {",
        "  x: number;",
        "  y: number;",
        "}",
        "",
        "const start = {",
        "  x: zero,",
    ]
    lines += ["};", "", "export interface Line {", "  z: number;", "}"]
    history = []
    for step, at in enumerate((1, 2)):
        history.append(taught(URI, at, step, lines[at], lines[at].replace("  ", "  readonly ")))
        lines[at] = history[-1].lesson.new_text
    search = Search(shipped(), history, Refusals())
    view = View(URI, "\n".join(lines), frozenset({1, 2}))
    assert search.here(view, 6) is None
    other = search.here(view, 10)
    assert other is not None and other.new == "  readonly z: number;"


def test_a_check_behind_each_statement_may_stand_next_to_another() -> None:
    check = ["    if (failed)", "        return -1;"]
    lines = ["    a = first(x);", *check, "    b = second(x);", *check, "    c = third(x);", "    return a + b + c;"]
    assert not stands_near("\n".join([lines[6], *check]), lines, 6)
    assert stands_near("\n".join([lines[7], *check]), [*lines[3:7], "    d = c;", lines[7]], 5)
