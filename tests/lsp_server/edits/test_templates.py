"""What a change says of like expressions whose parts differ."""

import pytest

from lsp_server.edits.columns import aligned
from lsp_server.edits.lessons import lesson
from lsp_server.edits.rules import rules_of
from lsp_server.edits.templates import template
from lsp_server.edits.token_lines import parse

KINDS = {
    "type wrapped, with brackets": (
        ("public User Load(int id)", "public async Task<User> Load(int id)"),
        ("public Dictionary<string, List<Mail>> LoadMail(string key)",),
        "public async Task<Dictionary<string, List<Mail>>> LoadMail(string key)",
    ),
    "generic type wrapped": (
        ("    public List<User> All()", "    public Task<List<User>> All()"),
        ("    public Mail LoadMail(string key)",),
        "    public Task<Mail> LoadMail(string key)",
    ),
    "call to another syntax": (
        ("filter(lambda x: x.ok, xs)", "[x for x in xs if x.ok]"),
        ("filter(lambda one: one.good(1, 2), self.all)",),
        "[one for one in self.all if one.good(1, 2)]",
    ),
    "several in a line": (
        ("x = { :name => 'a', :age => 3 }", "x = { name: 'a', age: 3 }"),
        ("y = { :key => f(k, 1), :to => t, :by => 'x' }",),
        "y = { key: f(k, 1), to: t, by: 'x' }",
    ),
    "name that stands twice": (
        ("String s = (String) map.get(k);", "String s = map.get(k, String.class);"),
        ("Integer n = (Integer) this.table.get(key);",),
        "Integer n = this.table.get(key, Integer.class);",
    ),
    "korean": (
        ("이름 = list(map(lambda 사람: 사람.이름, 사람들))", "이름 = [사람.이름 for 사람 in 사람들]"),
        ("값 = list(map(lambda 것: 것.값 + 1, 모두(표)))",),
        "값 = [것.값 + 1 for 것 in 모두(표)]",
    ),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_like_expression_changes_with_its_own_parts(name: str) -> None:
    (old, new), (line,), wanted = KINDS[name]
    made = template(parse(old), parse(new))
    assert made is not None
    again = made.apply(parse(old))
    assert again is not None and again[0] == new
    found = made.apply(parse(line))
    assert found is not None and found[0] == wanted
    assert made.apply(parse(new)) is None, "nothing is wrapped twice"


def test_a_change_without_a_part_that_stays_is_no_template() -> None:
    assert template(parse("a = b"), parse("a = c")) is None
    assert template(parse("f(a)"), parse("f(a, b)")) is None


def test_an_argument_that_is_missing_is_left_out() -> None:
    change = lesson("equal(a, b)", "that(b).is(a)")
    assert change.call is not None
    assert change.call.apply(parse("equal(a,)")) is not None


def test_an_argument_that_is_repeated_needs_to_be_there() -> None:
    change = lesson("f(a, b)", "f(a, b, b)")
    assert change.call is not None
    assert change.call.apply(parse("f(x)")) is None
    assert change.call.apply(parse("f(x, y)")) == ("f(x, y, y)", 1)


def test_two_words_do_not_become_one() -> None:
    texts = {effect.text for effect in lesson("return;", "return null;").effects("\treturn ;")}
    assert not any("returnnull" in text for text in texts)


def test_tokens_inserted_several_times_are_inserted_at_all_places() -> None:
    rules = rules_of(parse("sw-all: sw-libs sw-headers"), parse("chs-sw-all: chs-sw-libs chs-sw-headers"))
    made = [rule.apply(parse(".PHONY: sw-clean sw-all")) for rule in rules]
    assert (".PHONY: chs-sw-clean chs-sw-all", 2) in made


ROWS = {
    "wider": (
        ('left    = "{{"', 'defaultLeft  = "{{"'),
        'right   = "}}"',
        'defaultRight   = "}}"',
        'defaultRight = "}}"',
    ),
    "narrower": (("b_in  = 1;", "c  = 1;"), "bb_in = 2;", "cc = 2;", None),
    "padded since": (("a_soc[2] = 0;", "a_s[2]   = 0;"), "a_soc[3] = 0;", "a_s[3] = 0;", "a_s[3]   = 0;"),
    "other columns": (("a    = 1;", "ab   = 1;"), "long_name = 2;", "longer_name = 2;", None),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_keeps_the_columns_of_the_row_next_to_it(name: str) -> None:
    (before, after), line, made, wanted = ROWS[name]
    assert aligned(parse(line), parse(made), (parse(before), parse(after))) == wanted
