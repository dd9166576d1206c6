"""Lines that say nothing without the next one are judged by what they may go on with, and not simply let through."""

import pytest

from lsp_server.fitting.fitter import Fitter
from lsp_server.fitting.place import Fitted
from lsp_server.types import Document
from tests.support.fitted_texts import fit

METHOD = "class T {\n  void run() {\n    int a = 1;\n    ‸\n  }\n}\n"
CLASS = "class T {\n  int a = 1;\n\n  ‸\n}\n"
COMMENT = "class T {\n  /**\n   * Runs.\n   ‸\n   */\n  void run() {\n  }\n}\n"
GO = "package a\n\nfunc run() {\n\tx := 1\n\t‸\n\tuse(x)\n}\n"
GO_TOP = "package a\n\n‸\n\nfunc run() {\n}\n"
TYPES = "type A = Pick<B, 'c'>;\n\n‸\n"
TYPE = "type A = Pick<B, 'c'>;\n\ntype E = Resolve<A, Set<'s', 'd'>‸\n\ntype F = A;\n"
GENERATE = "module m;\n  if (E) begin : gen\n    ‸\n  end\nendmodule\n"
ALWAYS = "module m;\n  always_comb begin\n    ‸\n  end\nendmodule\n"
SWITCH = (
    "void run(int a) {\n    switch (a) {\n        case 1:\n            b();\n            break;\n        ‸\n    }\n}\n"
)
HEADER = "#include <string>\n\nclass A : public B {\npublic:\n    int first;\n    ‸\n    int last;\n};\n"

PYTHON = "def run():\n    a = 1\n    ‸\n"


@pytest.mark.parametrize(
    ("path", "language", "text", "written"),
    [
        ("T.java", "java", METHOD, "* of any kind, either express or implied."),
        ("T.java", "java", METHOD, "*"),
        ("T.java", "java", METHOD, "@Override"),
        ("a.go", "go", GO, "import ("),
        ("a.ts", "typescript", TYPE, ";"),
        ("a.sv", "systemverilog", GENERATE, "a[i][j] = (i == j) ?"),
        ("a.cpp", "cpp", SWITCH, "end"),
        ("a.py", "python", PYTHON, "endmodule"),
        ("a.h", "c", HEADER, "std::string ) name;"),
    ],
)
def test_what_goes_on_with_nothing_here_is_rejected_or_cut(path: str, language: str, text: str, written: str) -> None:
    assert fit(path, text, written) != written


@pytest.mark.parametrize(
    ("path", "language", "text", "written"),
    [
        ("a.sv", "systemverilog", "module a;\nendmodule\n\n‸\n", "module b #("),
        ("a.sv", "systemverilog", "interface a;\n  logic x;\n  ‸\nendinterface\n", "modport Master ("),
        ("a.sv", "systemverilog", "interface a;\n  logic x;\n  ‸\nendinterface\n", "task wait_b("),
        ("a.cpp", "cpp", "void f() {\n  int a = 1;\n  CHECK_THROWS_AS(g(a, ‸\n}\n", "b), other::wrong_type&);"),
        ("T.java", "java", COMMENT, "* of any kind, either express or implied."),
        ("T.java", "java", METHOD, "int b = a +"),
        ("T.java", "java", METHOD, "try {"),
        ("T.java", "java", METHOD, "try (Reader reader = open()) {"),
        ("T.java", "java", METHOD, '@SuppressWarnings("unused")'),
        ("T.java", "java", METHOD, "do {"),
        ("T.java", "java", METHOD, "use(a,"),
        ("T.java", "java", METHOD, "if (a == 1"),
        ("T.java", "java", METHOD, "if (a == 1 &&"),
        ("T.java", "java", CLASS, "@Override"),
        ("T.java", "java", CLASS, '@Test(expected = "a")'),
        ("T.java", "java", CLASS, "private static final Map<String,"),
        ("a.go", "go", GO_TOP, "import ("),
        ("a.go", "go", GO, "y := call("),
        ("a.go", "go", GO, "y := x +"),
        ("a.ts", "typescript", TYPE, ", string>;"),
        ("a.ts", "typescript", TYPES, "export type UnsetFlag<Old extends Flags> = Exclude<"),
        ("a.ts", "typescript", TYPES, "export function create<"),
        ("a.ts", "typescript", TYPES, "try {"),
        ("a.sv", "systemverilog", ALWAYS, "a[i][j] = (i == j) ?"),
        ("a.sv", "systemverilog", ALWAYS, "a = b &"),
        ("a.cpp", "cpp", SWITCH, "case 2:"),
        ("a.cpp", "cpp", SWITCH, "end();"),
        ("a.py", "python", PYTHON, "try:"),
        ("a.py", "python", "@first\n‸\n", "@second(1)"),
        ("a.h", "c", HEADER, "std::string name;"),
        ("a.h", "c", HEADER, "template <typename A, typename B> class Later;"),
        ("a.h", "c", HEADER, "sc_out<sc_bv<WIDTH>> id;"),
        ("a.h", "c", "#include <stdio.h>\n\n‸\nint b(void);\n", "int a(void);"),
    ],
)
def test_what_goes_on_with_something_is_kept(path: str, language: str, text: str, written: str) -> None:
    assert fit(path, text, written) == written


def test_a_header_becomes_one_of_c_plus_plus_while_it_is_typed() -> None:
    fitter = Fitter()
    kept = []
    for version, above in enumerate(("", "namespace a {\nclass B {\n")):
        document = Document("file:///b.h", "b.h", "c", version, above + "\n")
        fitter.update(document)
        made = fitter.fit(document, len(above), "static_cast<B<int>>(c)::d();")
        kept.append(isinstance(made, Fitted) and made.text)
        made = fitter.fit(document, len(above), "virtual ~B() = default;")
        kept.append(isinstance(made, Fitted) and made.text)
    assert kept[1] != "virtual ~B() = default;" and kept[3] == "virtual ~B() = default;"


CLASS_OF_TESTS = (
    "namespace A {\n    public class B\n    {\n        public void C()\n        {\n        }\n\n        ‸\n"
)
LOCKED = "class A {\n  Mutex mu_;\n  ‸\n  int last_;\n};\n"
LOCKS = "class A {\n  int a() {\n    return 1;\n  }\n\n  ‸\n    b();\n  }\n};\n"
LOOP = "int a(struct b *c)\n{\n\tint d = 0;\n\n\t‸\n\treturn d;\n}\n"
ELSE = "def f(a):\n    if a < 1:\n        b()\n    ‸\n        c()\n    else:\n        d()\n"
TRIED = "function f(a) {\n  if (a) {\n    b();\n  } else {\n    try {\n      c();\n    } fin‸\n  }\n}\n\ng();\n"
FAR_ALTERNATIVE = (
    "#if A\n" + "int a;\n" * 200 + "#else\nint f(void)\n{\n    int a;\n\n    ‸\n    b();\n    return 1;\n}\n#endif\n"
)
QUERY = "class T {\n    void F() {\n        await G(\n            first,\n            ‸\n    }\n}\n"
TEMPLATE = "template <typename A,\n          enable_if_t<c<A>::value,\n                      int> = 0>\n"
TEMPLATES = f"{TEMPLATE}bool assign(const A &a, B &b) {{\n  return true;\n}}\n\n{TEMPLATE}‸\n"
POSTED = "@a.get(\n    1,\n)\ndef b():\n    pass\n\n\n@a.post(\n    2,\n)\n‸\n"


@pytest.mark.parametrize(
    ("path", "language", "text", "written"),
    [
        ("A.cs", "csharp", CLASS_OF_TESTS, "[Fact]"),
        ("A.cs", "csharp", CLASS_OF_TESTS, "[InlineData(1, 2)]"),
        ("a.rs", "rust", "mod tests {\n    use super::*;\n\n    ‸\n", "#[test]"),
        ("a.php", "php", "<?php\nclass A\n{\n    private int $a;\n\n    ‸\n", "#[Test]"),
        ("a.py", "python", ELSE, "elif a > 2:"),
        ("a.py", "python", POSTED, "def b():"),
        ("a.py", "python", POSTED, "async def b("),
        ("a.ts", "typescript", TRIED, "ally {"),
        ("a.h", "cpp", LOCKED, "int first_ GUARDED_BY(mu_);"),
        ("a.h", "cpp", LOCKED, "std::vector<char*> first_ GUARDED_BY(mu_) = {};"),
        ("a.h", "cpp", LOCKS, "void b(int c) EXCLUSIVE_LOCKS_REQUIRED(mu_) {"),
        ("a.h", "cpp", "class A {\n  A(const A&) = delete;\n  ‸\n  int b;\n};\n", "A& operator=(const A&) = delete;"),
        ("a.h", "cpp", "template <typename T>\nclass A {\n  A() {\n    ‸\n", "static_assert(sizeof(T) > 1,"),
        ("a.c", "c", LOOP, "list_for_each_entry(c, head, list) {"),
        ("a.c", "c", LOOP, "hlist_walk(c, head, list) {"),
        ("a.c", "c", LOOP.replace("‸", "‸\n\t\td++;"), "vector_foreach(c, i, d)"),
        ("a.cpp", "cpp", LOOP, "foreach (auto *c, all()) {"),
        ("a.c", "c", "#include <a.h>\n\n‸\n", "int CJSON_CDECL main(void)"),
        (
            "a.zig",
            "zig",
            "fn a(b: C) void {\n    switch (b) {\n        .d => {},\n        ‸\n    }\n}\n",
            "else => {},",
        ),
        ("a.kt", "kotlin", "fun a(b: Int) = when (b) {\n    1 -> 2\n    ‸\n}\n", "else -> 3"),
        ("a.nix", "nix", "{\n  lib,\n  ‸\n", "pkgs,"),
        ("a.ps1", "powershell", "$a = @(\n    ‸\n\n$b = 1\n", '"Polly",'),
        ("a.sh", "bash", "case $a in\n  b)\n    c\n    ;;\n  ‸\n  *)\n    d\n    ;;\nesac\n", "e)"),
        ("a.hpp", "cpp", TEMPLATES, "bool assign(const A &a, B &b) {"),
        ("A.cs", "csharp", "interface A<T, out P> {\n  int B();\n}\n\n‸\n", "interface A<T> {"),
        ("a.ini", "ini", "[a]\nb = 1\n‸\nc = 2\n\n[d]\ne = 1\n", "e = 2"),
        ("a.swift", "swift", "func a() {\n  #if b\n  let c = 1\n  #else\n  ‸\n  #endif\n}\n", "let c = 2"),
        ("a.h", "cpp", "void f() {\n  static_assert(a<T> ||\n                ‸\n", "b<T>::value,"),
        ("A.java", "java", "enum A implements B {\n  C;\n\n  int d = 1;\n\n  @Override\n  ‸\n", "public int now() {"),
        ("a.cpp", "cpp", "class A : public B\n{\n};\n\n‸\n\nint c;\n", "class C : public B"),
        ("a.h", "cpp", LOCKED, "~A() CPP_NOEXCEPT override;"),
        ("a.h", "cpp", LOCKED, "a_inline some_type copy_and_find(const char *b, char *c);"),
        ("a.h", "cpp", LOCKED, "a_api std::vector<int> all() {"),
        (
            "a.h",
            "c",
            "#include <string>\n\nint a(int b) {\n  if (b) {\n    ‸\n  }\n}\n",
            "throw std::runtime_error(c);",
        ),
        ("a.cpp", "cpp", "void a() {\n  A_IF_CONSTEXPR(b) {\n    c();\n  ‸\n", "} else {"),
        ("a.zsh", "bash", "a() {\n  b\n  ‸\n}\n", "if (( ! $+commands[c] )); then"),
        ("bin/a", "bash", "#!/usr/bin/env zsh\na() {\n  b\n  ‸\n}\n", "if (( ! $+commands[c] )); then"),
        ("a.zsh", "bash", "a\n‸\n", 'b zsh >| "$C/_b" &|'),
        ("a.c", "c", "int a;\n\n‸\n\nint b;\n", "static BOOL foo(int x);"),
        ("a.c", "c", "int a;\n\n‸\n\nint b;\n", "static DWORD WINAPI foo(int x);"),
        ("a.c", "c", "int a;\n\nstatic ‸\n\nint b;\n", "BOOL foo(int x);"),
        ("a.c", "c", "static HRESULT\n‸\n\nint b;\n", "foo(int x);"),
        ("a.c", "c", LOOP, "return (struct p) {"),
        ("a.h", "cpp", LOCKED, "Widget const& get(int id) const;"),
        ("a.h", "cpp", LOCKED, "uint8_t const *get(int id);"),
        ("a.cpp", "cpp", LOOP, "for_each(a, b, [](int x) { g(x); });"),
        ("A.cs", "csharp", QUERY, "a => from b in a.Set<C>()"),
        (
            "A.cs",
            "csharp",
            QUERY.replace("‸", "a => from b in a.Set<C>()\n                 ‸"),
            "join d in a.Set<D>() on b.Id equals d.Id",
        ),
        ("a.c", "c", FAR_ALTERNATIVE, "if (size > MAX) {"),
        ("a.c", "c", "static int XMLCALL\n‸\n\nint b(void) {\n  return 1;\n}\n", "handler(void *a, const char *b,"),
        ("a.sv", "systemverilog", "module a;\n  b c (\n" + "    .d(e),\n" * 400 + "    ‸\n", ".f(g),"),
        ("A.java", "java", "class A {\n  @Override\n  public byte[] f(\n      ‸\n", "ClassLoader loader,"),
        ("A.java", "java", "class A {\n  int f(int a) {\n    return (a > 1\n        ‸\n", "? a"),
    ],
)
def test_what_stands_around_a_line_is_taken_into_account(path: str, language: str, text: str, written: str) -> None:
    assert fit(path, text, written) == written


@pytest.mark.parametrize(
    ("path", "language", "text", "written"),
    [
        ("a.py", "python", ELSE.replace("        c()\n", ""), "elif a > 2"),
        ("a.py", "python", POSTED.replace("@a.post(\n    2,\n)\n", ""), "def b():"),
        ("a.ini", "ini", "[a]\nb = 1\n‸\nc = 2\n\n[d]\ne = 1\n", "b = 2"),
        ("A.cs", "csharp", "interface A<T> {\n  int B();\n}\n\n‸\n", "interface A<T> {"),
        ("a.swift", "swift", "func a() {\n  let c = 1\n  ‸\n}\n", "let c = 2"),
        ("a.c", "c", LOOP, "hlist_walk(c, head, list {"),
        ("a.cpp", "cpp", "void a() {\n  A_NOTIFY(b) {\n    c();\n  ‸\n", "} else {"),
        ("a.h", "cpp", LOCKED, "some other words here;"),
        ("a.h", "cpp", LOCKED, "int first_ GUARDED_BY(mu_;"),
    ],
)
def test_the_same_with_a_fault_is_rejected_or_cut(path: str, language: str, text: str, written: str) -> None:
    assert fit(path, text, written) != written


@pytest.mark.parametrize(
    ("path", "text", "written"),
    [
        ("a.c", LOOP, "return (struct p) {\n\t\t.x = 1,\n\t};"),
        ("a.cpp", LOOP, "for_each(a, b, [](int x) {\n\t\tg(x);\n\t});"),
        ("a.cpp", LOOP, "for_each(a, b)\n\t\t.then(x);"),
    ],
)
def test_several_lines_with_a_literal_or_a_lambda_are_kept(path: str, text: str, written: str) -> None:
    assert fit(path, text, written) == written
