"""Lines of a statement that is being typed over several lines: its end is missing, which is no fault of a right text."""

import pytest

from lsp_server.fitting.fitter import Fitter
from lsp_server.fitting.place import Fitted
from lsp_server.types import Document


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    ("path", "language", "text", "written"),
    [
        (
            "T.java",
            "java",
            'class T {\n  void run() {\n    Plan plan = Plan.of("a",\n        |);\n  }\n}\n',
            "Type.of(",
        ),
        ("T.java", "java", 'class T {\n  void run() {\n    Plan plan = Plan.of("a",\n        |)\n  }\n}\n', "Type.of("),
        (
            "T.java",
            "java",
            "class T {\n  void run() {\n    Plan plan = Plan.of(1)\n        .add(Plan.of(2)\n            .r|)\n  }\n}\n",
            "eturns(int.class)",
        ),
        ("a.rs", "rust", "fn run() {\n    let plan = Plan::new()\n        .name(\n            |)\n}\n", "first(1)"),
        ("a.ts", "typescript", "function run() {\n  const plan = build(one)\n    .then(\n      |)\n}\n", "first(1)"),
        ("a.py", "python", "def run():\n    plan = build(\n        first,\n        |)\n", "second(1)"),
        ("a.go", "go", "package a\n\nfunc run() {\n\tplan := build(\n\t\tfirst,\n\t\t|)\n}\n", "second(1)"),
        ("a.c", "c", "void run(void)\n{\n    plan = build(first,\n                 |)\n}\n", "second(1)"),
    ],
)
def test_a_right_text_within_an_unfinished_statement_fits(
    path: str, language: str, text: str, written: str, whole: bool
) -> None:
    offset = text.index("|")
    document = Document(f"file:///{path}", path, language, 1, text.replace("|", ""))
    fitter = Fitter()
    fitter.update(document)
    made = fitter.fit(document, offset, written, whole=whole and not written.endswith("("), automatic=True)
    assert isinstance(made, Fitted) and made.text.startswith(written)
