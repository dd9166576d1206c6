"""Text of many languages as it is read: what looks like a mark in a string is none, and what opens a block opens one."""

import pytest

from lsp_server.fitting.marks import START, LineReader, rules_of
from tests.support.fitted_texts import fit

WHOLE = [
    ("clojure", '(def a "b (\n  c\\" [\n" \\" \\( "d")'),
    ("csharp", 'var a = @"<x y=""1"">\n  {0} (\n  </x>";\nvar b = $@"c:\\{d}\\";\nvar e = @"""f""" + @"\\";'),
    ("csharp", 'var a = $"""\n  { "b": (\n  """;'),
    ("dart", "const a = '''\n  { \"b\": (\n''';\nfinal c = r'\\' + r'''\n{''';\nvar d = '''e'f''';"),
    ("elixir", 'a = ~r/["\'(]/\nb = ~s(c "d" e) <> ~w[f {g]\nh = ~p"/i/#{j}"\nk = ?( + ?\\"\nl = ~H"""\n  <p>(\n"""'),
    ("erlang", '%% it\'s (\na() -> [$", $(, $%, "b {"]. % isn\'t'),
    ("fsharp", "let f (x: 'T) (y': 'a) = x :?> 'T // it's\nlet g = @\"\\\" (* it's ( *)\nlet ``it's (`` = (*) '('"),
    ("haskell", "isOpen c = c == '(' || c == '\"' || c == '\\''\nf' = g' x' '{' -- it's (\na --> b = (a, b)"),
    (
        "julia",
        "function f(x)\n    a = x[end] + x[end-1:end]\n    b = if a > 1\n        2\n    else\n        3\n    end\n"
        "    open(x) do io\n        print(io, '\"', a')\n    end\n    @inbounds for i in 1:2\n    end\nend\n"
        '@testset "a" begin\n    #= it ( =#\n    c = (for n in x; n; end; x)\nend\nabstract type T end',
    ),
    ("kotlin", 'val a = """b "c"""" + d\nval e = """\n  (\n"""'),
    ("php", "$a = 'b (\n  c {\n';\n$d = \"e's (\n  [\";"),
    ("powershell", "$a = @'\n it's (\n'@\n$b = \"c `\" ( $(f \"(\" 'd')\"\n$e = \"\\\"\n$g = 'h\n  ('\n<# it's #>"),
    ("r", "a <- \"b (\n  it's {\n\"\nd <- 'e \\' (\n'"),
    ("scala", 'val a = """b "c"""" + d\nval e = """\n  (\n"""'),
    ("sql", "SELECT 'it''s (', $1;\nSELECT 'a\n  (b ''c'' d\n', e;\nSELECT 'it\\'s (';\nSELECT ''; -- it's ("),
    ("swift", 'let a = """\n  it\'s (\n  """\nlet b = #"c " ("#'),
    (
        "vhdl",
        "context a is\n  library b ;\nend context a ;\nfunction c (D : e) return f is\n  alias g : h(1 to D'length) is D ;\n"
        'begin\nend function c ;\nattribute i of j [k]: procedure is "l" ;',
    ),
    ("yaml", "a: \"b (\n  it's {\"\nc: 'd [\n  ''e'' {\n  '\nf: users' guide\ng: don't"),
]


@pytest.mark.parametrize(("language", "text"), WHOLE)
def test_text_that_is_whole_leaves_nothing_open(language: str, text: str) -> None:
    reader, state = LineReader(rules_of(language)), START
    for number, line in enumerate(text.split("\n"), 1):
        state = reader.read(line, state)
        assert not state.faults, (number, line)
    assert (state.code, state.span, state.heredoc) == (None, -1, "")


OPEN = [
    ("csharp", 'var a = @"b ""c', '"'),
    ("dart", "var a = '''b", "'''"),
    ("r", "a <- 'b", "'"),
    ("sql", "SELECT 'a ''b", "'"),
    ("swift", 'let a = """', '"""'),
    ("yaml", "a: 'b ''c", "'"),
]


@pytest.mark.parametrize(("language", "line", "end"), OPEN)
def test_a_string_that_goes_on_has_an_end(language: str, line: str, end: str) -> None:
    rules = rules_of(language)
    state = LineReader(rules).read(line, START)
    assert state.span >= 0
    assert rules.end_of_span(state.span) == end
    assert LineReader(rules).read(end, state).span == -1


BLOCKS = [
    ("julia", "map(a) do b", "end"),
    ("julia", "a = begin", "end"),
    ("julia", "@inline function a()", "end"),
    ("julia", "@inline Base.@propagate_inbounds function a()", "end"),
    ("julia", "@test get!(a, 1) do  # b", "end == 2"),
    ("vhdl", "context a is", "end context a;"),
]


@pytest.mark.parametrize(("language", "head", "end"), BLOCKS)
def test_a_block_is_open_up_to_its_end(language: str, head: str, end: str) -> None:
    reader = LineReader(rules_of(language))
    state = reader.read(head, START)
    assert state.code is not None
    assert reader.read(end, state).code is None


@pytest.mark.parametrize(
    ("path", "text", "rest"),
    [
        ("a.rb", 'puts "a‸\nputs "b"\n', ' c"'),
        ("a.rb", "puts 'a‸\nputs 'b'\n", " c'"),
        ("a.yml", 'a: "b‸\nc: "d"\n', ' e"'),
        ("a.yml", "a: 'b‸\nc: 'd'\n", " e'"),
        ("a.sql", "SELECT 'a‸\nSELECT 'b';\n", " c';"),
        ("a.R", 'a <- "b‸\nc <- "d"\n', ' e"'),
        ("A.cs", 'class A\n{\n    string b = @"c‸\n    string d = "e";\n}\n', ' f";'),
    ],
)
def test_a_string_that_is_half_typed_is_ended_though_others_stand_below(path: str, text: str, rest: str) -> None:
    assert fit(path, text, rest) == rest
