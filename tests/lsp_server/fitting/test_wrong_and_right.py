"""Two texts at one place: one that would break the code, which is cut or rejected, and a right one that is kept."""

import pytest

from indexer.languages.grammars import language_of
from lsp_server.fitting.fitter import Fitter
from lsp_server.types import Document
from tests.support.fitted_texts import fit

VHDL = """\
entity a is
  port (
    b : in bit;
    c : in bit
  );
end entity a;

architecture r of a is
  signal d : bit;
begin
  p : process (b)
  begin
    if b = '1' then
      d <= '1';
    elsif c = '1' then
      d <= '0';
    else
      d <= 'Z';
    end if;
  end process p;
end architecture r;
"""


def before(line: str, text: str = VHDL) -> str:
    """A text with an empty line for the cursor before one of its lines, as deep as that."""
    at = text.index(line)
    blanks = line[: len(line) - len(line.lstrip())]
    return f"{text[:at]}{blanks}‸\n{text[at:]}"


ENDS_AT_THE_CURSOR = [
    # path, document, wrong text, right text
    ("a.go", "package a\n\nfunc run() {\n\tx := 1\n\t‸", "y := := x", "y := x"),
    ("a.go", "package a\n\nfunc run() {\n\tx := 1\n\t‸", "if err := y(x)", "if err := y(x); err != nil {"),
    ("a.ts", "it('runs', async () => {\n  const a = 1\n  ‸", "const b c", "const b = a"),
    ("T.java", "class T {\n  void run() {\n    int a = 1;\n    ‸", "int b c;", "int b = a;"),
    ("a.rs", "fn run() {\n    let a = 1;\n    ‸", "let let b;", "let b = a;"),
    ("a.c", "int run(void)\n{\n    int a = 1;\n    ‸", "int b c;", "int b = a;"),
    ("a.cpp", "namespace a {\nint run() {\n    int a = 1;\n    ‸", "int b c;", "int b = a;"),
    ("a.sv", "module m;\n  logic a;\n  ‸", "assign a, a;", "assign a = 1;"),
    ("a.c", "#ifndef A\n#define A\n\nint run(void)\n{\n    int a = 1;\n    ‸", "int b c;", "int b = a;"),
    ("a.py", "class A:\n    def load(self, key‸", " not in self.items:", ", other):"),
    ("a.c", "int first;\n\nint read(delta_t‸", ";", " *a, int b)"),
]
GOES_ON = [
    ("a.sv", "module m;\n  id_t a,\n       ‸\n  logic b;\n\n  logic c;\nendmodule\n", "typedef struct packed {", "d;"),
    ("T.java", "class T {\n  void run() {\n    int a,\n        ‸\n  }\n}\n", "return a;", "b;"),
    ("a.c", "void run(void) {\n    int a,\n        ‸\n}\n", "return a;", "b;"),
    ("a.ts", "function run() {\n  if (\n    ‸\n}\n", "return a", "a &&"),
    ("a.py", "def run(\n    ‸\n\n\ndef go():\n    pass\n", "return a", "a,"),
    ("a.ts", "export type A =\n  | string\n  ‸\n\n", "Options,", "| number"),
    ("a.c", "void run(void) {\n    a();\n    ‸\n}\n", "options,", "b(),"),
    ("a.c", "void run(void)\n{\n    ‸\n    int a;\n}\n", '"one",', "use(1,"),
    ("T.java", "class T {\n  void run() {\n    a();\n    ‸\n  }\n}\n", "options,", "use(a,"),
    ("T.java", "class T {\n  void run() {\n    A a = b()\n        ‸\n        .d();\n  }\n}\n", ".c();", ".c()"),
    ("a.py", "def run():\n    value‸\n    b = 2\n", "++", " = 1"),
    ("a.py", "def run():\n    value‸\n    b = 2\n", ":", ": int"),
    ("a.py", "def run():\n    a = 1\n    ‸\n", "b = a +", "b = a"),
    ("a.py", "def run():\n    for number‸", " % 2:", " in a:"),
    ("a.py", "import a\nimport b‸\nfrom c import d\n", " import e", " as e"),
    ("a.go", "package a\n\nconst (\n\tone = iota\n\ttwo\n\t‸\n)\n", "`else`", "three"),
    ("a.kt", "fun f() {\n    when (a) {\n        1 -> b()\n        ‸\n    }\n}\n", "return null", "else -> c()"),
    ("a.toml", "[a]\nb = [\n    ‸\n]\n", "c = [", '"c",'),
]
WITH_PARTS_THAT_NO_GRAMMAR_KNOWS = [
    ("a.hpp", "class A {\npublic:\n    ~A(‸\n    int b();\n};\n", ") NO_THROW = = default;", ") NO_THROW = default;"),
    (
        "a.c",
        "extern int a[]\n    ‸\nextern int b;\n",
        "__attribute__((x));;)",
        '__attribute__((aligned(4 * N), section("l2")));',
    ),
]
OF_HEADS = [
    (
        "a.ts",
        "type A<B> = {\n  ‸\n}\n",
        "[C in keyof B as B[C] extends D<any>]: =>",
        "[C in keyof B as B[C] extends D<any>",
    ),
    ("a.ts", "type A<B> = {\n  ‸\n}\n", "[C in in keyof B]: D", "readonly [C in keyof B as B[C] extends () => any"),
    ("a.ts", "import {\n  ‸\n\nexport const a = 1\n", "state: () => ({", "B as C,"),
    ("a.cpp", "class A {\n    B b;\n    ‸\n    void c();\n};\n", "A(B d) : :", "A(B d) :"),
    ("a.rs", "impl A {\n    fn b<C>(c: C) -> D\n    where\n        C: Fn(‸\n", "e::F<<", "e::F<"),
    (
        "a.sv",
        "package a;\n  function int b(int c);\n    d.e = c.‸\n  //////\n  // d //\n  typedef int e;\nendpackage\n",
        "f f;",
        "f;",
    ),
]
IN_ANOTHER_BLOCK = [
    ("a.ts", "function f() {\n  a();\n  ‸\n}\n", "default:", "b();"),
    ("a.ts", "switch (a) {\n  case 1:\n    break;\n  default:\n    b();\n  ‸\n}\n", "default:", "case 2:"),
    ("a.go", "package a\n\nfunc f() {\n\tswitch a {\n\tdefault:\n\t\tc()\n\t‸\n\t}\n}\n", "default:", "case 1:"),
    ("a.c", "void f(void)\n{\n    int a[] = {1}‸\n}\n", " while (0);", ";"),
    ("a.c", "void f(void)\n{\n    a();\nfail:\n    b();\n    c();\n‸\n}\n", "fail:", "other:"),
    ("a.c", "#ifdef A\nint a;\n‸\n#else\nint b;\n#endif\n", "#else", "#elif B"),
    ("a.c", "#ifdef A\nint a;\n#else\nint b;\n‸\n#endif\n", "#elif B", "int c;"),
    ("a.h", "#ifndef A_H\n#define A_H\nstruct a {\n    int b;\n    ‸\n};\n\nint c;\n#endif\n", "#endif", "int d;"),
    ("a.sv", "`ifdef A\nmodule a;\n‸\nendmodule\n`endif\n", "`endif", "logic b;"),
    ("a.sv", "module a;\n  ‸\nendmodule\n", "module b;", "logic b;"),
    ("a.sv", "module a #(\n  parameter int W = 8\n‸\n) (\n  input logic b\n);\nendmodule\n", ") u_cell (", "//"),
    ("a.sv", "module a;\n  typedef enum logic {\n    ‸\n    IDLE\n  } a_e;\nendmodule\n", "cell #(", "BUSY,"),
    ("a.sh", "if a; then\n  b\n‸\nelse\n  c\nfi\n", "else", "elif d; then"),
    ("a.sh", "if a; then\n  b\nelse\n  c\n‸\nfi\n", "elif d; then", "d"),
    ("Makefile", "ifeq (a,b)\nX = 1\n‸\nelse\nX = 2\nendif\n", "else", "Y = 1"),
    ("a.lua", "if a then\n  b()\n‸\nelse\n  c()\nend\n", "else", "elseif d then"),
    ("a.rb", "def f\n  if a\n    b\n  ‸\n  else\n    c\n  end\nend\n", "else", "elsif d"),
    ("a.cpp", "namespace a {\n\nclass A {\n  int f() {\n    return 1;\n  }\n‸\n\n int b;\n};\n\n}\n", "}", "// B"),
    ("a.rs", "impl<'a> A<'a> {\n    fn f() {\n    }\n\n    ‸\n}\n", "let total: i32 = 1;", "fn g() {}"),
    ("a.rs", "impl A {\n    fn f() -> Self {\n        a()\n        ‸\n    }\n}\n", "#[test]", "// b"),
    ("a.php", "<?php\nswitch ($a) {\n    ‸\n    case 1:\n        b();\n}\n", "return 1;", "case 2:"),
    ("a.php", "<?php\nclass A\n{\n    ‸\n}\n", "parent::__construct($name);", "private int $a;"),
]
AT_ANOTHER_LEVEL = [
    ("a.py", "import os\n\n\n‸\n", "return 1", "a = 1"),
    ("a.py", "class A:\n    ‸\n", "return 1", "a = 1"),
    ("a.go", "package a\n\n‸\n", "return a", "var a int"),
    ("a.go", "package a\n\n‸\n\nfunc f() {}\n", "package a", "type A int"),
    ("a.rs", "‸\nfn f() {}\n", "return 1;", "use a::b;"),
    ("a.ts", "‸\nexport const b = 1;\n", "return a;", "const a = 1;"),
    ("a.ts", "class A {\n  b() {\n    return 1;\n  }\n  ‸\n}\n", "if (a) {", "c() {"),
    ("a.ts", "class A {\n  b() {\n    return 1;\n  }\n  ‸\n}\n", "b() {", "if() {"),
    ("a.ts", "function f() {\n  a();\n  ‸\n}\n", "import a from 'b';", "import('b');"),
    ("a.ts", "function f() {\n  a();\n  ‸\n}\n", "export const a = 1;", "const a = 1;"),
    ("a.cpp", "namespace a {\n‸\n}\n", "return 1;", "int b;"),
    ("a.c", "‸\nint a;\n", "return 1;", "int b;"),
    ("a.c", "struct a {\n    int b;\n    ‸\n};\n", "return b;", "int c;"),
    ("A.java", "package a;\n‸\nimport b.C;\n", "package a;", "import b.D;"),
    ("A.cs", "using System;\n‸\n", "using System;", "using System.IO;"),
    ("A.cs", "class A\n{\n    void F()\n    {\n        ‸\n    }\n}\n", "using System;", "using var a = b();"),
]
OF_VHDL = [
    ("a.vhd", before("  begin\n    if"), "begin", "variable v : bit;"),
    ("a.vhd", before("begin\n  p"), "when others =>", "signal e : bit;"),
    ("a.vhd", before("    else"), "else", "elsif d = '1' then"),
    ("a.vhd", before("    elsif"), "else", "elsif d = '1' then"),
    ("a.vhd", before("  signal"), "port (", "constant k : integer := 1;"),
    ("a.vhd", before("  end process"), "port map (", "d <= '1';"),
    ("a.vhd", before("  p : process"), "generic (", "q : process (c)"),
]
BEHIND_A_CONDITION = [
    ("a.c", "int f(void) {\n    if (a[0] <‸)\n        b();\n}\n", " 0) && (c", " 0 && c"),
    ("a.sv", "module a;\n  initial begin\n    if (a[0] <‸)\n  end\nendmodule\n", " 0) && (c", " f(0) && c"),
    ("A.java", "class A {\n  void f() {\n    if (a <‸)\n  }\n}\n", " 0) || (c", " 0 || c"),
    ("a.ts", "if (a‸)\n", "() === 1) === (c", "() === 1"),
]
ENDS_LIKE_HEADS = [
    (
        "a.vhd",
        "package body a is\n  function b return bit is\n  begin\n    return '1';\n  end function b‸\n",
        " is",
        ";",
    ),
]
OF_ITSELF = [
    ("a.zig", "fn f() void {\n    const gpa = ‸\n}\n", "gpa.deinit();", "gpa_state.allocator();"),
    ("a.ts", "function f() {\n  const item = ‸\n}\n", "item.next;", "items.next;"),
    ("A.java", "class A {\n  Item f() {\n    final Item item = ‸\n  }\n}\n", "item.next();", "Item.next();"),
    ("A.cs", "class A\n{\n    A F()\n    {\n        var one = ‸\n    }\n}\n", "one[0];", "One[0];"),
    ("a.c", "void f(void) {\n    struct item *item = ‸\n}\n", "item->next;", "malloc(sizeof(*item));"),
]
DOCUMENTS_A_STATEMENT = [
    ("A.cs", "class A\n{\n    void F(int a)\n    {\n        //‸\n    }\n}\n", "/ <summary>", " b"),
    ("A.java", "class A {\n  void f() {\n    ‸\n  }\n}\n", "/** Makes it. */", "/* Makes it. */"),
    ("a.ts", "function f() {\n  ‸\n}\n", "/** Makes it. */", "/** @type {number} */"),
]


@pytest.mark.parametrize(
    ("path", "text", "wrong", "right"),
    [
        *(*BEHIND_A_CONDITION, *ENDS_LIKE_HEADS, *OF_ITSELF, *DOCUMENTS_A_STATEMENT),
        *(*ENDS_AT_THE_CURSOR, *GOES_ON, *WITH_PARTS_THAT_NO_GRAMMAR_KNOWS, *OF_HEADS),
        *(*IN_ANOTHER_BLOCK, *AT_ANOTHER_LEVEL, *OF_VHDL),
    ],
)
def test_what_breaks_the_code_is_not_kept(path: str, text: str, wrong: str, right: str) -> None:
    assert fit(path, text, right) == right
    assert fit(path, text, wrong) != wrong


@pytest.mark.parametrize(
    ("path", "text", "kept"),
    [
        ("a.py", "if (a‸)\n", ") and (c"),
        ("A.cs", "class A\n{\n    private Color ‸\n}\n", "Color = Color.Red;"),
        ("a.c", "void f(void) {\n    if (a)\n        b();\n    else ‸\n}\n", "p = p->next;"),
        ("A.cs", "class A\n{\n    void F(int a)\n    {\n    }\n    //‸\n}\n", "/ <summary>"),
        ("A.java", "class A {\n  ‸\n  void f() {\n  }\n}\n", "/** Makes it. */"),
        ("a.c", "int f(void) {\n    if (a) ‸\n}\n", "*b = 1;"),
    ],
)
def test_what_only_looks_like_it_is_kept(path: str, text: str, kept: str) -> None:
    assert fit(path, text, kept) == kept


@pytest.mark.parametrize(
    ("path", "text", "ends", "goes_on"),
    [
        ("a.sv", "`define A(x) \\\n  x = ‸\n", "1'", "1'b1"),
        ("a.sv", "`define A(x) \\\n  x = ‸\n", "8'sh", "8'shff"),
        ("a.sv", "module a;\n  assign b = ‸\nendmodule\n", "'h", "'hf"),
        ("a.vhd", "package a is\n  -- ‸\nend package;\n", '"got: " & b & "', '"got: " & b'),
        ("a.py", '"""Read.\n\n‸\n"""\n', "of `a` or `", "of `a` or `b`"),
        ("A.cs", 'class A\n{\n    string b = @"\n      ‸\n      </a>";\n}\n', "<a b='", "<a b='c'"),
        ("a.c", "// ‸\nint a;\n", 'say "a" and ("', 'say "a" and ("b'),
    ],
)
def test_a_beginning_does_not_end_where_something_begins(path: str, text: str, ends: str, goes_on: str) -> None:
    fitter, language = Fitter(), language_of(path)
    document = Document(f"file:///{path}", path, language, 1, text.replace("‸", ""))
    fitter.update(document)
    assert not fitter.may_end(document, text.index("‸"), ends)
    assert fitter.may_end(document, text.index("‸"), goes_on)


FAR = "#if A\n" + "int a;\n" * 300


@pytest.mark.parametrize(
    ("text", "fitted"),
    [
        (FAR + "int b;\n‸\nint c;\n#endif\n", None),
        (FAR + "#ifdef B\nint b;\n‸\nint c;\n#endif\n", "#endif"),
        (FAR + "#ifdef B\nvoid f(void)\n{\n    int b;\n    ‸\n    int c;\n}\n#endif\n", "#endif"),
        (FAR + "#else\nint b;\n‸\n", "#endif"),
        (FAR + "int b;\n‸\n", "#endif"),
        (FAR.replace("#if A", "int b;") + "int b;\n‸\n", None),
        ("void f(void)\n{\n#if A\n    if (a) {\n‸\n}\n\n#if B\nint c;\n#endif\n", "#endif"),
    ],
)
def test_a_directive_is_ended_where_one_is_open(text: str, fitted: str | None) -> None:
    assert fit("a.h", text, "#endif") == fitted


MACRO = "#define A(a) \\\n    do {      \\\n    ‸\n        a = b; \\\n    } while (0)\n"


@pytest.mark.parametrize(
    ("path", "text", "written", "fitted"),
    [
        ("a.c", MACRO, "int size;", "int size; \\"),
        ("a.c", "void f(void)\n{\n    ‸\n}\n", "a = b;           \\", "a = b;"),
        ("a.c", "#define A(a) \\\n" + "    a = b; \\\n" * 200 + "    ‸\n", "a = c; \\", "a = c; \\"),
        ("a.c", '#include "‸"\n', 'a.h"', 'a.h"'),
        ("a.c", '#include "‸"\n', '"', None),
        ("a.vhd", before("    b : in"), "e : in bit", "e : in bit;"),
        ("a.vhd", before("    b : in").replace("‸", "e :‸"), " in bit", " in bit;"),
        ("a.sql", "CREATE TABLE a (\n    b INT,\n    ‸\n);\n", "c INT", "c INT"),
        ("a.sql", "SELECT a FROM b WHERE (\n    ‸\n    AND c = 1\n);\n", "d IS NULL", "d IS NULL"),
        ("Makefile", "a: b\n‸\n\nc: d\n\te\n", "\t$(CC) -c $<", "\t$(CC) -c $<"),
    ],
)
def test_marks_at_a_lines_end_are_those_of_its_place(path: str, text: str, written: str, fitted: str | None) -> None:
    assert fit(path, text, written) == fitted
    assert fit(path, text, written, automatic=True) == fitted


def test_a_column_of_a_table_gets_its_comma() -> None:
    assert fit("a.sql", "CREATE TABLE a (\n    ‸\n    b INT\n);\n", "c INT") == "c INT,"


def test_the_step_over_the_cursors_line_tells_no_unit() -> None:
    fitter = Fitter()
    text = "<p>\n  <script>\n    function f() {\n      if‸\n        return 1;\n      }\n    }\n  </script>\n</p>\n"
    document = Document("file:///a.html", "a.html", "html", 1, text.replace("‸", ""))
    assert fitter.unit(document, text.index("‸")) == "  "


def test_half_indented_labels_tell_no_unit() -> None:
    text = "class A : public B {\n public:\n  A();\n  void f() {\n    ‸\n"
    assert fit("a.cpp", text, "if (a) {\n      b();\n    }") == "if (a) {\n      b();\n    }"
