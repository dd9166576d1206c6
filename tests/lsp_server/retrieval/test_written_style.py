"""Copies are written as the document is: its quotes, its ends of statements, its capitals."""

import dataclasses
from pathlib import Path

import pytest

from indexer.config import Settings
from lsp_server.retrieval.engine import RetrievalEngine
from lsp_server.retrieval.renamed_copies import apply, changed_parts
from lsp_server.retrieval.written_style import WrittenStyle
from lsp_server.types import Document, Request

SINGLE = ["import a from 'a'", "const b = load('b')"] * 5
DOUBLE = ['import a from "a";', 'const b = load("b");'] * 5


@pytest.mark.parametrize(
    ("language", "lines", "prefix", "text", "expected"),
    [
        ("typescript", SINGLE, "import { T }", ' from "./T";', " from './T'"),
        ("typescript", SINGLE, "import { A } from './A", 'Input";', "Input'"),
        ("javascript", DOUBLE, "const c = ", "load('c');", 'load("c");'),
        ("typescript", SINGLE, "const s = ", '"it\'s"', '"it\'s"'),  # another quote would end the string
        ("typescript", SINGLE, "const s = ", r'"a\n" + "b"', r'"a\n"' + " + 'b'"),
        ("tsx", SINGLE, "<div ", 'className="a">', 'className="a">'),  # attributes have their own quotes
        ("javascript", SINGLE, "// it's", ' "named"', ' "named"'),
        ("javascript", SINGLE, "f(`${", 'g("a")}`)', 'g("a")}`)'),
        ("javascript", SINGLE, "for (;;", ") next();", ") next()"),
        ("javascript", SINGLE, "for (", "let at = 0;", "let at = 0;"),
        ("javascript", DOUBLE, "f()", ";", ";"),
        ("javascript", [*SINGLE, *DOUBLE], "x = ", '"a";', '"a";'),  # undecided
        ("python", ['a = "x"'] * 5, "f(", "x='a')", 'x="a")'),
        ("python", ["a = 'x'"] * 5, "x = ", '"""Text."""', '"""Text."""'),
        ("python", ['a = "x"'] * 5, 'print(f"', "{d['x']}\")", "{d['x']}\")"),
        ("python", ['a = "x"'] * 5, 'print("don', "'t stop", "'t stop"),
        ("ruby", ["a = 'x'"] * 9, "b = ", '"y"', '"y"'),  # the quotes differ in meaning
        ("go", ["a := 'x'"] * 9, "b := ", '"y"', '"y"'),
    ],
)
def test_quotes_and_semicolons_are_those_of_the_document(language, lines, prefix, text, expected):
    assert WrittenStyle(language, lines, []).set(prefix, text) == expected
    assert WrittenStyle(language, [], lines).set(prefix, text) == expected


def test_a_copy_has_the_quotes_of_the_document(tmp_path: Path) -> None:
    settings = dataclasses.replace(Settings(), data_dir=tmp_path, workers=1)
    engine = RetrievalEngine(settings, None)
    other = 'import { Filter } from "./Filter";\nimport { TodoList } from "./TodoList";\nrender("app", "body");\n'
    engine.update(Document("file:///other.ts", "other.ts", "typescript", 1, other))
    text = "\n".join(SINGLE) + "\nimport { TodoList }"
    document = Document("file:///this.ts", "this.ts", "typescript", 1, text + "\n")
    engine.update(document)
    answer = engine.complete(Request(document, len(text), automatic=False), lambda: False)
    assert answer.suggestions[0].text.split("\n")[0] == " from './TodoList'"


def test_a_capital_at_the_beginning_of_a_sentence_is_no_other_name() -> None:
    names = {"the": "The", "width": "height"}
    assert apply("the width of the line, the width", names) == ("The height of the line, the height", 3)


@pytest.mark.parametrize(
    ("names", "text", "expected"),
    [
        ({"Red": "DarkBlue"}, 'return "red"', 'return "darkBlue"'),
        ({"RED": "WHITE"}, '"red"', '"white"'),
        ({"unique": "serial"}, "isUnique,", "isSerial,"),
        ({"read_only": "hidden"}, "READ_ONLY = 3", "HIDDEN = 3"),
        ({"pos_x": "pos_y"}, "self.vel_x", "self.vel_y"),
        ({"id": "no"}, "idle(", "idle("),
        ({"port": "line"}, "export report(", "export report("),
    ],
)
def test_a_name_is_renamed_in_its_other_spellings_and_within_longer_names(names, text, expected):
    parts = {f"\0{one}": other for pair in names.items() for one, other in changed_parts(*pair)}
    assert apply(text, {**parts, **names})[0] == expected


def test_the_text_of_an_enumerators_name_follows_the_ones_above(tmp_path: Path) -> None:
    above = "".join(f'    if color == Color.{name.upper()}:\n        return "{name}"\n' for name in ("red", "green"))
    text = f"def name_of(color):\n{above}    if color == Color.WHITE:\n        return "
    document = Document("file:///a.py", "a.py", "python", 1, text)
    engine = RetrievalEngine(Settings(data_dir=tmp_path), None)
    engine.update(document)
    answer = engine.complete(Request(document, len(text), automatic=False), lambda: False)
    assert answer.suggestions[0].text == '"white"'


CURSED = """\
package tea

type cursedRenderer struct {
	mouse bool
}

// flush writes to the renderer.
func (s *cursedRenderer) flush(mouse bool) {
	s.mouse = mouse
}

// reset clears all of the renderer.
func (s *cursedRenderer) reset(mouse bool) {
	s.mouse = mouse
}

// setNoInput disables all of the input.
func (s *"""


def test_a_word_of_comments_alone_is_no_part_of_a_name_that_stands_elsewhere_too() -> None:
    """``input`` stands for ``renderer`` in the sentence; ``cursedInput`` is no name."""
    document = Document("file:///a.go", "a.go", "go", 1, CURSED)
    answer = RetrievalEngine(Settings(), None).complete(Request(document, len(CURSED), False), lambda: False)
    assert answer.suggestions[0].text == "cursedRenderer) setNoInput(mouse bool) {"
    assert not any("cursedInput" in one.text for one in answer.suggestions)


def test_a_word_of_comments_is_followed_within_a_name_that_stands_nowhere_else() -> None:
    text = (
        "class Box {\n  /** Returns the width of this box. */\n  int getWidth() {\n    return box.w;\n  }\n\n"
        "  /** Returns the depth of this box. */\n  int getDepth() {\n    return box.d;\n  }\n\n"
        "  /** Returns the height of this box. */\n  int "
    )
    document = Document("file:///a.java", "a.java", "java", 1, text)
    answer = RetrievalEngine(Settings(), None).complete(Request(document, len(text), False), lambda: False)
    assert answer.suggestions[0].text == "getHeight() {"
