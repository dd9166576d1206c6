"""Rows that the document asks for, as the engine shows them."""

import pytest

from indexer.config import Settings
from lsp_server.retrieval.engine import RetrievalEngine
from lsp_server.types import Answer, Document, Request

CONSTRUCTOR = """\
class Customer {
  Customer(String name, List<String> addresses, String phone) {
"""
COLORS = """\
export enum Color {
  Red = "red",
  DarkBlue = "dark-blue",
  Yellow = "yellow",
"""


def shown(opened: str, above: str, below: str, path: str, language: str) -> list[str]:
    """Return what is shown automatically between two texts, in a document that was opened with another one."""
    return [one.text for one in answer(opened, above, below, path, language).suggestions]


def answer(opened: str, above: str, below: str, path: str, language: str, automatic: bool = True) -> Answer:
    """Return the engine's answer between two texts."""
    engine = RetrievalEngine(Settings(), None)
    engine.update(Document(f"file:///{path}", path, language, 0, opened))
    document = Document(f"file:///{path}", path, language, 1, above + below)
    engine.update(document)
    return engine.complete(Request(document, len(above), automatic=automatic), lambda: False)


@pytest.mark.parametrize("typed", ["", "th", "this.", "this.pho"])
def test_the_next_row_of_a_list_is_shown_while_it_is_typed(typed: str) -> None:
    text = CONSTRUCTOR + "    this.name = name;\n    this.addresses = addresses;\n    " + typed
    found = shown(CONSTRUCTOR + "  }\n}\n", text, "\n  }\n}\n", "a.java", "java")
    assert found == ["this.phone = phone;".removeprefix(typed)]


@pytest.mark.parametrize(("block", "expected"), [("\n};\n", ["type Third"]), ("\n  Third,\n};\n", [])])
def test_a_row_is_sure_only_with_all_of_its_words(block: str, expected: list[str]) -> None:
    far = "\n".join(f"const v{number} = {number * 7};" for number in range(70))
    head = f"export type All = Pick<First, Second, Third, Fourth>;\n{far}\nexport {{\n"
    above = head + "  type First,\n  type Second,\n  "
    assert shown(head + block[1:], above, block, "a.ts", "typescript") == expected


@pytest.mark.parametrize(
    ("typed", "expected"), [("  LightGreen ", '= "light-green"'), ("  LightGreen =", ' "light-green"')]
)
def test_a_row_in_the_form_of_the_rows_above_is_shown_behind_its_name(typed: str, expected: str) -> None:
    assert shown("export enum Color {\n}\n", COLORS + typed, "\n}\n", "a.ts", "typescript") == [expected]


def test_behind_few_rows_that_stood_there_already_nothing_is_shown() -> None:
    rows = CONSTRUCTOR + "    this.name = name;\n    this.addresses = addresses;\n"
    assert shown(rows + "  }\n}\n", rows + "    ", "\n  }\n}\n", "a.java", "java") == []
    assert shown(COLORS + "}\n", COLORS + "  LightGreen ", "\n}\n", "a.ts", "typescript") == []
    more = COLORS + '  Orange = "orange",\n  Black = "black",\n'
    assert shown(more + "}\n", more + "  LightGreen ", "\n}\n", "a.ts", "typescript") == ['= "light-green"']


def test_asked_for_by_hand_the_row_is_there() -> None:
    found = answer(COLORS + "}\n", COLORS + "  LightGreen ", "\n}\n", "a.ts", "typescript", automatic=False)
    assert found.suggestions[0].text == '= "light-green",'
