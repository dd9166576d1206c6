"""A word that was not written where it was expected is less probable at the same place of the next line."""

import dataclasses
from pathlib import Path

import numpy as np

from indexer.config import Settings
from lsp_server.retrieval.engine import RetrievalEngine
from lsp_server.retrieval.refuted_words import LEFT, RefutedWords
from lsp_server.retrieval.word_tree import WordTree
from lsp_server.types import Document, Request


def tree(*words: str) -> tuple[WordTree, np.ndarray]:
    """A tree of next words, the first with .8 and the others with .1 each."""
    made = WordTree()
    for number, word in enumerate(words):
        made.add(0, word, number)
    return made, np.array([0.0, 0.8, *[0.1] * (len(words) - 1)])


def probabilities(refuted: RefutedWords, typed: str, *words: str) -> list[float]:
    made, before = tree(*words)
    return refuted.weighed([], typed, made, before)[1:].tolist()


def test_a_word_that_something_else_was_written_for_becomes_less_probable() -> None:
    refuted = RefutedWords()
    refuted.follow(1, [], "cell(.clk(clk), .enable(", {"cell(.clk(clk), .": "din(x));"})
    din, enable = probabilities(refuted, "gate(.clk(clk), .", "din", "enable")
    assert din == 0.8 * LEFT
    assert 0.1 < enable < 1
    assert probabilities(refuted, "gate(.clk(clk), .d", "in", "one")[0] == 0.8 * LEFT  # begun
    assert probabilities(refuted, "gate(.clk(wide), .", "din", "enable") == [0.8, 0.1]  # another place
    assert probabilities(refuted, "gate(.clk(clk), .", "dout", "enable") == [0.8, 0.1]  # another word


def test_written_once_it_is_as_probable_as_before() -> None:
    refuted = RefutedWords()
    refuted.follow(1, [], "cell(.clk(clk), .enable(", {"cell(.clk(clk), .": "din(x));"})
    refuted.follow(2, [], "cell(.clk(clk), .din(", {"cell(.clk(clk), .": "din(x));"})
    assert probabilities(refuted, "gate(.clk(clk), .", "din", "enable") == [0.8, 0.1]


def test_a_word_that_is_not_finished_says_nothing() -> None:
    refuted = RefutedWords()
    refuted.follow(1, [], "cell(.clk(clk), .den", {"cell(.clk(clk), .": "din(x));"})
    refuted.follow(1, [], "cell(.clk(clk), .", {"cell(.clk(clk), .": "din(x));"})
    assert probabilities(refuted, "gate(.clk(clk), .", "din", "enable") == [0.8, 0.1]


def test_other_blanks_before_it_are_the_same_word() -> None:
    for written in ("cell(.clk(clk), .din (", "cell(.clk(clk),    .din("):
        refuted = RefutedWords()
        refuted.follow(1, [], written, {"cell(.clk(clk),": " .din(x));", "cell(.clk(clk), .": "din(x));"})
        assert probabilities(refuted, "gate(.clk(clk), .", "din", "enable") == [0.8, 0.1]


def test_only_the_end_of_a_long_line_is_read() -> None:
    long = "x, " * 500_000
    refuted = RefutedWords()
    refuted.follow(1, [], long + "cell(.clk(clk), .enable(", {long + "cell(.clk(clk), .": "din(x));"})
    assert probabilities(refuted, long + "gate(.clk(clk), .", "din", "enable")[0] == 0.8 * LEFT


ROWS = [f"  ff #(1) stage_{name} (.*, .clk(clk), .din(in_{name}), .dout(out_{name}));" for name in "abcdefgh"]


def test_what_a_row_does_without_is_not_suggested_in_the_next_row(tmp_path: Path) -> None:
    settings = dataclasses.replace(Settings(), data_dir=tmp_path, workers=1)
    engine = RetrievalEngine(settings, None)
    uri, old = "file:///top.sv", "module top;\n" + "\n".join(ROWS) + "\nendmodule\n"
    engine.update(Document(uri, "top.sv", "systemverilog", 1, old))
    typed, wrong = "module top;\n", []
    for row in ROWS[:3]:
        new = row.replace(".clk(clk), ", ".clk(clk), .clken(on), ")
        at, found = new.index(".clk(clk)"), False
        for column in range(at, len(new)):
            text = typed + new[:column]
            document = Document(uri, "top.sv", "systemverilog", 1, text + "\nendmodule\n")
            engine.update(document)
            answer = engine.complete(Request(document, len(text), automatic=True), lambda: False)
            shown = new[:column] + (answer.suggestions[0].text if answer.suggestions else "")
            found = found or ".clk(clk), .din" in shown
        wrong.append(found)
        typed += new + "\n"
    assert wrong[0], "the first row has to show that the old text is expected"
    assert not wrong[2]
