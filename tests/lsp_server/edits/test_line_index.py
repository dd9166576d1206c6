"""The index of a document's lines says the same as a scan of the lines, after any changes."""

import random
import re

from lsp_server.edits.line_index import LineIndex
from lsp_server.edits.views import View

WORDS = ["alpha", "beta", "alphabet", "x", "_n", "값", "10", "(", ")", ",", "  ", "\t", "+="]


def test_after_random_changes_the_index_answers_as_a_scan_of_the_lines() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)
    index, lines = LineIndex(), [_line(rng) for _ in range(30)]
    for _ in range(150):
        first = rng.randint(0, len(lines))
        lines = [
            *lines[:first],
            *(_line(rng) for _ in range(rng.randint(0, 4))),
            *lines[first + rng.randint(0, 4) :],
        ]
        index.update(lines)
        held = [set(re.findall(r"\w+", line)) for line in lines]
        for wanted in (["alpha"], ["alpha", "x"], ["값", "10"], ["absent"], ["x", "absent"]):
            assert sorted(index.holding(wanted)) == [n for n, words in enumerate(held) if words.issuperset(wanted)]
        for part in ("alpha", "bet", "값", "absent"):
            assert index.with_part(part) == [n for n, words in enumerate(held) if any(part in word for word in words)]
        for word in ("beta", "_n", "absent"):
            assert index.knows(word) == any(word in words for words in held)
        for line in (*lines[:3], "absent"):
            assert index.times(line) == lines.count(line)


def _line(rng: random.Random) -> str:
    return "".join(rng.choice(WORDS) + rng.choice(["", " "]) for _ in range(rng.randint(0, 6)))


def test_two_versions_of_a_document_may_be_searched_in_turn() -> None:
    """A search that was stopped begins again with its own version after a newer one was searched."""
    old = View.of("a.py", "value = read(path)\n\nother = read(name)\n", frozenset())
    new = View.of("a.py", "# above\nvalue = read(path)\n\nother = open(name)\n", frozenset(), old.kept)
    wanted = frozenset(("read", "("))
    assert old.sites(wanted) == (0, 2)
    assert new.sites(wanted) == (1,)
    assert old.sites(frozenset(("read",))) == (0, 2)


def test_signs_alone_are_found_too() -> None:
    view = View.of("a.c", "a = b;\nif (a == b)\nc += d;\n", frozenset())
    assert view.sites(frozenset(("+",))) == (2,)
    assert view.sites(frozenset(("=", ";"))) == (0, 2)
