"""Right lines stand above old ones that are left, go on in the next line, or close what began far above."""

import pytest

from lsp_server.fitting.fitter import Fitter
from lsp_server.fitting.place import Fitted, Rejected
from lsp_server.types import Document


def fit(language: str, text: str, added: str, before: str | None = None, *, automatic: bool = False) -> str | None:
    """Return what is inserted at the mark ‸ of a document; ``before``: the document as it was opened."""
    fitter, uri = Fitter(), "file:///a"
    if before is not None:
        fitter.update(Document(uri, None, language, 0, before))
    document = Document(uri, None, language, 1, text.replace("‸", ""))
    result = fitter.fit(document, text.index("‸"), added, automatic=automatic)
    return result.text if isinstance(result, Fitted) else None


GO_OLD = "func f() {\n\tif ready {\n\t\trun()\n\t\tstop()\n\t}\n\treturn\n}\n"
RUBY_OLD = "class A\n  def f\n    if x\n      run\n      stop\n    end\n  end\nend\n"
VERILOG_OLD = (
    "module m;\n  always_comb begin\n    if (a) begin\n      b = 1;\n      c = 1;\n    end\n  end\nendmodule\n"
)
REPLACED = (
    ("go", GO_OLD, "func f() {\n\tif early {\n\t\tcall()\n\t‸\n\t}\n\treturn\n}\n", "}"),
    ("ruby", RUBY_OLD, "class A\n  def f\n    if y\n      call\n    ‸\n    end\n  end\nend\n", "end"),
    (
        "systemverilog",
        VERILOG_OLD,
        "module m;\n  always_comb begin\n    if (z) begin\n      d = 1;\n    ‸\n    end\n  end\nendmodule\n",
        "end",
    ),
)


@pytest.mark.parametrize(("language", "before", "text", "closing"), REPLACED)
def test_a_closing_line_stands_above_the_old_one_while_a_block_is_replaced(
    language: str, before: str, text: str, closing: str
) -> None:
    assert fit(language, text, closing, before) == closing
    # The same line is one too many where nobody replaces anything.
    assert fit(language, text, closing, text.replace("‸", "")) is None
    assert fit(language, text, closing) is None


def test_the_name_of_a_line_that_is_replaced_is_free() -> None:
    before = "class A:\n    def size(self):\n        return 1\n\n    def count(self, deep):\n        return 2\n"
    text = "class A:\n    def length(self):\n        return 3\n    ‸\n    def count(self, deep):\n        return 2\n"
    assert fit("python", text, "def count(self):", before) == "def count(self):"
    assert fit("python", text, "def count(self):", text.replace("‸", "")) is None


GOES_ON = (
    ("rust", "fn f() {\n    ‸\n}\n", "let entry = builder"),
    ("java", "class A {\n    void f() {\n        ‸\n    }\n}\n", "assertThat(print(a))"),
    ("typescript", "const x = a\n  ‸\nrun();\n", "? first"),
    ("cpp", "int f() {\n  ‸\n}\n", "auto x = builder"),
    ("systemverilog", "module m;\n  ‸\nendmodule\n", "assign a = b ? c : d"),
)


@pytest.mark.parametrize(("language", "text", "added"), GOES_ON)
def test_a_statement_may_go_on_in_the_next_line_where_it_is_requested(language: str, text: str, added: str) -> None:
    assert fit(language, text, added) == added
    assert fit(language, text, added, automatic=True) != added


CLOSED = (
    ("python", "def f():\n    ‸\n    return 1\n", '"""Return one.', '"""'),
    ("c", "int f(void) {\n  ‸\n  return 1;\n}\n", "/* There is a node", " */"),
    ("typescript", "const a = {\n  ‸\n};\n", "text: `abc", "`"),
    ("go", "func f() {\n\t‸\n}\n", "x := `abc", "`"),
    ("rust", "fn f() {\n    ‸\n}\n", 'let x = r#"abc', '"#'),
    ("html", "<p>\n‸\n</p>\n", "<!-- hello", " -->"),
    ("bash", "f() {\n  ‸\n}\n", "x='abc", "'"),
)


@pytest.mark.parametrize(("language", "text", "added", "end"), CLOSED)
def test_a_string_of_several_lines_comes_with_its_end(language: str, text: str, added: str, end: str) -> None:
    assert fit(language, text, added) == added + end
    assert fit(language, text, added, automatic=True) != added


def test_a_block_that_began_far_above_can_be_closed() -> None:
    body = "".join(f"    int f{n}() {{\n        return {n};\n    }}\n\n" for n in range(200))
    assert fit("java", f"class A {{\n{body}    int last() {{\n        return 1;\n    ‸\n}}\n", "}") == "}"
    assert fit("java", f"class A {{\n{body}    int last() {{\n        return 1;\n    }}\n‸\n}}\n", "}") is None


def test_a_string_that_ends_is_not_begun_again() -> None:
    assert fit("typescript", "run({ key: '‸});\n", "v43' });\"}") != "v43' });\""


@pytest.mark.parametrize("added", ["assert [", "call(", 'x = "abc', "values = {'a': ["])
def test_nothing_is_shown_by_itself_that_opens_what_it_does_not_close(added: str) -> None:
    shown = fit("python", "def f():\n    ‸\n    return 1\n", added, automatic=True)
    assert shown is None or (shown.count("[") == shown.count("]") and shown.count("(") == shown.count(")"))


def test_the_commands_of_a_makefile_are_a_shell_s() -> None:
    text = "test:\n\tif [ -n x ]; then \\\n\t\ta; \\\n\t‸\n\t\tb; \\\n\tfi\n"
    assert fit("make", text, "else \\") == "else \\"
    assert fit("make", "A = 1\n‸\nB = 2\n", "else") is None
    assert fit("make", "A = 1\n‸\nB = 2\n", "endif") is None
    assert fit("make", "ifeq (a,b)\nA = 1\n‸\nB = 2\n", "endif") == "endif"
    assert fit("make", "define A\nx\n‸\n\nB = 2\n", "endef") == "endef"
    assert fit("make", "A = 1\n‸\n", "endef") is None


def test_brackets_and_quotes_of_sql_are_closed_once() -> None:
    text = "SELECT a FROM t WHERE b IN (‸);\n"
    assert fit("sql", text, "1, 2)") == "1, 2)"
    result = Fitter().fit(Document("u", None, "sql", 1, "SELECT 'a‸';\n".replace("‸", "")), 9, "bc'")
    assert isinstance(result, Rejected) or result.text + "';"[result.end - 9 :] == "bc';"
