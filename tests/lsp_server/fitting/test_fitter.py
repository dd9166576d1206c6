"""Texts of each language are fitted to a cursor: what is kept, what is cut and what is rejected."""

import pytest

from lsp_server.fitting.fitter import Fitter
from lsp_server.fitting.marks import START, LineReader, rules_of
from lsp_server.fitting.place import Fitted, Rejected
from lsp_server.types import Document


def fit(language: str, text: str, insert: str, *, whole: bool = True, automatic: bool = False) -> str | None:
    """The document after the accept of a text at the mark ‸; None where it is rejected."""
    offset = text.index("‸")
    document = Document("file:///x", "x", language, 1, text.replace("‸", ""))
    fitted = Fitter().fit(document, offset, insert, whole=whole, automatic=automatic)
    if isinstance(fitted, Rejected):
        return None
    assert isinstance(fitted, Fitted)
    return document.text[:offset] + fitted.text + document.text[fitted.end :]


BALANCED = [
    # language, document, text, document after the accept (None: rejected)
    ("python", "x = call(‸)\n", "a, b)", "x = call(a, b)\n"),
    ("python", "x = call(‸)\n", "a, b", "x = call(a, b)\n"),
    ("python", "x = call('‸')\n", "name')", "x = call('name')\n"),
    ("python", 'x = {"a": "‸",\n}\n', 'b"', 'x = {"a": "b",\n}\n'),
    ("python", "if (‸)\n", "a):", "if (a):\n"),
    ("go", "func f() {\n\tx := g(‸)\n}\n", "a, func() {", None),
    ("go", "func f() {\n\tif x {\n\t\t‸\n\t}\n}\n", "a()\n\t}\n\tb()", "func f() {\n\tif x {\n\t\ta()\n\t}\n}\n"),
    ("go", "func f() {\n\t‸\n}\n", "for {\n\t\ta()", "func f() {\n\tfor {\n}\n"),
    ("c", "void f(void) {\n    ‸\n}\n", "a();\n    if (x) {\n        b();", "void f(void) {\n    a();\n}\n"),
    ("c", "#ifdef A\n‸\n#endif\n", "int a;\n#endif", "#ifdef A\nint a;\n#endif\n"),
    ("cpp", "void f() {\n  g(‸);\n}\n", "a, b);", "void f() {\n  g(a, b);\n}\n"),
    (
        "java",
        'class A {\n    void f() {\n        g("‸");\n    }\n}\n',
        'a");',
        'class A {\n    void f() {\n        g("a");\n    }\n}\n',
    ),
    ("typescript", "const a = `x${‸}`;\n", "b}", "const a = `x${b}`;\n"),
    ("rust", "fn f() {\n    let x = g(‸);\n}\n", "|a| {", None),
    (
        "ruby",
        "def f\n  ‸\nend\n",
        "items.each do |x|\n    p x\n  end",
        "def f\n  items.each do |x|\n    p x\n  end\nend\n",
    ),
    ("ruby", "def f\n  ‸\nend\n", "items.each do |x|\n    p x", "def f\n  items.each do |x|\nend\n"),
    (
        "bash",
        "f() {\n  ‸\n}\n",
        'if [ -z "$1" ]; then\n    exit 1\n  fi',
        'f() {\n  if [ -z "$1" ]; then\n    exit 1\n  fi\n}\n',
    ),
    ("bash", 'echo "‸"\n', 'done"', 'echo "done"\n'),
    (
        "systemverilog",
        "module m;\n  ‸\nendmodule\n",
        "always_comb begin\n    a = b;\n  end",
        "module m;\n  always_comb begin\n    a = b;\n  end\nendmodule\n",
    ),
    ("systemverilog", "module m;\n  ‸\n  logic a;\nendmodule\n", "endmodule", None),
    ("systemverilog", "`ifdef A\n‸\n`endif\n", "logic a;\n`endif", "`ifdef A\nlogic a;\n`endif\n"),
    (
        "vhdl",
        "p: process (clk)\nbegin\n  ‸\nend process;\n",
        "if a = '1' then\n    b <= c;\n  end if;",
        "p: process (clk)\nbegin\n  if a = '1' then\n    b <= c;\n  end if;\nend process;\n",
    ),
    ("vhdl", "p: process (clk)\nbegin\n  a <= b;\n‸\n  c <= d;\nend process;\n", "end process;", None),
    ("make", "ifeq ($(A),b)\n‸\nendif\n", "X = 1\nendif", "ifeq ($(A),b)\nX = 1\nendif\n"),
    ("json", '{\n  "a": [‸]\n}\n', "1, 2]", '{\n  "a": [1, 2]\n}\n'),
    ("json", '{\n  "a": "‸"\n}\n', 'b",', '{\n  "a": "b"\n}\n'),
    ("yaml", "a: [‸]\n", "b, c]", "a: [b, c]\n"),
    ("html", "<ul>\n  ‸\n</ul>\n", "<li>a</li>\n</ul>", "<ul>\n  <li>a</li>\n</ul>\n"),
    ("html", "<ul>\n  ‸\n</ul>\n", "<li>\n    a\n  </li>", "<ul>\n  <li>\n    a\n  </li>\n</ul>\n"),
]


@pytest.mark.parametrize(("language", "text", "insert", "expected"), BALANCED)
def test_what_a_text_opens_is_closed_again(language: str, text: str, insert: str, expected: str | None) -> None:
    assert fit(language, text, insert) == expected


MISPLACED = [
    ("python", "def f():\n    x = 1\n    ‸\n", "else:"),
    ("python", "def f():\n    if a:\n        b()\n    c()\n    ‸\n", "elif d:"),
    ("python", "def f():\n    b()\n    ‸\n", "except ValueError:"),
    ("python", "def f():\n    pass\n\n\n‸\n", "def f():"),
    ("go", "func f() {\n\ta()\n}\n‸\n", "} else {"),
    ("go", "func f() {\n\ta()\n}\n\n‸\n", "func f() {"),
    ("go", "func f() {\n\ta()\n\t‸\n}\n", "} else {"),
    ("c", "void f(void) {\n    a();\n    ‸\n}\n", "else {"),
    ("c", "int f(int x) {\n    if (x) {\n        a();\n    } else {\n        b();\n    }\n    ‸\n}\n", "} else {"),
    ("c", "int f(int x) {\n    if (x) {\n        a();\n    } else {\n        b();\n    ‸\n}\n", "} else {"),
    ("typescript", "function f() {\n  if (a !== b‸\n}\n", ", c) {"),
    ("java", "class A {\n    void f() {\n        a();\n    ‸\n}\n", "} catch (Exception e) {"),
    ("rust", "fn f() {\n    g();\n    ‸\n}\n", "} else {"),
    ("ruby", "def f\n  a\n  ‸\nend\n", "elsif b"),
    ("systemverilog", "module m;\n  logic a;\n  ‸\nendmodule\n", "end else begin"),
    ("bash", "f() {\n  a\n  ‸\n}\n", "else"),
    ("c", "int a;\n‸\n", "<<<<<<< HEAD"),
    ("cpp", "int a;\n‸\n", "```cpp"),
    ("swift", "‸\nlet a = 1\n", "```"),
]


@pytest.mark.parametrize(("language", "text", "insert"), MISPLACED)
def test_what_cannot_stand_there_is_rejected(language: str, text: str, insert: str) -> None:
    assert fit(language, text, insert) is None


WELL_PLACED = [
    ("python", "def f():\n    if a:\n        b()\n    ‸\n", "else:"),
    ("python", "for x in y:\n    a()\n‸\n", "else:"),
    ("python", "x = a if b ‸\n", "else c"),
    ("python", "class A:\n    @property\n    def f(self):\n        pass\n\n    @f.setter\n    ‸\n", "def f(self, x):"),
    ("python", "class A:\n    def f(self):\n        pass\n\n\nclass B:\n    ‸\n", "def f(self):"),
    ("go", "func f() {\n\tif a {\n\t\tb()\n\t‸\n}\n", "} else {"),
    ("go", "func f() {\n\tif v‸\n}\n", ", ok := m[k]; ok {"),
    ("go", "func (a *A) f() {\n}\n\n‸\n", "func (b *B) f() {"),
    ("c", "void f(int a) {\n    if (a)\n        b();\n    ‸\n}\n", "else"),
    (
        "c",
        "void f(int a) {\n    if (a) {\n        b();\n    ‸\n    } else {\n        c();\n    }\n}\n",
        "} else if (b) {",
    ),
    ("c", "int f(int x) {\n    if (x) {\n        a();\n    } ‸\n}\n", "else {"),
    (
        "java",
        "class A {\n    void f() {\n        try {\n            a();\n        ‸\n    }\n}\n",
        "} catch (Exception e) {",
    ),
    ("typescript", "function f() {\n  if (a) {\n    b();\n  }\n  ‸\n}\n", "else {"),
    ("ruby", "def f\n  if a\n    b\n  ‸\n  end\nend\n", "else"),
    ("systemverilog", "always_comb begin\n  if (a) begin\n    b = c;\n  ‸\nend\n", "end else begin"),
    ("bash", "if a; then\n  b\n‸\nfi\n", "else"),
    (
        "vhdl",
        "architecture a of b is\nbegin\n  p: process (clk)\n  begin\n    if a = '1' then\n      b <= c;\n    ‸\n"
        "    end if;\n  end process;\nend architecture;\n",
        "elsif d = '1' then",
    ),
]


@pytest.mark.parametrize(("language", "text", "insert"), WELL_PLACED)
def test_what_can_stand_there_is_kept(language: str, text: str, insert: str) -> None:
    assert fit(language, text, insert) == text.replace("‸", insert)


def test_the_beginning_of_a_line_may_leave_open_what_its_rest_closes() -> None:
    assert fit("c", "int x = ‸\n", "call(", whole=False) == "int x = call(\n"
    assert fit("c", "int x = ‸;\n", "call(", whole=False) is None
    assert fit("python", "‸\n", "else", whole=False) is None
    assert fit("c", "char *s = ‸\n", '"text', whole=False) == 'char *s = "text\n'
    assert fit("c", "x = f(‸);\n", "a)", whole=False) == "x = f(a);\n"


@pytest.mark.parametrize(
    "text",
    [
        "<<<<<<< HEAD\nint a;\n=======\nint b;\n>>>>>>> other\n‸\n",
        "}}}} ((( ‸\n",
        "#define BEGIN {\n#define END }\nvoid f() BEGIN\n  ‸\nEND\n",
        'char *s = "half ‸\n',
        "x" * 30_000 + "‸\n",
        "\x00\x01\r\r\n‸\u2028\n",
        "{" * 3_000 + "‸\n",
    ],
)
@pytest.mark.parametrize("language", ["c", "python", "html", "yaml", "ruby", "nonsense", "bash"])
def test_documents_that_do_not_parse_are_no_reason_for_silence(language: str, text: str) -> None:
    assert fit(language, text, "value") is not None


BAD = [
    ("javascript", "var a=1;" * 20_000 + "‸\n", "foo();"),
    ("javascript", "a(){" * 20_000 + "‸" + "}" * 20_000 + "\n", "foo();"),
    ("json", '{"a":[' + "1," * 20_000 + "‸]}", "2"),
    ("css", "a{b:c}" * 20_000 + "\n‸\n", "d{e:f}"),
    ("html", "<script>" + "x();" * 20_000 + "</script>‸\n", "<p>x</p>"),
    ("php", "<html>\n<?php if ($a): ?>\n<div>\n‸\n</div>\n<?php endif; ?>\n</html>\n", "<p>x</p>"),
    ("php", "<?php\nfunction f() {\n  ‸\n}\n?>\n<div>\n", "return 1;"),
    ("python", 'q = """\nSELECT (\n‸\nFROM x\n"""\n', "a, b"),
    ("html", "<script>\nif (a < b) {\n‸\n}\n</script>\n", "foo();"),
    ("html", "{% if a %}\n<div>\n{% else %}\n<div class=x>\n{% endif %}\n‸\n</div>\n", "<p>x</p>"),
    ("c", "#define FOR(x) for (x) {\nvoid f() {\n  FOR(i)\n    ‸\n  }\n}\n", "g(i);"),
    ("c", "<<<<<<< HEAD\nint a(void) {\n=======\nint b(void) {\n>>>>>>> x\n  ‸\n}\n", "return 1;"),
    ("go", "package p\nfunc f() {\n<<<<<<< HEAD\n\tif a {\n=======\n\tif b {\n>>>>>>> x\n\t\t‸\n\t}\n}\n", "g()"),
    ("python", "def f(:\n    ‸\n", "return 1"),
    ("python", "x = 'half\ny = ‸\n", "1"),
    ("rust", "fn f( {\n    ‸\n}\n", "let a = 1;"),
    ("systemverilog", "module m(\n  ‸\n", "input logic a"),
    ("systemverilog", "`define B begin\nmodule m;\nalways_comb `B\n  ‸\nend\nendmodule\n", "a = b;"),
    ("vhdl", "entity e is\n  port (\n‸\n", "a : in bit"),
    ("yaml", "a:\n  - b: {{ x\n  ‸\n", "- c: 1"),
    ("ruby", "def f\n  if a\n  ‸\n", "b = 1"),
    ("bash", "if [ a\n‸\n", "run a"),
    ("typescript", "const a = `x ${‸\n", "b}`;"),
    ("java", "class A { void f( { \n  ‸\n", "int a = 1;"),
    ("sql", "select (\n‸\n", "a, b"),
]


@pytest.mark.parametrize(("language", "text", "insert"), BAD)
def test_code_that_is_broken_on_purpose_still_gets_texts(language: str, text: str, insert: str) -> None:
    assert fit(language, text, insert) == text.replace("‸", insert)


def test_masks_are_no_text() -> None:
    assert fit("python", "‸\n", 'x = f("REDACTED")') == "x = f\n" or fit("python", "‸\n", 'x = f("REDACTED")') is None
    assert fit("python", "‸\n", "REDACTED") is None
    kept = fit("python", "‸\n", 'a = 1\nb = connect("REDACTED")')
    assert kept == "a = 1\n"


def test_line_ends_are_the_documents() -> None:
    assert fit("python", "a = 1\r\n‸\r\n", "if a:\n    b()\n    c()") == "a = 1\r\nif a:\r\n    b()\r\n    c()\r\n"


@pytest.mark.parametrize(
    ("language", "text", "insert", "fits"),
    [
        ("c", "/* a\n * b\n ‸\n * c\n */\nint d;\n", "*/", False),
        ("c", "/* a\n * b\n ‸\nint d;\n", "*/", True),
        ("c", "int a;\n‸\nint d;\n", "/*", False),
        ("c", "int a;\n‸\n * b\n */\nint d;\n", "/*", True),
        ("python", "def f():\n    ‸\n    return 1\n", '"""', False),
        ("python", 'def f():\n    ‸\n    Text.\n    """\n    return 1\n', '"""', True),
        ("python", 'def f():\n    """Text\n    ‸\n    return 1\n', '"""', True),
        ("python", 'def f():\n    """Text\n    ‸\n    """\n    return 1\n', '"""', False),
        ("go", "var a = `x\n‸\n`\n", "y`", False),
    ],
)
def test_comments_and_strings_over_lines_keep_their_ends(language: str, text: str, insert: str, fits: bool) -> None:
    assert (fit(language, text, insert) == text.replace("‸", insert)) == fits


def test_a_models_blanks_become_the_documents() -> None:
    tabs = "package p\n\nfunc f() {\n\tif a {\n\t\tb()\n\t}\n\t‸\n}\n"
    assert fit("go", tabs, "for {\n        c()\n    }") == tabs.replace("‸", "for {\n\t\tc()\n\t}")
    blanks = "function f() {\n  if (a) {\n    b();\n  }\n  ‸\n}\n"
    assert fit("typescript", blanks, "for (;;) {\n\t\tc();\n\t}") == blanks.replace("‸", "for (;;) {\n    c();\n  }")


@pytest.mark.parametrize(
    ("path", "text", "insert", "expected"),
    [
        ("a.json", '{\n  "a": 1,\n  ‸\n  "b": 2\n}\n', '"c": 3', '"c": 3,'),
        ("a.json", '{\n  "a": ‸\n  "b": 2\n}\n', '"c"', '"c",'),
        ("a.json", "[\n  1,\n  ‸\n  2\n]\n", "3", "3,"),
        (
            "a.json",
            '[\n  {\n    "a": 1\n  },\n  ‸\n  {\n    "a": 2\n  }\n]\n',
            '{\n    "a": 3\n  }',
            '{\n    "a": 3\n  },',
        ),
        ("a.json", '{\n  "a": {\n    "b": 1,\n    ‸\n  }\n}\n', '"c": 3,', '"c": 3'),
        ("a.json", '{\n  "a": 1,\n  ‸\n  "b": 2\n}\n', '"c": {', '"c": {'),
        ("a.json", '{\n  "a": 1,\n  ‸\n}\n', '"c": 3', '"c": 3'),
        ("a.jsonc", '{\n  "a": 1,\n  ‸\n}\n', '"c": 3,', '"c": 3,'),
        ("a.json5", "{\n  a: 1,\n  ‸\n  b: 2,\n}\n", "c: 3", "c: 3,"),
    ],
)
def test_items_of_json_are_parted_by_commas(path: str, text: str, insert: str, expected: str) -> None:
    offset = text.index("‸")
    fitted = Fitter().fit(Document("file:///x", path, "json", 1, text.replace("‸", "")), offset, insert)
    assert isinstance(fitted, Fitted), fitted
    assert fitted.text == expected


@pytest.mark.parametrize(
    ("language", "text", "insert", "expected"),
    [
        ("bash", "f() {\n  ‸\n}\n", "cat <<EOF\nif (\nEOF", "f() {\n  cat <<EOF\nif (\nEOF\n}\n"),
        ("bash", "f() {\n  ‸\n}\n", "cat <<EOF\nif (", "f() {\n  cat <<EOF\nEOF\n}\n"),
        ("bash", "cat <<'EOF'\n‸\nEOF\n", "it's ( \"open", "cat <<'EOF'\nit's ( \"open\nEOF\n"),
        ("bash", "cat <<EOF\n‸\nEOF\n", "EOF", None),
        ("bash", "cat <<EOF\ntext\n‸\n", "EOF", "cat <<EOF\ntext\nEOF\n"),
        ("bash", "cat <<EOF\n  if (\nEOF\n‸\n", "run a", "cat <<EOF\n  if (\nEOF\nrun a\n"),
        ("bash", "‸\nrun\n", "cat > a <<-EOF", "cat > a <<-EOF\nEOF\nrun\n"),
        ("bash", "cat <<EOF\na\n‸\ncat <<EOF\nb\nEOF\n", "EOF", "cat <<EOF\na\nEOF\ncat <<EOF\nb\nEOF\n"),
        ("ruby", "def f\n  ‸\nend\n", "x = <<~SQL\n    do (\n  SQL", "def f\n  x = <<~SQL\n    do (\n  SQL\nend\n"),
        ("ruby", "x = <<~SQL\n  ‸\nSQL\n", "select (", "x = <<~SQL\n  select (\nSQL\n"),
        ("ruby", "class A\n  ‸\nend\n", "class << self\n    x\n  end", "class A\n  class << self\n    x\n  end\nend\n"),
    ],
)
def test_heredocs_keep_their_ends(language: str, text: str, insert: str, expected: str | None) -> None:
    assert fit(language, text, insert) == expected


RIGHT_LINES = [
    # language, document, an author's own line
    ("c", "‸\nint f(void);\n", "typedef struct {"),
    ("c", "void f(int a)\n{\n    ‸\n}\n", "char *s = a ? b"),
    ("c", "int f(int a)\n{\n  if (a &&\n      b)\n  {\n    g();\n  ‸\n  return 1;\n}\n", "} else {"),
    ("c", "void f(int a)\n{\n  switch (a) {\n    ‸\nvoid g(void)\n{\n  h();\n}\n", "case A:"),
    ("java", "class A {\n    void f()\n        ‸\n    int b;\n    void g() throws B {\n    }\n}\n", "throws B {"),
    ("go", "package a\n\nfunc f() {\n\tswitch a {\n\t‸\n// g\nfunc g() {\n}\n", "case b, c,"),
    ("rust", "fn f() {\n    if a\n        && b\n    {\n        g();\n    ‸\n}\n", "} else {"),
    ("kotlin", "fun f(a: Int) =\n  when (a) {\n    -1 -> 2\n    ‸\n  }\n", "else -> 3"),
    ("typescript", "‸\nfoo();\n", "export * from"),
    ("tsx", "function F() {\n  return (\n    ‸\n  )\n}\n", "<div>"),
    ("systemverilog", "module m;\n  ‸\nendmodule\n", "typedef enum logic [1:0] {"),
    ("systemverilog", "module m;\n  always_comb begin\n    ‸\n  end\nendmodule\n", "unique case (a)"),
    ("systemverilog", "`define A(b) \\\n  logic c; \\\n  ‸\nmodule m;\n  logic c;\nendmodule\n", "logic c; \\"),
    ("systemverilog", "module m;\n  if (a) begin\n    if (b) begin\n      c;\n    ‸\nendmodule\n", "end"),
    ("vhdl", "architecture tb ‸\n", "of tb_e is"),
    ("vhdl", "architecture r of e is\nbegin\n  ‸\nend architecture;\n", "process (a)"),
    ("vhdl", "package body p is\n  procedure f(a : b; c : d) is\n  begin\n  ‸\nend package body;\n", "end;"),
    ("vhdl", "package body p is\n  function f (\n    a : b)\n    return c is\n  begin\n  ‸\nend;\n", "end;"),
    ("bash", "f() {\n  ‸\n}\n", "local a=${b:-${c:-${d}}}"),
    ("bash", "f() {\n  ‸\n}\n", "x=$(run | sed 's/a/b/')"),
    ("make", "a:\n\t‸\n", "@for m in $$($(GO) list); do echo $$m; done"),
    ("cpp", "‸\n", 'TEST_CASE_METHOD( F, "a" ) {'),
    ("cpp", "struct A {\n  ‸\n};\n", "template <typename A,"),
    ("cpp", "void f() {\n  ‸\n}\n", "g(0xdead'beef, 1'000);"),
    ("c", "int a;\n‸\n", "EXPORT_API int f(void);"),
    ("c", "void f(void)\n{\n  ‸\n}\n", "check_int(a, ==, 1);"),
    ("typescript", "f(() => {\n  ‸\n    a: 1\n  }> = b\n})\n", "const c: D<{"),
    ("typescript", "‸\n  a: 1\n}\n  ? B\n  : C\n", "type A<S> = S extends {"),
    ("csharp", "class A {\n#if X\n  int b = 1;\n#else\n  ‸\n#endif\n}\n", "int b = 2;"),
    ("csharp", "class A\n{\n" + "    int b() => 1;\n\n" * 120 + "    ‸\n}\n", "class C(D<E> f) : G"),
    ("ruby", "def f\n  ‸\nend\n", "x.gsub(%r{(?<!&)\\[#(\\d+)}) do |a|"),
    ("ruby", "def f\n  ‸\nend\n", "a = %r!^(?:\\[?)(\\d{1,2})[\\(/]!"),
    ("tsx", "f(() => {\n  ‸\n})\n", "expect((<A b={0} />).toString()).toBe('<span>0</span>')"),
    ("go", "package a\n\nvar x = []b{\n\t{\n\t\t‸\n`,\n\t},\n}\n", "c: `d"),
    ("systemverilog", "‸\n", "module m"),
    ("vhdl", "architecture r of e is\nbegin\n  c : process (‸\n  begin\n  end process;\nend;\n", "a, b) is"),
    ("python", "def f():\n    ‸\n", "a = g(  # noqa: B023"),
    ("c", "void f(void)\n{\n    ‸\n}\n", "a = b  // why"),
    (
        "rust",
        "impl A {\n    fn f<R>(r: R)\n    where\n        ‸\n    {\n    }\n\n    fn g<R>(r: R)\n    where\n"
        "        R: Send,\n    {\n    }\n}\n",
        "R: Send,",
    ),
    ("ruby", "def f\n  a = if b\n        c\n      ‸\nend\n", "end"),
    ("ruby", "def f\n  a = case b\n      when c then d\n  ‸\nend\n", "end"),
    ("ruby", "=begin\nrun\n‸\ndef f\nend\n", "=end"),
    ("ruby", "def f\n  def a.to_s = 1\n  ‸\nend\n", "def a.inspect = 2"),
    ("perl", "=head1 A\n\nruns\n\n‸\nsub f {\n}\n", "=cut"),
    ("bash", 'f() {\n  ‸\n    run "$a"\n  )"\n}\n', 'x="$('),
    ("bash", 'f() {\n  x="a $(run "$b" |\n    ‸\n}\n', 'sort -u)"'),
    ("groovy", "dependencies {\n  ‸\n}\n", "api projects.retrofit"),
    ("python", "def f():\n    ‸\n", "a: list[  # b"),
    ("html", "<body>\n  ‸\n</body>\n", '<div class="a"'),
    ("css", "a {\n  ‸\n}\n", "color:"),
    ("json", "{\n  ‸\n}\n", '"a":'),
]


@pytest.mark.parametrize(("language", "text", "line"), RIGHT_LINES)
def test_an_authors_own_line_is_kept(language: str, text: str, line: str) -> None:
    assert fit(language, text, line) == text.replace("‸", line)


@pytest.mark.parametrize(
    ("language", "text", "line", "end"),
    [
        ("python", "x = 1\n‸\ny = 2\n", 'x = """\\', '"""'),
        ("bash", "‸\nrun\n", 'A="-b \\', '"'),
        ("ruby", "‸\nrun\n", "x = <<~EOS", "EOS"),
        ("ruby", "‸\nrun\n", "=begin", "=end"),
        ("rust", "fn f() {\n    ‸\n    g();\n}\n", 'let a = "\\', '";'),
    ],
)
def test_a_string_that_goes_on_below_comes_with_its_end(language: str, text: str, line: str, end: str) -> None:
    assert fit(language, text, line) == text.replace("‸", f"{line}\n{end}")


def test_the_rest_of_a_condition_follows_its_word() -> None:
    text = "f() {\n  if‸\n  run\n}\n"
    assert fit("bash", text, " ! test -f a; then") == text.replace("‸", " ! test -f a; then")


AUTOMATIC = (
    # language, document, a whole line that nobody asked for
    ("systemverilog", "class A;\n  function int f();\n    return 1;\n  ‸\nendclass\n", "endfunction : f"),
    ("systemverilog", "module m;\n  a = 1;\n‸\n", "endmodule"),
    ("vhdl", "architecture a of b is\nbegin\n  process\n  begin\n  ‸\nend a;\n", "end process;"),
    ("ruby", "describe a do\n  it b do\n    c\n  ‸\n\n  it d do\n  end\nend\n", "end"),
    ("typescript", "a(() => {\n  b(() => {\n    c();\n  ‸\n\n  d(() => {\n  });\n});\n", "});"),
    ("bash", "while read x; do\n  a\n‸\n", "done < file"),
    ("make", "ifdef A\nB = 1\n‸\na:\n", "endif"),
    ("html", "<div>\n  <p>a\n  ‸\n</div>\n", "</p>"),
    ("c", "#ifdef A\nint a;\n‸\n", "#endif /* A */"),
    ("python", 'def f():\n    """Retur‸\n    return 1\n', 'n one."""'),
    ("python", 'def f():\n    """Return.\n\n    It doesn\'t ‸\n    """\n', "work."),
    ("go", "package a\n\n// f doesn't ‸\nfunc f() {\n}\n", "work."),
    ("java", "class A {\n  void f() {\n    try {\n      g();\n    ‸\n  }\n}\n", "} catch (B e) {\n      h();\n    }"),
    (
        "systemverilog",
        "module m;\n  always begin\n    if (a) begin\n      b;\n    ‸\n  end\nendmodule\n",
        "end else begin\n      c;\n    end",
    ),
)


@pytest.mark.parametrize(("language", "text", "insert"), AUTOMATIC)
def test_the_ends_of_blocks_strings_and_sentences_are_shown_automatically(
    language: str, text: str, insert: str
) -> None:
    assert fit(language, text, insert, automatic=True) == text.replace("‸", insert)


def test_a_mark_of_another_languages_comment_does_not_let_a_line_end_in_an_operator() -> None:
    text, insert = "def f(a, b):\n    ‸\n    return a\n", "a = a // b +"
    assert fit("python", text, insert, automatic=True) != text.replace("‸", insert)


def test_a_head_without_its_colon_is_not_shown_automatically() -> None:
    for text, insert in (
        ("def f(self):\n    ‸\n    return 1\n", "if self.a"),
        ("def f(self):\n    if self.‸\n    return 1\n", "a"),
    ):
        assert fit("python", text, insert, automatic=True) is None
        # The user of a part goes on to write.
        assert fit("python", text, insert, automatic=True, whole=False) == text.replace("‸", insert)


def test_the_first_line_of_a_statement_of_several_is_shown_automatically() -> None:
    for language, text, insert in (
        ("csharp", "class A {\n    void F() {\n        var b = ‸\n    }\n}\n", "Assert"),
        ("java", "class A {\n    void f() {\n        return ‸\n    }\n}\n", "builder"),
        ("cpp", "void f() {\n    auto a = ‸\n}\n", "builder"),
    ):
        for whole in (False, True):
            assert fit(language, text, insert, automatic=True, whole=whole) == text.replace("‸", insert), language


BEHIND = (
    # language, document, text, what is inserted
    ("java", 'f("‸", 1);\n', 'a", 2);', "a"),
    ("java", 'f("‸", 1);\n', 'a")', "a"),
    ("typescript", "f({ a: ‸ }, b);\n", "1 }", "1 }"),
    ("html", '<a href="‸">x</a>\n', 'b" class="c">', 'b" class="c">'),
    (
        "python",
        "class A:\n    @property\n    ‸\n",
        "def b(self):\n        return 1\n\n",
        "def b(self):\n        return 1",
    ),
)


@pytest.mark.parametrize(("language", "text", "insert", "expected"), BEHIND)
def test_a_text_goes_on_to_what_stands_behind_it(language: str, text: str, insert: str, expected: str) -> None:
    document = Document("file:///a", None, language, 1, text.replace("‸", ""))
    fitted = Fitter().fit(document, text.index("‸"), insert)
    assert isinstance(fitted, Fitted) and fitted.text == expected


def test_a_method_that_begins_far_above_is_closed() -> None:
    text = "class A\n  def f\n" + "    @a = 1\n" * 250 + "  ‸\n\n  def g\n  end\nend\n"
    assert fit("ruby", text, "end") == text.replace("‸", "end")


def test_names_below_are_free_where_those_above_stand_there_too() -> None:
    text = "package p;\n  parameter int A = 1;\n  parameter int B = 2;\n  ‸\n  w;\n  x;\n  y;\n  z;\n{}  parameter int C = 3;\nendpackage\n"
    moved = text.format("  parameter int A = 1;\n  parameter int B = 2;\n")
    assert fit("systemverilog", moved, "parameter int C = 3;") == moved.replace("‸", "parameter int C = 3;")
    assert fit("systemverilog", text.format(""), "parameter int C = 3;") is None


def test_a_while_without_if_has_no_else_though_its_bracket_stands_alone() -> None:
    text = "int f(int a)\n{\n  while (a &&\n         b)\n  {\n    g();\n  ‸\n  return 1;\n}\n"
    assert fit("c", text, "} else {") is None


def test_a_string_that_begins_far_above_is_known() -> None:
    head = "package a\n\nvar x = `\n" + "a: it's\n" * 250
    assert fit("go", head + "‸\nb: c\n`\n", 'a: "(') == head + 'a: "(\nb: c\n`\n'


@pytest.mark.parametrize("blanks", ["", "  "])
def test_the_ports_of_a_module_far_above_are_closed(blanks: str) -> None:
    ports = "  input logic b,\n" * 30
    head = f"module m #(\n  int A = 1\n{blanks}) (\n{ports}  input logic e\n{blanks});\n"
    head += "  assign c = d;\n" * 250
    assert fit("systemverilog", head + "  ‸\nendmodule\n", "a.b = 1;") != head + "  a.b = 1;\nendmodule\n"
    assert fit("systemverilog", head + "  ‸\nendmodule\n", "a_t b;") == head + "  a_t b;\nendmodule\n"
    assert fit("systemverilog", head + "‸\n", "endmodule : m") == head + "endmodule : m\n"


WHOLE = [
    (
        "vhdl",
        "architecture r of e is\nbegin\n  p : process (a) is\n  begin\n  end process;\n  g : if x(1) generate\n"
        "  elsif y generate\n  end generate;\nend architecture;\n",
    ),
    (
        "vhdl",
        'architecture r of e is\n  component c\n    port (a : in b);\n  end component;\nbegin\n  a <= "/\\";\nend;\n',
    ),
    (
        "systemverilog",
        'module m;\n  initial $fatal(1, "a \\\n    b (");\n  modport p (\n    input a\n  );\nendmodule\n',
    ),
    ("systemverilog", "class a;\n  extern function void f(int b,\n    int c);\nendclass\n"),
    ("ruby", "class A\n  def post(path, &) = route(:post, path)\nend\n"),
    ("make", 'a:\n\t@echo "Hint ;)"\n'),
    ("typescript", "const a = f(\n  /^\\s*(?:[^)]*)=>/,\n);\n"),
    ("html", '<div>\n  <link rel="a"\n    href="b" />\n</div>\n'),
    ("c", 'const char *a = "b \\\n  c (";\nint d;\n'),
]


@pytest.mark.parametrize(("language", "text"), WHOLE)
def test_a_whole_document_leaves_nothing_open(language: str, text: str) -> None:
    reader, state = LineReader(rules_of(language)), START
    for line in text.split("\n"):
        state = reader.read(line, state)
    assert (state.code, state.span, state.faults) == (None, -1, 0)


@pytest.mark.parametrize(
    ("typed", "insert", "after"),
    [
        ('password = "‸"', 'REDACTED"', None),
        ('password = "RED‸"', 'ACTED"', None),
        ("password = ‸", 'f("a", "REDACTED")', 'password = f("a",'),
        ("password = ‸", 'f("a", "RED\u200bACTED")', 'password = f("a",'),
        ("password = ‸", "\ufdd0\ufdd0\ufdd0", None),
        ("status = RE‸", "ADY", "status = READY"),
    ],
)
def test_a_mask_is_no_code_though_it_is_split(typed: str, insert: str, after: str | None) -> None:
    assert fit("python", typed, insert) == after


def test_hidden_characters_of_a_copy_are_named_in_the_trace() -> None:
    fitted = Fitter().fit(Document("file:///x", "x", "python", 1, "x = "), 4, "a\u202e + b")
    assert isinstance(fitted, Fitted)
    assert (fitted.text, fitted.cut) == ("a + b", ("characters",))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("def f(x)\n  if x\n    a\n  end\n‸\n  x\nend\n", False),
        ("def f(x)\n  a\nrescue A\n  b\n‸\n  x\nend\n", True),
        ("x.each do |y|\n  a\n‸\n  x\nend\n", False),
        ("case x\nwhen 1\n  a\n‸\n  x\nend\n", True),
    ],
)
def test_an_else_of_ruby_needs_an_if_or_a_rescue(text: str, kept: bool) -> None:
    assert (fit("ruby", text, "else") is not None) == kept


def test_a_bracket_that_is_closed_below_is_not_closed_behind_it() -> None:
    text = "package a\n\nfunc f() error {‸\n}\n"
    assert (fit("go", text, " run() }") or "").count("}") <= 1
