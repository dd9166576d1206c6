"""A name that the scope has already is not offered; the same name in another scope is."""

import pytest

from lsp_server.fitting.fitter import Fitter
from lsp_server.fitting.place import Fitted, Rejected
from lsp_server.types import Document


def twice(language: str, text: str, insert: str) -> bool:
    offset = text.index("‸")
    document = Document("file:///x", "x", language, 1, text.replace("‸", ""))
    return Fitter().defined_twice(document, offset, insert)


SV = "module m #(\n  parameter int Width = 8,\n  ‸\n) (\n  input logic clk_i\n);\n  logic a;\nendmodule\n"
INSTANCE = "module m;\n  fifo u_fifo (\n    .clk_i(clk_i),\n    ‸\n  );\nendmodule\n"
ENTITY = "entity e is\n  port (\n    clk : in std_logic;\n    ‸\n  );\nend entity;\n"
SWITCH = "void f(int a) {\n    switch (a) {\n    case RED:\n        g();\n        break;\n    ‸\n    }\n}\n"

TWICE = [
    ("python", "def f():\n    pass\n\n\n‸\n", "def f(a):"),
    ("python", "‸\n\n\nclass A:\n    pass\n", "class A(B):"),
    ("python", "import os\n‸\n", "import os"),
    ("python", "x = {\n    'a': 1,\n    ‸\n}\n", "'a': 2,"),
    ("python", "f(\n    a=1,\n    ‸\n)\n", "a=2,"),
    ("python", "match x:\n    case 1:\n        f()\n    ‸\n", "case 1:"),
    ("go", "type T struct {\n\tName string\n\t‸\n}\n", "Name int"),
    ("go", "func f() {\n\tx := 1\n\t‸\n}\n", "x := 2"),
    ("go", 'import (\n\t"fmt"\n\t‸\n)\n', '"fmt"'),
    ("go", 'func f() {\n\tswitch a {\n\tcase "b":\n\t\tg()\n\t‸\n\t}\n}\n', 'case "b":'),
    ("go", "var t = T{\n\tName: 1,\n\t‸\n}\n", "Name: 2,"),
    ("c", SWITCH, "case RED:"),
    ("c", "enum e {\n    RED,\n    GREEN = 2,\n    ‸\n};\n", "GREEN,"),
    ("c", "struct s {\n    int a;\n    char *b[2];\n    ‸\n};\n", "long b;"),
    ("c", "#include <a.h>\n‸\n", "#include <a.h>"),
    ("c", "#define A 1\n‸\n", "#define A 2"),
    ("c", "int f(int a)\n{\n    int x = 1;\n    ‸\n}\n", "char x = 2;"),
    ("cpp", "class A {\n};\n\n‸\n", "class A {"),
    ("cpp", "void f(int a) {\n}\n\n‸\n", "void f(int a) {"),
    ("java", "import a.B;\n‸\n", "import a.B;"),
    ("java", "class A {\n    private final int a;\n    ‸\n}\n", "public long a = 1;"),
    ("java", "class A {\n    void f(int a) {\n    }\n\n    ‸\n}\n", "public int f(int a) {"),
    ("csharp", "class A\n{\n    int F<T>(int a)\n    {\n    }\n\n    ‸\n}\n", "long F<T>(int a)"),
    ("csharp", "class A {\n    int F<T>(int a) {\n    }\n\n    ‸\n}\n", "int F<T>(int a)"),
    ("c", "static int f(int a)\n{\n}\n\n‸\n", "int f(int a)"),
    ("php", "<?php\n\nclass A\n{\n    function f()\n    {\n        ‸\n    }\n}\n", "class A"),
    ("php", "<?php\nforeach ($a as $b) {\n    f($b);\n    ‸\n}\n", "foreach ($a as $b) {"),
    ("swift", "struct A {\n    func f() {\n        ‸\n    }\n}\n", "struct A {"),
    ("bash", "load() {\n  while read -r line; do\n    ‸\n  done\n}\n", "load() {"),
    ("bash", "load() {\n  while read -r line; do\n    ‸\n  done\n}\n", "while read -r line; do"),
    ("elixir", "defmodule A do\n  def f(a) do\n    ‸\n  end\nend\n", "def f(a) do"),
    ("lua", "function f(a)\n  if a then\n    ‸\n  end\nend\n", "if a then"),
    ("java", "enum E {\n    RED,\n    ‸\n}\n", "RED,"),
    ("typescript", "const a = 1;\n‸\n", "let a = 2;"),
    ("typescript", "const x = {\n  a: 1,\n  ‸\n};\n", "a: 2,"),
    ("typescript", "interface I {\n  a: string;\n  ‸\n}\n", "a?: number;"),
    ("typescript", "enum E {\n  A = 1,\n  ‸\n}\n", "A = 2,"),
    ("javascript", "switch (a) {\n  case 'b:c':\n    f();\n  ‸\n}\n", "case 'b:c':"),
    ("rust", "struct S {\n    pub a: u8,\n    ‸\n}\n", "a: u16,"),
    ("rust", "fn f(a: E) {\n    match a {\n        E::A => g(),\n        ‸\n    }\n}\n", "E::A => h(),"),
    ("rust", "use a::b;\n‸\n", "use a::b;"),
    ("systemverilog", SV, "parameter int Width = 4"),
    ("systemverilog", SV.replace("  ‸\n", "").replace("clk_i\n", "clk_i,\n  ‸\n"), "input logic clk_i"),
    ("systemverilog", SV.replace("  ‸\n", "").replace("logic a;\n", "logic a;\n  ‸\n"), "logic [3:0] a;"),
    ("systemverilog", INSTANCE, ".clk_i(clk),"),
    ("systemverilog", "module m;\nendmodule\n\n‸\n", "module m (input a);"),
    ("systemverilog", "always_comb begin\n  case (a)\n    A: b = 1;\n    ‸\n  endcase\nend\n", "A: b = 2;"),
    ("vhdl", ENTITY, "clk : in std_logic"),
    ("vhdl", "architecture a of b is\n  signal x : bit;\n  ‸\nbegin\nend architecture;\n", "SIGNAL x : bit;"),
    ("json", '{\n  "a": 1,\n  ‸\n}\n', '"a": 2'),
    ("yaml", "a:\n  b: 1\n  ‸\n", "b: 2"),
    ("toml", "[t]\na = 1\n‸\n", "a = 2"),
    ("ruby", "def f\nend\n\n‸\n", "def f(a)"),
    ("ruby", "case a\nwhen 1\n  f\n‸\nend\n", "when 1"),
    ("bash", "f() {\n  a\n}\n\n‸\n", "f() {"),
    ("bash", 'case "$1" in\n  a)\n    b\n    ;;\n  ‸\nesac\n', "a)"),
]


@pytest.mark.parametrize(("language", "text", "insert"), TWICE)
def test_a_scope_holds_a_name_once(language: str, text: str, insert: str) -> None:
    assert twice(language, text, insert)


ONCE = [
    ("python", "class A:\n    def f(self):\n        pass\n\n\nclass B:\n    ‸\n", "def f(self):"),
    ("python", "class A:\n    @property\n    def f(self):\n        pass\n\n    @f.setter\n    ‸\n", "def f(self, x):"),
    ("python", "@overload\ndef f(a: int): ...\n\n\n‸\n", "def f(a):"),
    ("python", "try:\n    import a\nexcept ImportError:\n    ‸\n", "import a"),
    ("python", "f(\n    a=1,\n    b=g(\n        ‸\n    ),\n)\n", "a=2,"),
    ("python", "x = [\n    {\n        'a': 1,\n    },\n    {\n        ‸\n    },\n]\n", "'a': 2,"),
    ("python", '"""\nimport os\n"""\n‸\n', "import os"),
    ("python", "x = 1\n‸\n", "x = 2"),
    ("go", "func f() {\n\tif a {\n\t\tx := 1\n\t} else {\n\t\t‸\n\t}\n}\n", "x := 1"),
    ("go", "func f() {\n\tx, err := a()\n\t‸\n}\n", "y, err := b()"),
    ("go", "func (a *A) f() {\n}\n\n‸\n", "func (b *B) f() {"),
    ("c", "#ifdef A\nint f(void) {\n}\n#else\n‸\n#endif\n", "int f(void) {"),
    ("c", SWITCH, "case GREEN:"),
    ("c", "void f(void) {\n    if (a) {\n        int x = 1;\n    }\n    ‸\n}\n", "int x = 2;"),
    ("c", "struct s;\n‸\n", "struct s {"),
    ("c", "void f(void) {\n    return x;\n    ‸\n}\n", "return x;"),
    ("cpp", "void f(int a) {\n}\n\n‸\n", "void f(char a) {"),
    ("cpp", "class A {\n  int& f(int a) {\n  }\n\n  ‸\n};\n", "int f(int a) const {"),
    ("c", "int f(int a);\n\n‸\n", "int f(int a)"),
    ("csharp", "class A\n{\n    int F<T>(int a)\n    {\n    }\n\n    ‸\n}\n", "int F<T, U>(int a)"),
    ("php", "<?php\nforeach ($a as $b) {\n    f($b);\n}\n‸\n", "foreach ($a as $b) {"),
    ("bash", "load() {\n  if [ -n a ]; then\n    b\n  else\n    ‸\n  fi\n}\n", "if [ -n c ]; then"),
    ("go", "func f() {\n\tfor {\n\t\tg(func(a int) {\n\t\t\t‸\n\t\t})\n\t}\n}\n", "for {"),
    ("swift", "VStack {\n    ‸\n}\n", "VStack {"),
    ("java", "class A {\n    void f() {\n        try {\n            ‸\n        }\n    }\n}\n", "try {"),
    ("cpp", "switch (a) {\ncase B::C:\n    f();\n‸\n}\n", "case B::D:"),
    ("java", "class A {\n    void f(int a) {\n    }\n\n    ‸\n}\n", "void f(long a) {"),
    (
        "java",
        "class A {\n    void f() {\n        int a = 1;\n    }\n    void g() {\n        ‸\n    }\n}\n",
        "int a = 1;",
    ),
    ("typescript", "function f(a: string): void;\n‸\n", "function f(a: unknown): void {"),
    ("typescript", "type A = z.infer<typeof A>;\n‸\n", "const A = z.object({"),
    ("typescript", "switch (a) {\n  case 'b':\n    f();\n  ‸\n}\n", "case 'c':"),
    ("typescript", "const x = [\n  {\n    a: 1,\n  }, {\n    ‸\n  },\n];\n", "a: 2,"),
    ("rust", "fn f() {\n    let a = 1;\n    ‸\n}\n", "let a = 2;"),
    ("rust", "#[cfg(unix)]\nfn f() {\n}\n\n#[cfg(windows)]\n‸\n", "fn f() {"),
    ("systemverilog", "`ifdef A\nmodule m;\nendmodule\n`else\n‸\n`endif\n", "module m (input a);"),
    ("systemverilog", INSTANCE, ".rst_ni(rst_ni)"),
    ("systemverilog", "module m;\n  always_comb begin\n    a = 1;\n    ‸\n  end\nendmodule\n", "a = 2;"),
    ("json", '[\n  {\n    "a": 1\n  },\n  {\n    ‸\n  }\n]\n', '"a": 2'),
    ("yaml", "- name: x\n  b: 1\n- name: y\n  ‸\n", "b: 2"),
    ("toml", "[t]\na = 1\n[u]\n‸\n", "a = 2"),
    ("ruby", "class A\n  def f\n  end\nend\n\nclass B\n  ‸\nend\n", "def f"),
    ("html", "<p>a</p>\n‸\n", "<p>a</p>"),
    ("unknown", "a = 1\n‸\n", "a = 1"),
]


@pytest.mark.parametrize(("language", "text", "insert"), ONCE)
def test_another_scope_may_hold_it_too(language: str, text: str, insert: str) -> None:
    assert not twice(language, text, insert)


def test_a_line_that_is_requested_may_replace_one_of_those_just_below() -> None:
    text = "const x = {\n  ‸\n  b: 1,\n  a: 1,\n};\n"
    assert twice("typescript", text, "a: 2,")
    document = Document("file:///x", "x", "typescript", 1, text.replace("‸", ""))
    assert isinstance(Fitter().fit(document, text.index("‸"), "a: 2,"), Fitted)
    assert isinstance(Fitter().fit(document, text.index("‸"), "b: 2,"), Rejected)


def test_the_next_item_has_keys_of_its_own_though_it_begins_just_below() -> None:
    text = "- a: 1\n  ‸\n  c: 1\n\n- a: 2\n  b: 1\n"
    document = Document("file:///x", "x.yml", "yaml", 1, text.replace("‸", ""))
    assert isinstance(Fitter().fit(document, text.index("‸"), "b: 2"), Fitted)
