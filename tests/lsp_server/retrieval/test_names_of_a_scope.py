"""Names that a scope has already are not proposed again, and a text that does not fit gives way to the next option."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from indexer.building.build import build
from indexer.config import Settings
from indexer.data_layout import index_directory
from indexer.storage.reader import Index
from lsp_server.reasons import Reason
from lsp_server.retrieval.engine import RetrievalEngine
from lsp_server.retrieval.gate import Gate
from lsp_server.types import Answer, Document, Request, Suggestion

KNOWN = {
    "python": (
        "from application.models import Customer\nfrom application.storage import Warehouse\n\n\ndef run_{n}():\n    pass\n",
        "from application.models import Customer\n|\n\n\ndef own():\n    pass\n",
    ),
    "go": (
        "package m\n\nfunc name{n}(kind int) string {{\n\tswitch kind {{\n\tcase kinds.FirstOfAll:\n\t\treturn first\n"
        "\tcase kinds.SecondOfAll:\n\t\treturn second\n\t}}\n\treturn other\n}}\n",
        "package m\n\nfunc own(kind int) string {\n\tswitch kind {\n\tcase kinds.FirstOfAll:\n\t\treturn 1\n\t|\n\t}\n}\n",
    ),
    "c": (
        '#include "first_header_of_all.h"\n#include "second_header_of_all.h"\n\nint number_{n};\n',
        '#include "first_header_of_all.h"\n|\n\nint own;\n',
    ),
    "typescript": (
        'export const names{n} = {{\n  firstOfAllNames: describe("one"),\n  secondOfAllNames: describe("two"),\n}};\n',
        'export const own = {\n  firstOfAllNames: describe("one"),\n  |\n};\n',
    ),
}
TYPED = {"python": "from app", "go": "case ", "c": "#include ", "typescript": ""}
FIRST = {"python": "models", "go": "FirstOfAll", "c": "first_header", "typescript": "firstOfAll"}
ENDING = {"python": "py", "go": "go", "c": "c", "typescript": "ts"}


def engine_of(tmp_path: Path, files: dict[str, str], precision: float = 0.66) -> RetrievalEngine:
    root = tmp_path / "repository"
    root.mkdir(parents=True)
    for name, text in files.items():
        (root / name).write_text(text)
    settings = dataclasses.replace(Settings(), data_dir=tmp_path / "data", workers=1, precision=precision)
    build(root, settings)
    return RetrievalEngine(settings, Index.open(index_directory(settings, root), settings))


def ask(engine: RetrievalEngine, language: str, text: str, *, automatic: bool) -> Answer:
    """Ask at the mark ``|`` of a text."""
    offset, path = text.index("|"), f"own.{ENDING[language]}"
    document = Document(f"file:///{path}", path, language, 1, text.replace("|", "", 1))
    engine.update(document)
    return engine.complete(Request(document, offset, automatic), lambda: False)


@pytest.mark.parametrize("language", KNOWN)
def test_imports_labels_and_keys_that_exist_are_not_proposed_again(tmp_path: Path, language: str) -> None:
    other, own = KNOWN[language]
    files = {f"other_{n}.{ENDING[language]}": other.format(n=n) for n in range(6)}
    engine = engine_of(tmp_path, files)
    for typed in {"", TYPED[language]}:
        for automatic in (True, False):
            found = ask(engine, language, own.replace("|", typed + "|"), automatic=automatic).suggestions
            assert not any(FIRST[language] in one.text for one in found), (language, typed, automatic)
    invoked = ask(engine, language, own.replace("|", TYPED[language] + "|"), automatic=False).suggestions
    assert any("econd" in one.text or "storage" in one.text for one in invoked)


def test_a_known_name_leaves_its_probability_to_the_others(tmp_path: Path) -> None:
    other, own = KNOWN["python"]
    engine = engine_of(tmp_path, {f"other_{n}.py": other.format(n=n) for n in range(6)})
    free = own.replace("models import Customer", "nothing import Nobody")
    taken, both = (ask(engine, "python", text.replace("|", "from a|"), automatic=True) for text in (own, free))
    assert [one.text for one in taken.suggestions] == ["pplication.storage import Warehouse"]
    assert taken.suggestions[0].probability > 0.8
    assert [one.text.rstrip(".") for one in both.suggestions] == ["pplication"]


def test_where_the_best_text_does_not_fit_the_second_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = "    return session.{}(payload, encoding, compression)\n"
    files = {f"m{n}.py": f"def f_{n}(payload):\n" + line.format("first_of_all") for n in range(8)}
    files |= {f"n{n}.py": f"def g_{n}(payload):\n" + line.format("second_of_all") for n in range(7)}
    engine = engine_of(tmp_path, files, precision=0.1)
    # Both options are likely, whatever the shipped gate thinks of 8 copies against 7.
    monkeypatch.setattr(Gate, "probabilities", lambda gate, rows: np.full(len(rows), 0.9))
    own = "def own(payload):\n    return session.|\n"
    best = ask(engine, "python", own, automatic=True)
    assert best.reason == Reason.SHOWN
    make = engine._maker.make
    asked: list[str] = []

    def rejecting(
        request: Request, ranked: object, option: object, *rest: object, **named: object
    ) -> Suggestion | None:
        asked.append(option.text)  # type: ignore[attr-defined]
        return None if len(asked) == 1 else make(request, ranked, option, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(engine._maker, "make", rejecting)
    second = ask(engine, "python", own, automatic=True)
    assert asked[0] == best.suggestions[0].text
    assert second.reason == Reason.SHOWN and second.suggestions[0].text != best.suggestions[0].text

    monkeypatch.setattr(engine._maker, "make", lambda *_, **__: None)
    assert ask(engine, "python", own, automatic=True).reason == Reason.DOES_NOT_FIT


FILLED = "".join(f"        check{number}();\n" for number in range(150))
TESTS = {
    "rust": ("mod t {\n    #[test]\n    fn reads_the_header() {\n%    }\n\n    #[test]\n    |\n}\n", "fn re"),
    "java": ("class T {\n    @Test\n    void readsTheHeader() {\n%    }\n\n    @Test\n    |\n}\n", "void re"),
    "typescript": (
        'describe("t", () => {\n    it("reads the header", () => {\n%    });\n\n    |\n});\n',
        'it("re',
    ),
    "python": ("class T:\n    def reads_the_header(self):\n%\n    |\n", "def re"),
}


@pytest.mark.parametrize("lines", ["", FILLED])
@pytest.mark.parametrize("language", TESTS)
def test_a_test_of_the_same_class_is_not_offered_again(tmp_path: Path, language: str, lines: str) -> None:
    text, typed = TESTS[language]
    text = text.replace("%", (lines or "        check();\n").replace(";", "" if language == "python" else ";"))
    ending = {**ENDING, "rust": "rs", "java": "java"}[language]
    for automatic in (True, False):
        engine = engine_of(tmp_path / str(automatic), {f"other.{ending}": text.replace("|", "").replace("%", "")}, 0.2)
        offset = text.index("|") + len(typed)
        document = Document(f"file:///own.{ending}", f"own.{ending}", language, 1, text.replace("|", typed))
        engine.update(document)
        answer = engine.complete(Request(document, offset, automatic), lambda: False)
        assert not [one for one in answer.suggestions if "header" in (typed + one.text).split("\n")[0]]
