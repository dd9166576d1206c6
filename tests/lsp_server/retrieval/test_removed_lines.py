"""Lines that a document had when it was opened: which are gone, and that they come back as suggestions."""

import random

import pytest

from indexer.config import Settings
from lsp_server.retrieval.engine import RetrievalEngine
from lsp_server.retrieval.removed_lines import removed_lines
from lsp_server.types import Document, Request

OPENED = [
    "import os",
    "",
    "def area(width, height):",
    "    total = width * height",
    "    log(total)",
    "    return total",
    "",
]


def gone(found):
    return [line for line, away in zip(found.text.lines, found.gone, strict=True) if away]


def test_a_line_that_is_being_rewritten_is_gone():
    found = removed_lines(OPENED, OPENED[:3], OPENED[4:])
    assert gone(found) == ["    total = width * height"]
    assert found.text.lines[found.row] == "    total = width * height"


def test_a_line_that_only_moved_is_not_gone():
    assert removed_lines(OPENED, ["def area(width, height):", "    log(total)", "    x = 1"], OPENED[:2]) is not None
    assert "    log(total)" not in gone(removed_lines(OPENED, [*OPENED[:3], "    log(total)"], OPENED[5:]))


@pytest.mark.parametrize(
    ("above", "below"), [(OPENED, []), (OPENED[:3], OPENED[3:]), ([], OPENED), ([*OPENED, "more = 1"], [])]
)
def test_nothing_is_gone_where_lines_were_only_added(above, below):
    assert removed_lines(OPENED, above, below) is None


def test_the_row_is_counted_from_the_nearest_common_line():
    above = ["import sys", "import os", "", "def area(width, height):", "    total = 1"]
    found = removed_lines(OPENED, above, OPENED[6:])
    assert found.text.lines[found.row] == "    log(total)"


def test_a_line_that_is_only_gone_on_with_counts_not():
    found = removed_lines(OPENED, OPENED[:3], OPENED[4:])
    assert not found.not_retyped("    total = width * height + 1").any()
    assert found.not_retyped("    total = width").any()


def test_every_line_that_is_nowhere_any_more_is_found():
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(300):
        opened = [rng.choice("abcdefgh") * rng.randrange(3) for _ in range(rng.randrange(30))]
        now = list(opened)
        for _ in range(rng.randrange(6)):
            at = rng.randrange(len(now) + 1)
            now[at : at + rng.randrange(3)] = [rng.choice("abcdxyz") for _ in range(rng.randrange(3))]
        at = rng.randrange(len(now) + 1)
        found = removed_lines(opened, now[:at], now[at + 1 :])
        missing = {line for line in opened if line} - {*now[:at], *now[at + 1 :]}
        assert missing <= set(gone(found) if found else ())
        if found is not None:
            assert found.text.lines == opened[found.first : found.first + len(found.text.lines)]


def suggestions(before, after):
    engine = RetrievalEngine(Settings(), None)
    for version, text in enumerate((before, after.replace("|", ""))):
        engine.update(Document("file:///a.py", "a.py", "python", version, text))
    document = Document("file:///a.py", "a.py", "python", 1, after.replace("|", ""))
    answer = engine.complete(Request(document, after.index("|"), automatic=False), lambda: False)
    return answer.suggestions


def test_what_was_taken_out_is_offered_when_it_is_typed_again():
    head = "def report(orders, limit):\n    first = orders[:limit]\n"
    before = head + "    shown = render(first, title=HEADING, width=72)\n    return shown\n"
    found = suggestions(before, head + "    text = render(|\n    return shown\n")
    assert found[0].text == "first, title=HEADING, width=72)"
    assert found[0].provenance[0].kind == "removed"
    assert found[0].provenance[0].line == 3


def test_a_document_that_was_closed_is_forgotten():
    engine = RetrievalEngine(Settings(), None)
    engine.update(Document("file:///a.py", "a.py", "python", 0, "value = compute(alpha, beta)\nother = 1\n"))
    engine.close("file:///a.py")
    text = "value = compute(\nother = 1\n"
    engine.update(Document("file:///a.py", "a.py", "python", 1, text))
    request = Request(Document("file:///a.py", "a.py", "python", 1, text), 16, automatic=False)
    assert not any("beta" in one.text for one in engine.complete(request, lambda: False).suggestions)
