"""What two edits have in common, and what that says of other lines."""

import pytest

from lsp_server.edits.changed_lines import GONE
from lsp_server.edits.features import ELSEWHERE, HERE
from lsp_server.edits.joint import LONGEST_HOLE, joint, joints
from lsp_server.edits.lessons import lesson
from lsp_server.edits.offered import Refusals
from lsp_server.edits.offers import Search
from lsp_server.edits.patterns import Patterns, misfit, renames_alone
from lsp_server.edits.probability import shipped
from lsp_server.edits.proposals import Evidence, Taught, taught
from lsp_server.edits.thresholds import Level
from lsp_server.edits.views import View

Change = tuple[str, str]


def made(first: Change, second: Change, line: str) -> str | None:
    found = joint(lesson(*first), lesson(*second))
    return found.apply(line) if found is not None else None


@pytest.mark.parametrize(
    ("first", "second", "line", "wanted"),
    [
        (
            ("  assertEquals(1, size(a));", "  assertThat(size(a)).isEqualTo(1);"),
            ("  assertEquals(limit(3), size(b, c));", "  assertThat(size(b, c)).isEqualTo(limit(3));"),
            '    assertEquals("x", size(d.e()));',
            '    assertThat(size(d.e())).isEqualTo("x");',
        ),
        (
            ("log.debug(one)", GONE),
            ("log.warn(two, three)", GONE),
            "    log.error(exception, '{}')",
            GONE,
        ),
        (
            ("  type = bool", "  type = bool\n  nullable = false"),
            ("  type = string", "  type = string\n  nullable = false"),
            "    type = number",
            "    type = number\n    nullable = false",
        ),
        (
            ('name = "user_id" + key', "name = user_key"),
            ('name = "team_id" + key', "name = team_key"),
            'name = "role_id" + key',
            "name = role_key",
        ),
        (
            ("v_a     timestamptz;", "v_a     timestamp;"),
            ("v_long  timestamptz;", "v_long  timestamp;"),
            "v_other_one      timestamptz;",
            "v_other_one      timestamp;",
        ),
        (("echo(a, a)", "echo(a)"), ("echo(b, b)", "echo(b)"), "echo(c, c)", "echo(c)"),
        (
            ("cfg.AddOpenKey(typeof(First<>));", "cfg.AddKey(typeof(First<>), Scoped);"),
            ("cfg.AddOpenPair(typeof(Next<,>));", "cfg.AddPair(typeof(Next<,>), Scoped);"),
            "cfg.AddOpenStream(typeof(Other<,>));",
            "cfg.AddStream(typeof(Other<,>), Scoped);",
        ),
        (("run(x)", "run(x, y)"), ("run()", "run(, y)"), "run(z)", "run(z, y)"),
    ],
)
def test_what_differs_between_two_edits_is_a_hole(first: Change, second: Change, line: str, wanted: str) -> None:
    assert made(first, second, line) == wanted
    assert made(second, first, line) == wanted


@pytest.mark.parametrize(
    ("first", "second", "line"),
    [
        (
            ("public int getSize() {", "public final int getSize() {"),
            ("public String getName() {", "public final String getName() {"),
            "public int count;",
        ),
        (("echo(a, a)", "echo(a)"), ("echo(b, b)", "echo(b)"), "echo(c, d)"),
        (("f(a[0])", "g(a[0])"), ("f(b[1], 2)", "g(b[1], 2)"), "f(a])"),
        (("set(a, 1)", "set(a, 10)"), ("set(b, 2)", "set(b, 20)"), "set(c, 3)"),  # not taken over from any hole
        (("a = 1", "a = 1\nb = 2"), ("c(d)", "c(d)\ne = 2"), "a = 1"),
        (("x = f(y)", GONE), ("x = f(z)", "x = g(z)"), "x = f(w)"),
    ],
)
def test_lines_without_what_both_edits_have_do_not_fit(first: Change, second: Change, line: str) -> None:
    assert made(first, second, line) is None


def test_a_pattern_that_another_edit_contradicts_is_left_out() -> None:
    edits = [("f(a)", "g(a)"), ("f(b)", "g(b)"), ("f(c)", "h(c)")]
    assert joints(tuple(lesson(*edit) for edit in edits)) == []
    ((_, right),) = joints(tuple(lesson(*edit) for edit in [*edits[:2], ("f(c)", "g(c)")]))
    assert right == (0, 1, 2)


def test_a_hole_takes_no_more_than_a_few_tokens() -> None:
    found = joint(lesson("sum(a + b)", "add(a + b)"), lesson("sum(c + d(1))", "add(c + d(1))"))
    assert found is not None
    assert found.apply("sum(x + y * z)") == "add(x + y * z)"
    assert found.apply("sum(x * y + z)") is None  # a name in both
    assert found.apply(f"sum(x + {'-'.join(['x'] * LONGEST_HOLE)})") is None


def test_the_deleted_calls_of_one_object_tell_of_its_other_methods() -> None:
    lines = ["begin()", 'log.error("{} {}", one, two)', "return one"]
    gone = ['log.debug("{}", one)', 'log.debug("at {}", one, two)', 'log.warn("no {}", two)']
    history = [taught("a.py", 0, n, old, GONE) for n, old in enumerate(gone)]
    assert Patterns(history).lines(View("a.py", "\n".join(lines)), 0) == {1}
    itself = [taught("a.py", 0, n, old.replace("log", "self"), GONE) for n, old in enumerate(gone)]
    assert not Patterns(itself[1:]).lines(View("a.py", "\n".join(lines).replace("log", "self")), 0)
    offer = Search(shipped(), history, Refusals()).here(View("a.py", "\n".join(lines)), 1)
    assert offer is not None
    assert offer.new == GONE


def test_where_three_edits_have_more_in_common_than_a_line_it_has_to_be_more_probable() -> None:
    olds = [f"  public {kind} get{kind}() {{" for kind in ("Size", "Name", "Key")]
    edits = tuple(lesson(old, old.replace("public", "public final")) for old in olds)
    field, method = "  public Size size;", "  public Time getTime() {"
    assert misfit(field, field.replace("public", "public final"), edits) == 3
    assert misfit(method, method.replace("public", "public final"), edits) == 0
    thresholds = [(0.75, 0.3)] * 4
    assert Level(int(HERE), True, common=-3).least(thresholds) > Level(int(HERE), True, common=-2).least(thresholds)
    assert Level(int(ELSEWHERE), True, common=2).least(thresholds) > Level(1, True, common=3).least(thresholds)


def test_what_the_newest_edits_share_by_chance_does_not_speak_against_a_line() -> None:
    names = ("addr", "count", "last", "cmd_tag", "cmd_id", "cmd_user", "cmd_dest")
    olds = [f"reg {name} = start({name}, {name});" for name in names]
    edits = tuple(lesson(old, old.replace("reg", "logic")) for old in reversed(olds))
    odd = "reg [3:0] state = other(state);"
    assert misfit(odd, odd.replace("reg", "logic"), edits[:3]) == 3
    older = lesson("reg mode = 0;", "logic mode = 0;")
    assert misfit(odd, odd.replace("reg", "logic"), (*edits, older)) == 0


def test_an_end_of_a_name_that_stays_is_no_condition() -> None:
    edits = ("reg cmd_tag_reg, cmd_tag_next;", "reg cmd_id_reg, cmd_id_next;")
    new = [edit.replace("_reg", "_q").replace("_next", "_d").replace("reg ", "logic ") for edit in edits]
    assert (
        made((edits[0], new[0]), (edits[1], new[1]), "reg a_valid_reg, a_valid_next;") == "logic a_valid_q, a_valid_d;"
    )


def test_a_text_that_only_brings_words_needs_the_names_that_three_edits_share() -> None:
    olds = ["  fun <T> of(): T {", "  fun named(name: String): Key {", "  fun <T : Any> all(one: T, two: T): List<T> {"]
    edits = tuple(lesson(old, old.replace("fun", "public fun")) for old in olds)
    inner, other = "    return one(two)", "  fun none(key: Key): Boolean {"
    assert misfit(inner, "    public return one(two)", edits) == 3
    assert misfit(other, other.replace("fun", "public fun"), edits) == 0
    olds = ["log.one(x, two)", "if (log) return one;", "one = other + log;"]
    renamed = tuple(lesson(old, old.replace("log", "tell")) for old in olds)
    assert misfit("x = log(2)", "x = tell(2)", renamed) == 0, "what goes tells the place"


def test_words_behind_assignments_need_a_sign_of_one() -> None:
    olds = ["out <= '1';", "last <= in_last;", "data <= in_data;"]
    edits = tuple(lesson(old, old.replace(";", " after 1 ns;")) for old in olds)
    assert misfit("end if;", "end if after 1 ns;", edits) == 3
    assert misfit("valid <= in_valid;", "valid <= in_valid after 1 ns;", edits) == 0


def test_renamed_names_may_stand_in_anything() -> None:
    imports = [(f"import a.b.job_{name};", f"import a.b.post_{name};") for name in ("title", "start", "end", "note")]
    edits = tuple(lesson(*edit) for edit in imports)
    use, used = "that(plan.get()).is(job_title);", "that(plan.get()).is(post_title);"
    assert renames_alone(use, used, edits)
    assert not renames_alone("add(job_title, job_end)", "add(post_title, job_end)", edits), "half of the names"
    assert not renames_alone("of(job_other);", "of(post_other);", edits), "no edit replaced this name"
    assert not renames_alone("of(job_title)", "of(post_title);", edits)
    same = tuple(lesson(f"import old.{name};", f"import new.{name};") for name in ("a", "b", "c"))
    assert not renames_alone("of(old.d.e);", "of(new.d.e);", same), "all edits replaced the same name"
    history = [taught("A.java", n, n, *edit) for n, edit in enumerate(imports)]
    lines = [*(new for _, new in imports), *["other();"] * 9, use]
    offer = Search(shipped(), history, Refusals()).here(View("A.java", "\n".join(lines), frozenset(range(4))), 13)
    assert offer is not None and offer.new == used


def test_equal_edits_say_what_all_have_in_common_once_elsewhere() -> None:
    old, other = '  return errors.New("bad id");', '  return errors.New("no such name");'
    history = [taught("a.go", 4 * n, n, old, old.replace("errors.New", "status.of().Invalid")) for n in range(4)]
    lines = [line for n in range(4) for line in (history[n].lesson.new_text, "}", f"func f{n}() {{", "  a = 1")]
    view = View("a.go", "\n".join([*lines, other, "}"]), frozenset(range(0, 16, 4)))
    search = Search(shipped(), history, Refusals())
    found = next(one for one in search.places.everywhere(view, ELSEWHERE) if one.place.line == 16)
    text = other.replace("errors.New", "status.of().Invalid")
    assert search.level(view, found, text).common == 0
    here = search.places.candidates(view, search.places.place_at(view, 16))
    assert search.level(view, here, text).common == -4


def test_shapes_without_a_name_propose_nothing() -> None:
    edits: list[Taught] = [taught("a.v", n, n, f"a{n} <= b{n};", f"a{n} <= #1 b{n};") for n in range(3)]
    found: dict[str, Evidence] = {}
    Patterns(edits).add(found, "c <= d;")
    assert not found
    assert misfit("assign c = d;", "assign c = #1 d;", tuple(one.lesson for one in edits)) == 3


def test_lines_that_are_inserted_need_the_names_that_the_lines_next_to_them_share() -> None:
    lines = ["fn size(&self) -> u8 {", "fn is_empty(&self) -> bool {", "fn of(one: u8, other: u8) {", "fn none() {"]
    edits = tuple(lesson(line, f"#[inline]\n{line}") for line in lines)
    struct, function = "struct Builder(Vec<u8>);", "fn start(self, at: u8) -> Self {"
    assert misfit(struct, f"#[inline]\n{struct}", edits) == len(edits)
    assert misfit(function, f"#[inline]\n{function}", edits) == 0
