"""Tests, targets, tables and decorated functions have their names once too, however far away the scope has them."""

import pytest

from lsp_server.fitting.fitter import Fitter
from lsp_server.types import Document


def twice(language: str, text: str, insert: str) -> bool:
    offset = text.index("‸")
    document = Document("file:///x", "x", language, 1, text.replace("‸", ""))
    return Fitter().defined_twice(document, offset, insert)


TWICE = [
    ("rust", "mod t {\n    #[test]\n    fn a() {\n    }\n\n    #[test]\n    ‸\n}\n", "fn a() {"),
    ("rust", 'match a {\n    "b" => 1,\n    ‸\n}\n', '"b" => 2,'),
    ("python", "@fixture\ndef a():\n    pass\n\n\n@fixture(\n    scope='module'\n)\n‸\n", "def a():"),
    ("java", "class A {\n    @Test\n    void a() {\n    }\n\n    @Test\n    ‸\n}\n", "void a() {"),
    ("typescript", 'describe("x", () => {\n  it("a", () => {\n  });\n\n  ‸\n});\n', 'it("a", () => {'),
    ("ruby", 'describe "x" do\n  it "a" do\n  end\n\n  ‸\nend\n', 'it "a" do'),
    ("ruby", "class A\n  has_many :b\n  ‸\nend\n", "has_many :b, dependent: :destroy"),
    ("elixir", 'defmodule A do\n  test "a" do\n  end\n\n  ‸\nend\n', 'test "a" do'),
    ("bash", '@test "a" {\n  b\n}\n\n‸\n', '@test "a" {'),
    ("cpp", 'TEST_CASE("a") {\n}\n\n‸\n', 'TEST_CASE("a") {'),
    ("cpp", "TEST(A, b) {\n}\n\n‸\n", "TEST(A, b) {"),
    ("go", 'func f() {\n\tt.Run("a", func(t *testing.T) {\n\t})\n\t‸\n}\n', 't.Run("a", func(t *testing.T) {'),
    ("kotlin", "class A {\n    @Test\n    fun a() {\n    }\n\n    @Test\n    ‸\n}\n", "fun a() {"),
    ("kotlin", "when (x) {\n    A -> 1\n    ‸\n}\n", "A -> 2"),
    ("kotlin", "val a = A(\n    id = 1,\n    ‸\n)\n", "id = 2,"),
    ("scala", "object A {\n  def f(a: Int): Int = a\n  ‸\n}\n", "def f(a: Int): Int = b"),
    ("scala", "x match {\n  case A(b) => 1\n  ‸\n}\n", "case A(b) => 2"),
    ("lua", "function M.f(a)\n  return a\nend\n\n‸\n", "function M.f(b)"),
    ("lua", "local a = {\n  b = 1,\n  ‸\n}\n", "b = 2,"),
    ("make", "a: b\n\tc\n\n‸\n", "a: b d"),
    ("cmake", "add_library(a b)\n‸\n", "add_library(a c)"),
    ("sql", "CREATE TABLE a (\n    id int\n);\n‸\n", "create table a ("),
    ("sql", "CREATE TABLE a (\n    id int,\n    ‸\n);\n", "id text,"),
    ("swift", "struct A {\n    func f() {\n    }\n\n    ‸\n}\n", "func f() {"),
    ("swift", "switch a {\ncase .b:\n    c()\n‸\n}\n", "case .b:"),
    ("php", "<?php\nclass A\n{\n    private $a;\n    ‸\n}\n", "private $a;"),
]


@pytest.mark.parametrize(("language", "text", "insert"), TWICE)
def test_a_scope_holds_a_name_once(language: str, text: str, insert: str) -> None:
    assert twice(language, text, insert)


ONCE = [
    ("rust", "#[cfg(unix)]\nfn a() {\n}\n\n#[cfg(windows)]\n#[inline]\n‸\n", "fn a() {"),
    ("python", "@a.b\n@f.register\ndef f():\n    pass\n\n\n@f.register\n@a.b\n‸\n", "def f():"),
    ("java", "class A {\n    @Test\n    void a() {\n    }\n\n    @Test\n    ‸\n}\n", "void a(int b) {"),
    (
        "typescript",
        'describe("x", () => {\n  it("a", () => {\n  });\n});\ndescribe("y", () => {\n  ‸\n});\n',
        'it("a", () => {',
    ),
    ("typescript", 'test("a", f);\n‸\n', 'test("b", f);'),
    ("kotlin", "fun f(a: Int) = a\n‸\n", "fun f(a: String) = a"),
    ("kotlin", "val a = A(\n    id = 1,\n)\nval b = A(\n    ‸\n)\n", "id = 2,"),
    ("scala", "class A\n‸\n", "object A"),
    ("scala", "def f: A = new A:\n  val b = 1\n\ndef g: A = new A:\n  ‸\n", "val b = 1"),
    ("lua", "local a = 1\n‸\n", "local a = 2"),
    ("make", "a: b\n‸\n", "a: c"),
    ("cmake", "if(A)\n  add_library(a b)\nelse()\n  ‸\nendif()\n", "add_library(a c)"),
    ("sql", "CREATE TABLE a (\n    id int\n);\nCREATE TABLE b (\n    ‸\n);\n", "id int,"),
    ("swift", "func f(a: Int) {\n}\n\n‸\n", "func f(b: Int) {"),
    ("bash", "Describe a\n  It b\n  End\nEnd\n‸\n", "Describe a"),
]


@pytest.mark.parametrize(("language", "text", "insert"), ONCE)
def test_another_scope_and_another_name_may_stand_there(language: str, text: str, insert: str) -> None:
    assert not twice(language, text, insert)


def many(line: str, count: int = 200) -> str:
    """Return enough lines to keep both ends from being read together."""
    return "".join(line.replace("%", str(number)) + "\n" for number in range(count))


CLASS = "class A {\n    ‸\n\n    void b() {\n" + many("        c%();") + "    }\n\n    void a() {\n    }\n}\n"

LABEL = "class A {\n    void a() {\n    }\n  public:\n    void c() {\n"

FAR = [
    (
        "php",
        "<?php\nclass A\n{\n    function a()\n    {\n" + many("        b%();") + "    }\n\n    ‸\n}\n",
        "function a()",
    ),
    ("cpp", LABEL + many("        b%();") + "    }\n\n    ‸\n};\n", "void a() {"),
    ("python", "class A:\n    def a(self):\n" + many("        b%()") + "\n    ‸\n", "def a(self):"),
    ("go", "func A() {\n" + many("\tb%()") + "}\n\n‸\n", "func A() {"),
    ("java", CLASS, "void a() {"),
    ("rust", "mod t {\n    #[test]\n    fn a() {\n" + many("        b%();") + "    }\n\n    ‸\n}\n", "fn a() {"),
    ("typescript", 'd("x", () => {\n  it("a", f);\n' + many('  it("b%", f);') + "  ‸\n});\n", 'it("a", f);'),
    ("yaml", "a:\n  name: b\n" + many("  k%: 1") + "  ‸\n", "name: c"),
    ("vhdl", "entity e is\n  port (\n" + many("    a% : in bit;") + "    ‸\n  );\nend entity;\n", "a3 : in bit;"),
    ("systemverilog", "fifo u (\n" + many("    .a%(a%),") + "    ‸\n  );\n", ".a3(b),"),
]


@pytest.mark.parametrize(("language", "text", "insert"), FAR)
def test_a_name_further_away_than_lines_are_read_counts(language: str, text: str, insert: str) -> None:
    assert twice(language, text, insert)


FAR_SCOPES = [
    ("python", "def c():\n    def a():\n" + many("        b%()") + "\n\ndef d():\n    ‸\n", "def a():"),
    (
        "python",
        "class A:\n    @property\n    def a(self):\n" + many("        b%()") + "\n    @a.setter\n    ‸\n",
        "def a(self):",
    ),
    ("java", CLASS.replace("    void a()", "}\n\nclass B {\n    void a()"), "void a() {"),
    ("yaml", "a:\n  - name: b\n" + many("    k%: 1") + "  - uses: c\n    ‸\n", "k3: 2"),
    ("c", "#ifdef A\nint f(void)\n{\n" + many("    b%();") + "}\n#else\n‸\n#endif\n", "int f(void)"),
    ("systemverilog", "module m;\nlogic a;\nendmodule\n" + many("// %") + "module n;\n‸\nendmodule\n", "logic a;"),
    ("cpp", "class F {\n};\n" + many("int b%;") + "‸\n", "class G : F {"),
]


@pytest.mark.parametrize(("language", "text", "insert"), FAR_SCOPES)
def test_a_far_name_of_another_scope_is_free(language: str, text: str, insert: str) -> None:
    assert not twice(language, text, insert)
