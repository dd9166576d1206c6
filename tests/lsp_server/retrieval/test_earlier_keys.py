"""What the best options at earlier keys of a line said is evidence for the words at the present key."""

from lsp_server.retrieval.ranker import Ranker, load_trees
from lsp_server.retrieval.word_tree import INPUTS, WordTree, word_tree
from lsp_server.types import Document

ABOVE = "session.commit(first)\nsession.commit(second)\nsession.rollback(third)\n"


class Line:
    """One line of a document, asked at as it is typed."""

    def __init__(self) -> None:
        self.ranker, self.version = Ranker(load_trees()), 0

    def asked(self, line: str, above: str = ABOVE) -> WordTree:
        self.version += 1
        document = Document("file:///a.py", "a.py", "python", self.version, above + line)
        self.ranker.update(document)
        ranked = self.ranker.rank(document, len(document.text), lambda: False)
        assert ranked is not None
        return word_tree(ranked)


def evidence(tree: WordTree, name: str) -> dict[str, float]:
    """One input of each word of the tree, by the text up to it."""
    column = tree.rows[:, INPUTS.index(f"word_{name}")]
    return {tree.text[node] + "$" * tree.ends[node]: column[node] for node in range(1, len(tree.text))}


def test_a_line_that_was_not_asked_at_before_says_nothing() -> None:
    tree = Line().asked("session.")
    for name, value in (("asked", 0), ("said", 0), ("said_lately", -1), ("asked_right", -1)):
        assert set(evidence(tree, name).values()) == {value}
    line = Line()
    line.asked("session.commit(")
    assert set(evidence(line.asked("session."), "asked").values()) == {0}  # what was said further right


def test_words_that_were_said_at_earlier_keys() -> None:
    line = Line()
    first = line.ranker
    for typed in ("s", "se", "ses"):
        line.asked(typed)
    best = first._cursors._line_contexts["file:///a.py"].predicted["ses"]
    tree = line.asked("sess")
    assert set(evidence(tree, "asked").values()) == {3} and set(evidence(tree, "asked_right").values()) == {1}
    said = evidence(tree, "said")
    agreed = [text for text in said if best[1:].startswith(text) and text]
    assert agreed and all(said[text] > 0 for text in agreed)
    assert all(evidence(tree, "said_lately")[text] == 1 for text in agreed)


def test_options_that_were_wrong_are_counted_and_another_line_begins_anew() -> None:
    line = Line()
    for typed in ("se", "session.", "session.c", "session.commit("):
        line.asked(typed)
    wrong = line.asked("session.reopen(")
    assert set(evidence(wrong, "asked").values()) == {2}  # behind "se" and "session."; the others are other lines
    assert set(evidence(wrong, "asked_right").values()) == {0.0}
    assert set(evidence(line.asked("ses", ABOVE + "x = 1\n"), "asked").values()) == {0}
