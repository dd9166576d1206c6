"""What a declaration gets, and what its calls get then."""

import pytest

from lsp_server.edits.calls import call_rule
from lsp_server.edits.lessons import lesson
from lsp_server.edits.offered import Refusals
from lsp_server.edits.offers import Search
from lsp_server.edits.probability import shipped
from lsp_server.edits.proposals import taught
from lsp_server.edits.token_lines import parse
from lsp_server.edits.views import View


@pytest.mark.parametrize(
    ("old", "new", "other", "wanted"),
    [
        ("func (s *Store) load(id string) error {", "func (s *Store) load(ctx context.Context, id string) error {")
        + ("\terr := s.load(name(3))", "\terr := s.load(ctx, name(3))"),
        ("def save(path: str) -> None:", "def save(path: str, text: str) -> None:")
        + ("    self.save(where)", "    self.save(where, text)"),
        ("    static Parser of(Method m) {", "    static Parser of(Method m, Class<?> service) {")
        + ("        return Parser.of(method);", "        return Parser.of(method, service);"),
        ("  load(id: string) {", "  load(id: string, signal: AbortSignal) {")
        + ("    return this.load('me');", "    return this.load('me', signal);"),
        ("int copy(char *to);", "int copy(char *to, const char *from);")
        + ("    copy(buffer);", "    copy(buffer, from);"),
        ("function find(array $rows)", "function find(array $rows, string $key)")
        + ("$row = find($all);", "$row = find($all, $key);"),
        ("void refresh() {", "void refresh(int times) {") + ("    view.refresh();", "    view.refresh(times);"),
        # untyped, so that both get the same
        ("def load(path):", "def load(store, path):") + ("x = load(here)", "x = load(store, here)"),
        ("x = load(here)", "x = load(store, here)") + ("def load(path):", "def load(store, path):"),
        ("x = load(a)", "x = load(b, a)") + ("y = load(c + 1)", "y = load(b, c + 1)"),
    ],
)
def test_a_call_gets_the_name_of_the_parameter(old: str, new: str, other: str, wanted: str) -> None:
    rule = call_rule(parse(old), parse(new))
    assert rule is not None
    made = rule.apply(parse(other))
    assert made is not None and made[0] == wanted


@pytest.mark.parametrize(
    ("old", "new", "other"),
    [
        ("def save(path: str):", "def save(path: str, mode: int = 0):", "save(where)"),
        ("  load(id: string) {", "  load(id: string, signal?: AbortSignal) {", "this.load(id);"),
        ("x = load(here)", "x = load(store, here)", "def load(path: Path) -> str:"),
        ("load(method);", "load(service, method);", "Method<?> load(Method method) {"),
        ("def area(shape, x):", "def area(shape: Shape, x):", "print(area(box, 3))"),
    ],
)
def test_what_has_a_default_or_is_no_call_gets_nothing(old: str, new: str, other: str) -> None:
    effects = lesson(old, new).effects(other)
    assert not effects


def test_an_argument_stays_with_its_function() -> None:
    effects = lesson("return this.load('me');", "return this.load('me', signal);").effects(
        "return api.load(1).then(show);"
    )
    assert {effect.text for effect in effects} <= {
        "return api.load(1, signal).then(show);",
        "return api.load(1, signal).then(show, signal);",
    }


STORE = [
    "func (s *Store) load(id string) (*Item, error) {",
    "\treturn s.find(id)",
    "}",
    "",
    "func (s *Store) First(ctx context.Context) (*Item, error) {",
    '\treturn s.load("first")',
    "}",
    "",
    "func (s *Store) Of(ctx context.Context, id string) *Item {",
    "\titem, _ := s.load(strings.ToLower(id))",
    "\treturn item",
    "}",
]


def test_a_declaration_and_a_call_agree() -> None:
    lines, history = list(STORE), []
    for step, (at, old, new) in enumerate(((0, "load(", "load(ctx context.Context, "), (5, "load(", "load(ctx, "))):
        lines[at] = STORE[at].replace(old, new)
        history.append(taught("file:///a.go", at, step, STORE[at], lines[at]))
    search = Search(shipped(), history, Refusals())
    here = search.here(View("file:///a.go", "\n".join(lines), frozenset({0, 5})), 9)
    assert here is not None and here.new == "\titem, _ := s.load(ctx, strings.ToLower(id))"
    assert here.steps == {0, 1}


PARAMETER = "fun load(id: String): User {", "fun load(id: String, fresh: Boolean): User {"
FIRST_CALL = '    val a = load("a")', '    val a = load("a", fresh = true)'


@pytest.mark.parametrize(
    ("declaration", "call", "other", "wanted"),
    [
        (PARAMETER, FIRST_CALL, "    show(load(name(key)))", "    show(load(name(key), fresh = true))"),
        (PARAMETER, FIRST_CALL, '    val b = reload("a")', None),
        (
            ("def fetch(url, retries=3):", "def fetch(url, retries=3, *, timeout):"),
            ('    return fetch("https://a")', '    return fetch("https://a", timeout=5)'),
            '    data = fetch(base + "/x", retries=1)',
            '    data = fetch(base + "/x", retries=1, timeout=5)',
        ),
        (
            ("string Label(string key)", "string Label(string key, string fallback)"),
            ('    title.Text = Label("title");', '    title.Text = Label("title", null);'),
            "    var end = Label(END);",
            "    var end = Label(END, null);",
        ),
        (
            ("func load(id string) error {", "func load(ctx context.Context, id string) error {"),
            ('\terr := load("a")', '\terr := load(ctx, "a")'),
            "func show(id string) error {",
            None,
        ),
    ],
)
def test_what_the_first_call_passes_for_a_new_parameter_the_others_get(
    declaration: tuple[str, str], call: tuple[str, str], other: str, wanted: str | None
) -> None:
    lines = [declaration[1], "", "", call[1], "", "", other]
    history = [taught("a", 0, 0, *declaration), taught("a", 3, 1, *call)]
    offer = Search(shipped(), history, Refusals()).here(View("a", "\n".join(lines), frozenset({0, 3})), 6)
    assert (offer.new if offer is not None else None) == wanted


@pytest.mark.parametrize(("steps", "offered"), [((0, 1), (8, "\tb, err := load(ctx, a)")), ((0, 0), None)])
def test_behind_the_first_call_the_next_one_is_offered_from_where_the_cursor_is(
    steps: tuple[int, int], offered: tuple[int, str] | None
) -> None:
    declaration = "func load(id string) error {", "func load(ctx context.Context, id string) error {"
    old, new = "\tuser, err := load(id)", "\tuser, err := load(ctx, id)"
    lines = [
        declaration[1],
        "}",
        "",
        "func show(id string) {",
        new,
        "}",
        "",
        "func both(a string) {",
        "\tb, err := load(a)",
    ]
    history = [taught("a", 0, steps[0], *declaration), taught("a", 4, steps[1], old, new)]
    offer = Search(shipped(), history, Refusals()).elsewhere(View("a", "\n".join(lines), frozenset({0, 4})), 4)
    assert (offer and (offer.line, offer.new)) == offered
