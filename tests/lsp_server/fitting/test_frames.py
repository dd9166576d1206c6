"""Places whose surroundings are not whole: new files, heads far above, open lists. They are judged like others."""

import pytest

from lsp_server.fitting.fitter import Fitter
from lsp_server.types import Document
from tests.support.fitted_texts import fit


@pytest.mark.parametrize(
    ("path", "language", "head", "line", "end", "wrong", "right"),
    [
        (
            *("a.sv", "systemverilog", "module m #(\n  parameter A = 0\n) (\n  input logic a\n);", "  assign b = a;"),
            *("endmodule", "assign b, a;", "assign b = 0;"),
        ),
        (
            *("a.sv", "systemverilog", "package p;\nclass c #(\n  int A = 0\n);\n  task run(\n    input a\n  );"),
            *("    b = a;", "  endtask\nendclass\nendpackage", "b c = a = ;", "b = a + 1;"),
        ),
        ("a.ts", "typescript", "export function run(\n  a: A,\n): B {", "  use(a)", "}", "use(a b)", "use(a, b)"),
        ("a.ts", "typescript", "const run = async (\n  a: A,\n) => {", "  use(a)", "}", "use(a b)", "use(a, b)"),
        (
            "T.java",
            "java",
            "class T {\n  void run(\n      int a) {",
            "    use(a);",
            "  }\n}",
            "use(a b);",
            "use(a, b);",
        ),
        ("a.c", "c", "int run(int a,\n        int b)\n{", "    use(a);", "}", "use(a b);", "use(a, b);"),
        ("a.go", "go", "package a\n\nfunc run(\n\ta int,\n) {", "\tuse(a)", "}", "use(a b)", "use(a, b)"),
        ("a.rs", "rust", "fn run(\n    a: A,\n) {", "    use_it(a);", "}", "use_it(a b);", "use_it(a, b);"),
        (
            "a.c",
            "c",
            "int run(int a) {\n  if (a) {\n    b();\n  } else {",
            "    use(a);",
            "  }\n}",
            "use(a b);",
            "use(a);",
        ),
    ],
)
def test_a_head_of_several_lines_far_above_does_not_hide_an_error(
    path: str, language: str, head: str, line: str, end: str, wrong: str, right: str
) -> None:
    blanks = line[: len(line) - len(line.lstrip())]
    text = "\n".join([head, *[line] * 200, f"{blanks}‸", *[line] * 100, end]) + "\n"
    assert fit(path, text, right) == right
    assert fit(path, text, wrong) != wrong


@pytest.mark.parametrize(
    ("path", "language", "end"), [("a.ts", "typescript", ""), ("T.java", "java", ";"), ("a.c", "c", ";")]
)
def test_a_long_comment_above_does_not_hide_an_error(path: str, language: str, end: str) -> None:
    comment = "/**\n" + " * It doesn't (always [say) \"what.\n" * 150 + " */\n"
    head = {"java": "class T { void run() {", "c": "void run(void) {"}.get(language, "function run() {")
    text = f"{comment}{head}\n  use(a){end}\n  ‸\n  use(b){end}\n" + ("} }\n" if language == "java" else "}\n")
    assert fit(path, text, f"use(a, b){end}") == f"use(a, b){end}"
    assert fit(path, text, f"use(a b){end}") != f"use(a b){end}"


def test_code_in_a_macros_block_is_judged() -> None:
    text = 'TEST_CASE("a") {\n  Options options;\n\n  SECTION("b") {\n    int argc = 1;\n    ‸\n  }\n}\n'
    assert fit("a.cpp", text, "auto result = options.parse(argc);") == "auto result = options.parse(argc);"
    assert fit("a.cpp", text, "auto result options;") != "auto result options;"
    document = Document("file:///a.cpp", "a.cpp", "cpp", 1, text.replace("‸", ""))
    fitter = Fitter()
    assert not fitter.may_end(document, text.index("‸"), "auto result = options")
    assert fitter.may_end(document, text.index("‸"), "auto result = options;")


@pytest.mark.parametrize(
    ("path", "language", "text"),
    [
        ("a.sv", "systemverilog", "module m (\n  input logic a,\n  ‸\n  input logic c\n);\nendmodule\n"),
        ("a.sv", "systemverilog", "module m #(\n  parameter A = 0,\n  ‸\n  parameter C = 0\n) ();\nendmodule\n"),
        ("a.sv", "systemverilog", "module m;\n  n i_n (\n    .a ( a ),\n    ‸\n    .c ( c )\n  );\nendmodule\n"),
        ("a.c", "c", "void run(void) {\n    use(a,\n        ‸\n        c);\n}\n"),
        ("a.cpp", "cpp", "std::vector<int> a{\n    first,\n    ‸\n    last,\n};\n"),
        ("T.java", "java", "class T {\n  void run() {\n    use(a,\n        ‸\n        c);\n  }\n}\n"),
        ("a.ts", "typescript", "use(\n  a,\n  ‸\n  c,\n)\n"),
        ("a.ts", "typescript", "const a = {\n  a: 1,\n  ‸\n  c: 3,\n}\n"),
        ("a.py", "python", "use(\n    a,\n    ‸\n    c,\n)\n"),
        ("a.go", "go", "package a\n\nvar a = []int{\n\tone,\n\t‸\n\tthree,\n}\n"),
        ("a.rs", "rust", "fn run() {\n    use_it(\n        a,\n        ‸\n        c,\n    );\n}\n"),
    ],
)
def test_an_item_before_another_one_gets_the_comma_that_it_lacks(path: str, language: str, text: str) -> None:
    item = "b: 2" if "a: 1" in text else "b"
    if language == "systemverilog":
        item = "input logic b" if "input" in text else "parameter B = 0" if "parameter" in text else ".b ( b )"
    assert fit(path, text, item) == item + ","
    assert fit(path, text, item + ",") == item + ","


@pytest.mark.parametrize(
    ("path", "language", "text", "written"),
    [
        (
            "a.sv",
            "systemverilog",
            "module m;\n  a i_a (\n    ‸\n  // Registers\n  always_comb b = c;\nendmodule\n",
            ".b ( c ),",
        ),
        ("a.sv", "systemverilog", "module m #(\n  // First\n  ‸\n", "parameter int A = 0,"),
        (
            *("a.rs", "rust", "lazy_static! {\n    static ref A: B = {\n        b()\n    };\n    ‸\n}\n"),
            "static ref C: B = b();",
        ),
        (
            *("a.rs", "rust"),
            "impl<F> A<F>\nwhere\n    F: Fn(),\n{\n    fn one<G>()\n    where\n        G: Fn(),\n    {\n    }\n\n"
            "    fn two<G>()\n    where\n        ‸\n    {\n    }\n}\n",
            "G: Fn(),",
        ),
        (
            "a.sv",
            "systemverilog",
            "module m;\n  localparam cfg_t A = '{\n    B: 1'b1,\n    ‸\n\n  logic c;\nendmodule\n",
            "D: 1'b0,",
        ),
        ("a.ts", "typescript", "class A {\n  a() {\n  }\n\n  async ‸\n    b()\n  }\n}\n", "run(): Promise<{"),
        ("a.cpp", "cpp", "template <class T>\n‸\n", "struct has<T, enable_if_t<is_same<decltype(a()),"),
        ("a.rs", "rust", "fn run() -> bool {\n    let done = true;\n    ‸\n}\n", "done"),
        (
            "a.py",
            "python",
            'def run():\n    print(\n        "It \\\n        goes on‸\n    )\n    return ["-", "b"]\n',
            '."',
        ),
        ("a.cpp", "cpp", 'TEST_CASE("a" *\n          ‸\n  int b = 1;\n}\n', 'test_suite("c")) {'),
        ("a.ts", "typescript", "const measure = (\n  ‸\n\nexport default measure\n", "setUp: () => void,"),
        ("a.ts", "typescript", "export type Test<T> = (\n  ‸\n", "this: Context<T>,"),
        ("a.py", "python", "a = (\n    b\n    ‸\n\nc = 1\n", "if b is None"),
        (
            *(
                "a.cpp",
                "cpp",
                "struct a {\n  a(int b, int c)\n      : d{move‸\n      , e{c} {}\n  int d;\n  int e;\n};\n",
            ),
            "(b)},",
        ),
        (
            *(
                "a.sv",
                "systemverilog",
                "module m;\n  always_comb begin\n    if (a) begin\n      b = 1;\n    end\n    // else\n    ‸",
            ),
            "else if (c) begin",
        ),
    ],
)
def test_a_right_line_of_a_list_that_nobody_has_closed_is_kept(
    path: str, language: str, text: str, written: str
) -> None:
    if written.startswith("else"):
        text += "\n  end\nendmodule\n"
    assert fit(path, text, written) == written


def test_a_line_joined_from_several_old_ones_is_kept() -> None:
    old = "import {\n  after,\n  before,\n  describe,\n} from 'vitest'\n"
    text = "import { after, before, describe‸\n  after,\n  before,\n  describe,\n} from 'vitest'\n"
    assert fit("a.ts", text, ", it } from 'vitest'", old) == ", it } from 'vitest'"


def test_a_name_of_an_old_line_below_is_free_where_its_neighbour_is_repeated() -> None:
    old = "\tfs := make()\n\tfs.Use()\n\n\tname := 1\n\tflag := fs.Look(name)\n}\n"
    text = f"package a\n\nfunc First() {{\n\tUse()\n\n\tname := 1\n\tflag := ‸\n{old}"
    assert fit("a.go", text, "Look(name)") == "Look(name)"


@pytest.mark.parametrize(
    "below",
    [
        "    B = 2\n\n\ndef run():\n    return 1\n\n\nclass C:\n    " + '"""\n    What it is.\n',
        '    B = 2\n\n\ndef run():\n    """Run."""\n',
        '    B = 2\n\n\nTEXT = """\nlines\n"""\n',
    ],
)
def test_quotes_that_open_further_down_end_no_string_of_the_cursor(below: str) -> None:
    assert fit("a.py", f"class A:\n    A = 1\n    ‸\n{below}", '"""') != '"""'


@pytest.mark.parametrize(("path", "language"), [("T.java", "java"), ("a.ts", "typescript"), ("a.c", "c")])
def test_a_comment_that_the_next_line_ends_is_not_ended_twice(path: str, language: str) -> None:
    text = "/**\n * Runs.\n * @return {}\n */\n"
    now = "/**\n * Runs.\n * @throws an error\n ‸\n */\n"
    assert fit(path, now, "*/", text) is None
