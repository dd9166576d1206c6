"""Lines are not offered on another level of the code than theirs, and code with macros is checked like other code."""

import pytest

from lsp_server.fitting.fitter import Fitter
from lsp_server.fitting.line_marks import lexed
from lsp_server.fitting.macros import without_macros
from lsp_server.fitting.marks import START, LineReader, rules_of
from lsp_server.fitting.place import Fitted
from lsp_server.types import Document


def fit(language: str, text: str, added: str, before: str | None = None) -> str | None:
    fitter, uri = Fitter(), "file:///a"
    if before is not None:
        fitter.update(Document(uri, None, language, 0, before))
    document = Document(uri, None, language, 1, text.replace("‸", ""))
    result = fitter.fit(document, text.index("‸"), added)
    return result.text if isinstance(result, Fitted) else None


JAVA_CLASS = "class A {\n    int x;\n\n    ‸\n\n    void f() {\n    }\n}\n"
JAVA_METHOD = "class A {\n    void f() {\n        ‸\n    }\n}\n"
CPP_CLASS = "class A {\n public:\n  int f();\n  ‸\n private:\n  int x_;\n};\n"
CPP_FUNCTION = "void f() const {\n  int x = 1;\n  ‸\n}\n"
WRONG = (
    ("java", JAVA_CLASS, "return x;"),
    ("java", JAVA_METHOD, "import java.util.List;"),
    ("java", JAVA_METHOD, "public void g() {"),
    ("cpp", CPP_CLASS, "return x_;"),
    ("cpp", CPP_CLASS, "for (int i = 0; i < n; ++i) {"),
    ("cpp", CPP_FUNCTION, "public:"),
    ("cpp", CPP_FUNCTION, "namespace a {"),
    ("cpp", "A::A(const A &o)\n    : a(o.a)\n    ‸\n      b(o.b) {}\n", "#pragma once"),
    ("rust", "impl A {\n    ‸\n\n    fn g(&self) {}\n}\n", "let x = 1;"),
    ("csharp", "class A\n{\n    ‸\n\n    void F()\n    {\n    }\n}\n", "return x;"),
    ("systemverilog", "// about\n‸\nmodule m;\nendmodule\n", ".clk_i(clk_i),"),
    ("cpp", "void f() {\n  call(a,\n       ‸\n}\n", "drop_all();"),
    ("systemverilog", "module m;\n  assign c = d;\n  ‸\nendmodule\n", 'else `uvm_error("a", "b")'),
    ("python", "def f(name):\n    return name\n\n‸\nf(1)\n", "        return name"),
    ("python", "def f(a):\n    g(\n        a,\n    )\n    ‸\n", "    return a"),
    ("python", 'def f(a):\n    """Text.\n\nMore."""\n    ‸\n', "    return a"),
)
SVA = "module m;\n  a_x:\n    assert property (@(posedge clk)\n      a |-> b)\n    ‸\n\n  assign c = d;\nendmodule\n"
RIGHT = (
    ("python", "def f(name):\n    return name\n\n‸\nf(1)\n", "    return name"),
    ("python", "def f(\n    a,\n):  # b\n    # c\n\n‸\n", "    return a"),
    ("python", 'def f():\n    x = """\na:\n"""\n    ‸\n', "return x"),
    ("python", "def f(a):\n    g(a,\n  1)\n    ‸\n", "return a"),
    ("python", "def f(a):\n    x = a + \\\n  1\n    ‸\n", "return x"),
    ("python", "class A:\n    def f(self):\n\treturn 1\n    ‸\n", "def g(self):"),
    ("systemverilog", SVA, 'else `uvm_error("a", "b")'),
    ("systemverilog", "module m;\n  ‸\n\n  assign c = d;\nendmodule\n", "a_no_sleep:"),
    ("bash", "‸\n", "wait_for_client()"),
    ("ruby", "module A\n  if x\n    def f?(a)\n    end\n  else\n    ‸\n    end\n  end\nend\n", "def f?(a)"),
    (
        "java",
        "class A {\n    void f() {\n        g(new B() {\n            ‸\n            }\n        });\n    }\n}\n",
        "public void h() {",
    ),
    ("csharp", "class A(int x)\n{\n    int y = x;\n\n    ‸\n}\n", "private int f() => y;"),
    ("cpp", "‸\n public:\n  void f();\n};\n", 'class CAPABILITY("mutex") Mutex {'),
    ("java", JAVA_CLASS, "int returned;"),
    ("java", JAVA_METHOD, "return;"),
    ("java", "class A {\n    void f() {\n        ‸\n        }\n    }\n}\n", "try (Reader a = open();"),
    ("cpp", CPP_CLASS, "int g() const;"),
    ("cpp", CPP_FUNCTION, "for (int i = 0;"),
    ("cpp", "struct A *make(struct B *b) {\n  ‸\n}\n", "return 0;"),
    ("cpp", "// about\n‸\n", "#pragma once"),
    ("systemverilog", "module m;\n  n i_n (\n    ‸\n    .b(b)\n  );\nendmodule\n", ".clk_i(clk_i),"),
)


@pytest.mark.parametrize(("language", "text", "added"), WRONG)
def test_a_line_of_another_level_is_not_offered(language: str, text: str, added: str) -> None:
    assert fit(language, text, added) != added


@pytest.mark.parametrize(("language", "text", "added"), RIGHT)
def test_a_line_of_this_level_is_offered(language: str, text: str, added: str) -> None:
    assert fit(language, text, added) == added


MACROS = (
    ("cpp", "EXPORT_API int f(void);", "int f(void);"),
    ("cpp", "  static EXPORT_API std::string name() NO_THROW;", "  static std::string name();"),
    ("cpp", 'TEST_CASE("a", "[b]") {', "void f() {"),
    ("cpp", "BEGIN_NAMESPACE", ""),
    ("cpp", 'class CAPABILITY("mutex") Mutex {', "class Mutex {"),
    ("cpp", "HANDLE h;", "HANDLE h;"),
    ("cpp", "FILE *f;", "FILE *f;"),
    ("cpp", "#define EXPORT_API int x", "#define EXPORT_API int x"),
    ("systemverilog", "  `FF_REG(a, b, '0)", ""),
    ("systemverilog", "  assign a = `WIDTH;", "  assign a = `WIDTH;"),
    ("python", "EXPORT_API x", "EXPORT_API x"),
)


@pytest.mark.parametrize(("language", "line", "plain"), MACROS)
def test_macros_are_taken_out_before_the_code_is_parsed(language: str, line: str, plain: str) -> None:
    assert without_macros(language, [line]) == [plain]


def test_an_error_next_to_macros_is_found() -> None:
    text = "EXPORT_API int f() {\n  return 1;\n}\n\nEXPORT_API int g() {\n  ‸\n}\n"
    assert fit("cpp", text, "int a = (1;") is None
    assert fit("cpp", text, "int a b c;") != "int a b c;"
    assert fit("cpp", text, "int a = 1;") == "int a = 1;"


def test_a_docstring_at_the_edge_of_the_parsed_lines_hides_no_error() -> None:
    prose = "".join(f"    It's said here ({n}.\n\n" for n in range(80))
    function = f'def f():\n    """Do it.\n\n{prose}    """\n    return 1\n\n\n'
    text = f"{function}def g():\n    ‸\n\n\n{function}"
    assert fit("python", text, "return 1 2 3") != "return 1 2 3"
    assert fit("python", text, "return 2") == "return 2"


@pytest.mark.parametrize("language", ["python", "go", "c", "typescript", "systemverilog", "rust", "ruby", "vhdl"])
def test_a_neutral_line_changes_nothing_that_is_open(language: str) -> None:
    reader = LineReader(rules_of(language))
    opened = reader.read("call(", START)
    for line in ("", "x = y", "x = f(a, [1, 2])", 'print("a (b", c)', "f({a: 1})"):
        if lexed(reader.rules, line).neutral:
            after = reader.read(line, opened)
            assert after.code is opened.code and after.faults == opened.faults


def test_a_heredoc_may_end_with_a_mark() -> None:
    assert fit("bash", "f() {\n  ‸\n}\n", "assert_output <<!") == "assert_output <<!\n!"


def test_a_part_of_marks_alone_is_not_offered() -> None:
    assert fit("rust", "fn f() {\n    ‸\n    g();\n}\n", "# (;") is None


JOINED = "class Names(\n    first: Int,\n    second: Int = 1,\n) {\n    fun f() {}\n}\n"
CLOSED = "namespace a {\n\nint x;\n\nint run_all();\n\n} // namespace a\n\n// about the end\n"


def test_a_statement_of_several_lines_may_be_joined_to_one() -> None:
    text = "class Names(first: Int‸\n    first: Int,\n    second: Int = 1,\n) {\n    fun f() {}\n}\n"
    assert fit("kotlin", text, ", second: Int = 1) {", JOINED) == ", second: Int = 1) {"
    assert fit("kotlin", text.replace("first: Int‸", "other: Int‸"), ") {", JOINED) != ") {"


def test_a_line_may_do_again_what_a_line_did_that_is_gone_from_here() -> None:
    far = "int y;\n" * 300  # so that the beginning of the namespace is not read
    text = CLOSED.replace("int x;\n", far).replace("} // namespace a", "‸")
    before = text.replace("‸", "} // namespace a")
    assert fit("cpp", text, "}  // namespace a", before) == "}  // namespace a"
    twice = text.replace("‸", "}  // namespace a\n‸")
    assert fit("cpp", twice, "}  // namespace a", before) is None


@pytest.mark.parametrize(
    ("language", "text", "added", "left"),
    [
        ("sql", "begin\n    x := format('%s,%s', a, v_n‸\n    end if;\n", "ew_path;", "ew_path"),
        ("perl", "sub f {\n    $x = g($a, $v_n‸\n}\n", "ew_path;", "ew_path"),
        ("sql", "begin\n    x := format('%s', v_n‸\n    end if;\n", "ew_path);", "ew_path);"),
        ("perl", "sub f {\n    for (my $i = 0; $i < $n‸\n", "ow;", "ow;"),
    ],
)
def test_a_semicolon_stands_behind_the_parenthesis_also_where_there_is_no_grammar(
    language: str, text: str, added: str, left: str
) -> None:
    assert fit(language, text, added) == left
