"""What one edit makes of another line, rule by rule."""

import random
from difflib import SequenceMatcher

import pytest

from lsp_server.edits.alignment import operations
from lsp_server.edits.changed_lines import GONE, anchored, changed_blocks
from lsp_server.edits.proposals import proposals, taught
from lsp_server.edits.titles import title_of
from lsp_server.edits.token_lines import parse, render


def made_of(line: str, *edits: tuple[str, str]) -> set[str]:
    """Every text that the edits make of a line."""
    history = [taught("a", number, number, old, new) for number, (old, new) in enumerate(edits)]
    return set(proposals(line, history))


@pytest.mark.parametrize(
    ("old", "new", "line", "wanted"),
    [
        # a name, in any indentation and spacing
        ("    x = load(path)", "    x = read(path)", "\ty = load( other )", "\ty = read( other )"),
        # an argument added, removed, and moved, whatever the others are
        ("f(a)", "f(a, ctx)", "g(f(b[1], h(c)))", "g(f(b[1], h(c), ctx))"),
        ("f(ctx, a)", "f(a)", "f(ctx, h(b, c))", "f(h(b, c))"),
        ("  same(3, a.size());", "  that(a.size()).is(3);", "same(x, y[0]);", "that(y[0]).is(x);"),
        ("move(src, dst)", "move(dst, src)", "move(one(1), two)", "move(two, one(1))"),
        # a part of a name in another spelling
        ("user_name = 1", "login_name = 1", "const USER_NAME: UserName", "const LOGIN_NAME: LoginName"),
        # names that differ between the lines, also where the edit repeats them
        ("self.a = a", "self._a = a", "self.b = b", "self._b = b"),
        (".x20_in(),", ".x20_in(regs_i[20]),", ".x21_in(),", ".x21_in(regs_i[21]),"),
        # what stood before the tokens that go stands before those behind them, blanks or none
        ("y = fu.data.a;", "y = a;", "  {8{|fu.data.a[7]}},", "  {8{|a[7]}},"),
        ("f((fu.data.a));", "f((a));", "y = b >> fu.data.a;", "y = b >> a;"),
        ("s = find((const char*) path);", "s = find((char*) path);", "t = (int) const char(x);", "t = (int) char(x);"),
        # the begin and the end of a line
        ("  go(1);", "  await go(1);", "  stop(now, 2);", "  await stop(now, 2);"),
        # the next indentation
        ("    a = 1", "        a = 1", "    b = c.d()", "        b = c.d()"),
        # a table's column
        (
            "input  logic        a_i,",
            "input  logic            a_i,",
            "output logic        b_o,",
            "output logic            b_o,",
        ),
        # letters outside ASCII
        ("값 = 계산(하나)", "값 = 계산(하나, 세율)", "합 = 계산(둘)", "합 = 계산(둘, 세율)"),
        # a value in a column that is wrapped
        (
            'KeyFile:          "old/key",',
            'KeyFile:          slash("old/key"),',
            'CAFile:   "old/authority",',
            'CAFile:   slash("old/authority"),',
        ),
        # lines inserted below and above, at another indentation
        (
            "    user = find(id)",
            "    user = find(id)\n    if user is None:\n        return",
            "\tteam = find(name)",
            "\tteam = find(name)\n\tif team is None:\n\t    return",
        ),
        ("  run(a);", "  lock(a);\n  run(a);", "      run(b);", "      lock(b);\n      run(b);"),
        # a line deleted: the same one, and one that differs in a name
        ("    log.debug(x)", GONE, "  log.debug(x)", GONE),
        ("    log.debug(one)", GONE, "    log.debug(two)", GONE),
        # carriage returns stay
        ("a = old(b)", "a = new(b)", "c = old(d)\r", "c = new(d)\r"),
    ],
)
def test_an_edit_is_repeated_on_another_line(old: str, new: str, line: str, wanted: str) -> None:
    assert wanted in made_of(line, (old, new))


def test_renames_of_several_edits_are_made_together() -> None:
    found = made_of("use(red, blue)", ("a = red", "a = rot"), ("b = blue", "b = blau"))
    assert "use(rot, blau)" in found


def test_an_edit_proposes_nothing_where_it_says_nothing() -> None:
    assert made_of("while True:", ("value = old(b)", "value = new(b)")) == set()
    assert made_of("", ("value = old(b)", "value = new(b)")) == set()


def test_a_deleted_line_says_nothing_of_other_lines() -> None:
    assert made_of("    log.info(one, two)", ("    log.debug(one)", GONE)) == set()
    assert made_of("    return one", ("    log.debug(one)", GONE)) == set()


@pytest.mark.parametrize(
    ("old", "new", "blocks"),
    [
        (["a = 1"], ["a = 1", "b = 2"], [(0, 0, "a = 1", "a = 1\nb = 2")]),
        (["a = 1", "c"], ["a = 1", "b = 2", "c"], [(0, 0, "a = 1", "a = 1\nb = 2"), (1, 2, "c", "b = 2\nc")]),
        (["", "c"], ["", "b = 2", "c"], [(1, 2, "c", "b = 2\nc")]),
        (["a = 1", "}"], ["a = 1", "b = 2", "}"], [(0, 0, "a = 1", "a = 1\nb = 2")]),
        (["a", "    c"], ["a", "b", "    c"], [(0, 0, "a", "a\nb")]),
        (["a = 1"], ["b = 2", "a = 1"], [(0, 1, "a = 1", "b = 2\na = 1")]),
        (["a = 1"], ["if x:", "    a = 1"], [(0, 0, "a = 1", "if x:\n    a = 1")]),
        (["{", "c"], ["{", "b", "c"], [(0, 0, "{", "{\nb"), (1, 2, "c", "b\nc")]),
        (["}", "c"], ["}", "b", "c"], [(1, 2, "c", "b\nc")]),
        (["a", "c"], ["a", "}", "c"], [(0, 0, "a", "a\n}")]),
        (["a", "b", "c"], ["a", "c"], [(1, 1, "b", GONE)]),
        (["a", "", "c"], ["a", "c"], []),
        (["a"], ["b"], []),
        ([""], ["", "x"], []),
        (["    a"], ["    a", "b"], []),
        (["a"], ["a", *"bcdefg"], []),
    ],
)
def test_lines_that_were_inserted_or_deleted_are_a_block(
    old: list[str], new: list[str], blocks: list[tuple[int, int, str, str]]
) -> None:
    assert changed_blocks(old, new) == blocks


def test_a_bracket_alone_is_known_by_the_line_above() -> None:
    assert anchored("{", ["}", "int f(int d)"]) == "int f(int d)\n{"
    assert anchored("{", ["int f(int d)", "    __must_hold(d)", ")"]) == "    __must_hold(d)\n)\n{"
    assert anchored("{", ["f(", ")", ")"]) is None
    assert anchored("a = 1", ["b = 2"]) == "a = 1"


def test_what_a_call_has_already_is_not_inserted_again() -> None:
    edits = (("x = run(a, rate)", "x = run(a, rate, tax=0)"), ("y = run(b, rate)", "y = run(b, rate, tax=0)"))
    assert "z = run(c, rate, tax=0)" in made_of("z = run(c, rate)", *edits)
    assert not [text for text in made_of("z = run(c, rate, tax=0)", *edits) if text.count("tax") > 1]


def test_arguments_that_stay_keep_their_blanks() -> None:
    """They may be parts of a string."""
    made = made_of('run("e", "a,b")', ('run("c", "x")', 'run("c", "x", check=True)'))
    assert 'run("e", "a,b", check=True)' in made and not [text for text in made if "a, b" in text]


def test_arguments_that_get_names_are_named_in_other_calls() -> None:
    old, new = "check(f(n=>1), - 2 ** n);", "check(got=>f(n=>1), expected=>- 2 ** n);"
    wanted = "check(got=>clamp(low - 1), expected=>g(1, 2));"
    assert wanted in made_of("check(clamp(low - 1), g(1, 2));", (old, new))
    assert "check(one);" not in made_of("check(one)", (old, new))
    swapped = ("pair(a.b, c);", "pair(c.of(), a.b);")
    assert "pair(y.of(), x[0]);" not in made_of("pair(x[0], y);", ("pair(a.b, c);", "pair(d, a.b);"))
    assert "pair(y.of(), x[0]);" in made_of("pair(x[0], y);", swapped)


def test_an_argument_of_which_a_part_changed_replaces_no_other_argument() -> None:
    edit = (
        "expect((screen.getBy('box') as Input).value).be(1);",
        "expect((await screen.find('box') as Input).value).be(1);",
    )
    assert not made_of("expect((other as Input).checked).be(2);", edit)
    renamed = ("plan(old_title, start, end)", "plan(new_title, start, end)")
    assert "plan(new_title, first, last)" in made_of("plan(old_title, first, last)", renamed)
    assert not made_of("plan(other_title, first, last)", renamed)
    default = ("public Run(Token token = new())", "public Run(Token token = default)")
    assert "override Run(Token token = default)" in made_of("override Run(Token token = new Token())", default)
    constant = ("call(item, 1)", "call(item, null)")
    assert "call(other, null)" in made_of("call(other, 2)", constant)


def test_two_syllables_are_a_part_of_a_name_and_two_letters_are_not() -> None:
    assert "둘 = 값[채용_일정_메모]" in made_of("둘 = 값[취업_일정_메모]", ("f(취업_일정_제목)", "f(채용_일정_제목)"))
    assert not made_of("two = of[ab_plan_memo]", ("f(ab_plan_title)", "f(zz_plan_title)"))


def test_an_argument_is_inserted_next_to_one_like_it_if_an_edit_did_so() -> None:
    assert "g(b, nil, nil)" in made_of("g(b, nil)", ("g(a, nil)", "g(a, nil, nil)"))
    assert "g(b, nil, nil)" not in made_of("g(b, nil)", ("g(a)", "g(a, nil)"))


@pytest.mark.parametrize(
    ("old", "new", "title"),
    [
        (["  f(a)"], ["  f(a, b)"], "f(a) → f(a, b)"),
        (["x"], ["x", "y = 1"], "+ y = 1"),
        (["  gone()", "x"], ["x"], "- gone()"),
        (
            ["value = first_function_name(argument_number_one, argument_number_two, argument_three)"],
            ["value = first_function_name(argument_number_one, argument_number_two, argument_three, four)"],
            "…, argument_number_two, argument_three) → …, argument_number_two, argument_three, four)",
        ),
    ],
)
def test_the_title_of_an_edit_is_cut_between_tokens_around_what_changes(
    old: list[str], new: list[str], title: str
) -> None:
    assert title_of(old, new) == title


def test_parse_and_render_are_inverse() -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(500):
        text = "".join(
            rng.choice([" ", "\t", "a", "_b", "1", "(", ")", ",", "é", "값", "😀", "\u3000"]) for _ in range(20)
        )
        line = parse(text)
        assert render(line.indent, line.texts, line.spaces, line.tail) == text


@pytest.mark.parametrize(
    ("old", "new", "line", "unwanted"),
    [
        ("Handler get();", "Handler<?> get();", "Handler<?> make();", "Handler<?><?> make();"),
        ("x: int = 1", "x: int | None = 1", "y: int | None = 2", "y: int | None | None = 2"),
        ("load(path)", "load(ctx, path)", "load(ctx, name)", "load(ctx, ctx, name)"),
        ("let x = f();", "let mut x = f();", "let mut y = g();", "let mut mut y = g();"),
    ],
)
def test_what_stands_there_already_is_not_inserted_again(old: str, new: str, line: str, unwanted: str) -> None:
    assert unwanted not in made_of(line, (old, new))
    assert new in made_of(old, (old, new))


def test_a_single_sign_may_be_inserted_where_it_stands() -> None:
    assert "run(wrap(a(b)));" in made_of("run(a(b));", ("run(c);", "run(wrap(c));"))


def test_a_name_of_which_nothing_would_be_left_stays() -> None:
    """``xfoo`` became ``foo``; an empty token in the place of ``x`` ended the whole search."""
    assert "    _ = bar(b)" in made_of("    _ = xbar(b)", ("    _ = xfoo(a)", "    _ = foo(a)"))
    assert made_of("    _ = x(a)", ("    _ = xfoo(a)", "    _ = foo(a)")) == set()


def test_operations_are_those_of_difflib() -> None:
    chance = random.Random(20261127)
    for _ in range(3_000):
        names = "abcdefghijklmnopqrst"[: chance.choice((1, 2, 3, 5, 20))]
        old = [chance.choice(names) for _ in range(chance.randint(0, 25))]
        new = [name for name in old if chance.random() < 0.8] + [chance.choice(names)] * chance.randint(0, 2)
        if chance.random() < 0.5:
            new = [chance.choice(names) for _ in range(chance.randint(0, 25))]
        assert operations(old, new) == SequenceMatcher(None, old, new, autojunk=False).get_opcodes()


def test_rules_of_signs_alone_do_not_look_elsewhere() -> None:
    history = [taught("a", 0, 0, "total = compute(a)", "total = compute(a, 0)")]
    line = "if ready(b) and done(c):"
    assert "if ready(b, 0) and done(c, 0):" in proposals(line, history)
    assert not proposals(line, history, far=True)
    assert "x = compute(b, 0)" in proposals("x = compute(b)", history, far=True)


@pytest.mark.parametrize(
    ("old", "new", "line", "wanted"),
    [
        ("a = b", "a = (b)", "c = b", {"c = (b)"}),
        ("f(a)", "a", "x = f(g(c))", {"x = g(c)"}),
        ("call(x, 1);", "call(", "call(y, 1);", {"call("}),  # as the edit did
        ("print(a)", "log(a)", "print(b,", {"log(b,"}),  # as it was
    ],
)
def test_no_text_takes_a_partner_from_a_bracket_unless_the_edit_did(
    old: str, new: str, line: str, wanted: set[str]
) -> None:
    assert made_of(line, (old, new)) == wanted


@pytest.mark.parametrize(
    ("old", "new", "line", "wanted"),
    [
        ("public int size() {", "public final int size() {", "  // not final: this is public API", set()),
        ("public int size() {", "public final int size() {", "   * the public API", set()),
        ("x = total", "x = total, 0", "# the total", set()),
        ("log(a)", "log(a, b)", "# log(c)", {"# log(c, b)"}),  # code that is switched off
        ("x = total", "x = whole", "# the total", {"# the whole"}),
        ("# the total", "# the whole total", "# a total", {"# a whole total"}),
    ],
)
def test_edits_of_code_do_not_change_the_words_of_a_comment(old: str, new: str, line: str, wanted: set[str]) -> None:
    assert made_of(line, (old, new)) == wanted
