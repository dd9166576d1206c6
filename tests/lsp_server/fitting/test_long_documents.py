"""What is read of a long document: marks counted from the last cursor on, and blocks found by indentation."""

import random

import pytest

from lsp_server.fitting import outer_blocks
from lsp_server.fitting.mark_counts import MarkCounts
from lsp_server.fitting.marks import START, LineReader, rules_of
from lsp_server.fitting.surroundings_cache import SurroundingsCache
from lsp_server.types import Document


@pytest.mark.parametrize("mark", ["\n", '"""', "`"])
def test_counts_are_those_of_the_whole_text_wherever_the_cursor_jumps(mark: str) -> None:
    rng = random.Random(20261127)
    lines = [rng.choice(["", "x = 1", '"""', '"""a""" """', "`", "``a`", '""""', "é\ud800"]) for _ in range(400)]
    counts = MarkCounts()
    for _ in range(300):
        if rng.random() < 0.2:
            lines[rng.randrange(len(lines))] = rng.choice(["", '"""', "`"])
        text = "".join(line + "\n" for line in lines[: rng.randrange(len(lines))])
        assert counts.of(text, mark) == text.count(mark)


def _open(lines: list[str], first: int, language: str) -> list[tuple[str, str, int]]:
    text = "".join(line + "\n" for line in lines[:first])
    block = outer_blocks.outer_state(text, lines[first : first + 60], rules_of(language)).code
    found = []
    while block is not None:
        found.append((block.mark, block.head, block.indent))
        block = block.below
    return found


@pytest.mark.parametrize("blanks", ["    ", "\t"])
def test_the_blocks_around_far_lines_are_found(blanks: str) -> None:
    body = [f"{blanks}{blanks}a({n});" for n in range(3_000)]
    lines = ["class A {", f"{blanks}void m()", f"{blanks}{{", *body, f"{blanks}}}", "}"]
    found = _open(lines, 2_500, "java")
    assert [mark for mark, _, _ in found] == ["{", "{"]
    assert found[0][1].startswith("void m()") and found[1][1] == "class A {"
    assert _open(lines, 2, "java")[-1][1] == "class A {"  # the block begins with the document


def test_the_size_of_the_parts_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(20261127)
    bodies = ["a();", "if (b) {", "}", "} else {", "f(", ")", "{", "// c", "", "#if X", "case 1:"]
    lines = ["  " * rng.randrange(5) + rng.choice(["", "\t"]) + rng.choice(bodies) for _ in range(600)]
    found = []
    for parts in ((1_000, 20_000), (1, 1), (7, 50), (100_000, 100_000)):
        monkeypatch.setattr(outer_blocks, "PARTS", parts)
        found.append([_open(lines, first, "c") for first in range(0, 540, 3)])
    assert any(found[0])
    assert found[0] == found[1] == found[2] == found[3]


STRING = '''\
    content = """[foo]
a = 1
b = 2
c = 3
d = 4
"""
    doc = parse(content)

'''


def test_strings_far_above_are_read_where_their_marks_do_not_tell() -> None:
    lines = ('# A mark in a comment: """\ndef read():\n' + STRING * 50).split("\n")
    reader, state = LineReader(rules_of("python"), []), START
    for number, line in enumerate(lines):
        if number > 200 and number % 4 == 0:
            text = "\n".join(lines)
            start = len("\n".join(lines[:number])) + 1
            around = SurroundingsCache().at(Document("file:///a", "a", "python", 1, text), start, start + len(line))
            assert around.state.span == state.span, number
        state = reader.read(line, state)
