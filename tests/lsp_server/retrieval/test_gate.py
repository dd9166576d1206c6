"""The tree of words, and how the gate cuts it: by probability, by what is saved, and around what was refused."""

import dataclasses
import math
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from indexer.building.build import build
from indexer.config import Settings
from indexer.data_layout import index_directory
from indexer.storage.reader import Index
from lsp_server.refused_texts import is_refused
from lsp_server.retrieval.engine import RetrievalEngine
from lsp_server.retrieval.gate import Choice, Gate, choose, decide, line_probability, ruled_out
from lsp_server.retrieval.suggestions import added
from lsp_server.retrieval.word_tree import INPUTS, WordTree, words_of
from lsp_server.types import Answer, Document, Request, Suggestion


def tree_of(*texts: str) -> WordTree:
    """The tree of the words of some texts, each with the end of its line, without rows."""
    tree, nodes = WordTree(), {"": 0}
    for number, text in enumerate(texts):
        node = 0
        for word in words_of(text):
            whole = tree.text[node] + word
            if whole not in nodes:
                nodes[whole] = tree.add(node, word, number)
            node = nodes[whole]
        tree.add(node, "", number)
    return tree


def probabilities(tree: WordTree, **words: float) -> np.ndarray:
    """Probabilities by word; 0.97 for those that are not named, ``end`` for ends of lines."""
    return np.array([words.get(tree.word(node).strip() or "end", 0.97) for node in range(len(tree.text))])


def test_words_have_the_blanks_before_them_and_ends_of_lines_are_words_too() -> None:
    assert words_of("  a = b(c)") == ["  a", " =", " b", "(", "c", ")"]
    assert len(words_of("a." * 100)) == 24
    tree = tree_of("log.info(message)", "log.info(event)")
    assert [tree.text[node] for node in range(len(tree.text)) if tree.ends[node]] == [
        "log.info(message)",
        "log.info(event)",
    ]
    assert len({tree.text[node] for node in tree.children[4]}) == 2


def test_a_text_is_cut_where_all_of_it_is_less_probable_than_wanted() -> None:
    tree = tree_of("configuration.read_from(default_path)")
    words = probabilities(tree, default_path=0.5)
    for precision, text in ((0.3, "configuration.read_from(default_path)"), (0.6, "configuration.read_from(")):
        decision = decide(tree, words, precision)
        assert decision.shown is not None and decision.shown.text == text
        assert decision.shown.probability >= precision
    assert decide(tree, words, 0.95).shown is None


def test_the_common_beginning_of_options_that_part_later_is_shown() -> None:
    tree = tree_of("transaction.commit(first)", "transaction.commit(second)")
    shown = decide(tree, probabilities(tree, first=0.4, second=0.4), 0.66).shown
    assert shown is not None and (shown.text, shown.ends) == ("transaction.commit(", False)


def test_a_line_that_is_expected_to_end_ends() -> None:
    tree = tree_of("finish_everything()")
    shown = decide(tree, probabilities(tree, end=0.95), 0.66).shown
    assert shown is not None and (shown.text, shown.ends) == ("finish_everything()", True)
    assert line_probability(tree, probabilities(tree, end=0.5), "finish_everything()") == pytest.approx(0.97**3 * 0.5)
    assert line_probability(tree, probabilities(tree), "finish") is None


def test_a_hangul_syllable_saves_as_many_keys_as_it_takes() -> None:
    tree = tree_of("값을 읽다")
    shown = decide(tree, probabilities(tree), 0.66).shown
    assert shown is not None and shown.text == "값을 읽다"
    assert 9 < shown.worth <= len("ㄱㅏㅂㅅㅇㅡㄹ ㅇㅣㄹㄱㄷㅏ")
    assert decide(tree_of("abcd e"), probabilities(tree_of("abcd e")), 0.66).shown is None


def test_what_saves_little_is_not_shown() -> None:
    tree = tree_of("),")
    decision = decide(tree, probabilities(tree), 0.5)
    assert decision.part is not None and decision.shown is None


def test_a_doubtful_next_word_hides_a_text_that_is_probable_enough_as_a_whole() -> None:
    tree = tree_of("configuration")
    assert decide(tree, probabilities(tree, configuration=0.7), 0.66).shown is None
    assert decide(tree, probabilities(tree, configuration=0.85), 0.66).shown is not None


def refusing(*texts: str) -> Callable[[str, bool], bool]:
    return lambda text, ends: not is_refused(text, texts, " ")


def test_what_was_refused_gives_way_to_another_text_or_to_none() -> None:
    tree = tree_of("configuration.path", "transaction.path")
    words = probabilities(tree, configuration=0.6, transaction=0.5)
    assert choose(tree, words, 0.3).text == "configuration.path"  # type: ignore[union-attr]
    for refused in ("configuration", "configuration.path", "configuration.path and more"):
        other = choose(tree, words, 0.3, refusing(refused))
        assert other is not None and other.text == "transaction.path"
    assert choose(tree, words, 0.55, refusing("configuration")) is None
    assert choose(tree, words, 0.3, refusing("config")).text == "configuration.path"  # type: ignore[union-attr]


def test_a_part_that_is_not_allowed_gives_way_to_a_shorter_one() -> None:
    tree = tree_of("configuration.read_from(default_path)")
    words = probabilities(tree, default_path=0.5)
    part = choose(tree, words, 0.6, lambda text, ends: "(" not in text)
    assert part is not None and part.text == "configuration.read_from"


def test_random_trees_are_cut_at_the_wanted_probability() -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(300):
        made = {"".join(rng.choice(("ab", ".", "cd", "(", " ef")) for _ in range(rng.randint(1, 8))) for _ in range(4)}
        tree = tree_of(*sorted(made))
        words = np.array([rng.random() ** 0.2 for _ in tree.text])
        precision = rng.random()
        allowed = refusing(*(rng.choice(tree.text[1:]) for _ in range(rng.randint(0, 2))))
        part = choose(tree, words, precision, allowed)
        if part is not None:
            assert part.probability >= precision and part.text.strip() and allowed(part.text, part.ends)


def test_the_shipped_gate_fits_the_inputs_of_this_version() -> None:
    gate = Gate.shipped()
    seen = gate.probabilities(np.zeros((3, len(INPUTS))))
    assert seen.shape == (3,) and ((seen > 0) & (seen < 1)).all()


BLOCKS = "".join(
    f"""\
def stop_{name}(request, session):
    if not session.is_valid():
        raise InvalidSessionError(session.identifier)
    return session.close(reason="{name}")


"""
    for name in ("login", "logout", "upload", "download", "transfer", "preview")
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> RetrievalEngine:
    root = tmp_path_factory.mktemp("repository")
    (root / "stops.py").write_text(BLOCKS)
    settings = dataclasses.replace(Settings(), data_dir=tmp_path_factory.mktemp("data"), workers=1)
    build(root, settings)
    return RetrievalEngine(settings, Index.open(index_directory(settings, root), settings))


def ask(engine: RetrievalEngine, text: str, *refused: str) -> Answer:
    offset = text.index("|")
    document = Document("file:///new.py", "new.py", "python", 1, text.replace("|", ""))
    engine.update(document)
    return engine.complete(Request(document, offset, True, refused=refused), lambda: False)


def test_a_line_is_shown_by_itself_where_the_next_one_is_not_sure(engine: RetrievalEngine) -> None:
    [shown] = ask(engine, "def stop_delete(request, session):\n    if not session.|\n").suggestions
    lines = shown.text.split("\n")
    assert lines[0] == "is_valid():"
    assert shown.probability >= 0.66
    assert len(lines) == 1 or lines[1].strip() == "raise InvalidSessionError(session.identifier)"


@pytest.mark.parametrize(
    ("first", "further", "kept"),
    [
        (0.9, [0.9, 0.9], 2),
        (0.75, [0.75], 1),
        (0.7, [0.7], 0),  # 0.49 is less than half
        (1.0, [0.6], 0),  # surer than half as a whole, but the second line alone is not sure enough
        (0.9, [0.9, 0.6, 1.0], 1),
        (0.9, [0.7, 0.7, 0.7], 1),
    ],
)
def test_each_further_line_is_as_sure_as_wanted_and_all_together_right_in_half(
    engine: RetrievalEngine, monkeypatch: pytest.MonkeyPatch, first: float, further: list[float], kept: int
) -> None:
    answers = iter(further)
    monkeypatch.setattr("lsp_server.retrieval.engine.line_probability", lambda *_: next(answers))
    text = "def stop_delete(request, session):\n    if not session."
    request = Request(Document("file:///new.py", "new.py", "python", 1, text), len(text), True)
    choice = Choice(1, 0, "is_valid():", True, first, 10.0)
    lines, probability = engine._keep(
        request, choice, ["        raise", "        return", "        pass"][: len(further)]
    )
    assert len(lines) == kept
    assert probability == pytest.approx(math.prod([first, *further[:kept]]))


def test_what_stands_in_the_next_lines_is_not_shown(engine: RetrievalEngine) -> None:
    head = "def stop_delete(request, session):\n    if not session.|\n"
    below = head + "    if not session.is_valid():\n        raise InvalidSessionError(session.identifier)\n"
    assert ask(engine, head).suggestions
    answer = ask(engine, below)
    assert (answer.suggestions, answer.reason) == ((), "stands-below")


def method(name: str) -> str:
    return f"func (s *cursedRenderer) set{name}({name.lower()} bool) {{\n\ts.{name.lower()} = {name.lower()}\n}}\n"


def test_a_beginning_that_the_next_line_shares_is_shown(engine: RetrievalEngine) -> None:
    """Only a whole line that stands below would be written twice; the beginning of its neighbours may be the same."""
    above = "package tea\n\n" + "\n".join(method(name) for name in ("Color", "Width", "Height", "Cursor", "Logger"))
    for below in ("", "\n\n" + method("Optimizations")):
        document = Document("file:///tea.go", "tea.go", "go", 1, f"{above}\nfunc ({below}")
        engine.update(document)
        answer = engine.complete(Request(document, len(above) + len("\nfunc ("), True), lambda: False)
        assert [one.text for one in answer.suggestions] == ["s *cursedRenderer)"], answer


def test_what_was_refused_on_the_line_is_not_offered_by_the_engine(engine: RetrievalEngine) -> None:
    head = "def stop_delete(request, session):\n    if not session.|\n"
    [shown] = ask(engine, head).suggestions
    first = shown.text.split("\n")[0]
    for refused in (first, first.split("(")[0]):
        assert all(not one.text.startswith(refused) for one in ask(engine, head, refused).suggestions)


def test_what_stands_behind_the_cursor_already_does_not_count_as_added() -> None:
    document = Document("file:///a.py", "a.py", "python", 1, "f(ab))")
    request = Request(document, 3, True)
    assert added(request, Suggestion("b))", 3, 6, 0.9, "retrieval")) == ""
    assert added(request, Suggestion("bcd))", 3, 6, 0.9, "retrieval")) == "bcd))".removesuffix("b))")
    assert added(request, Suggestion("abc", 2, 3, 0.9, "retrieval")) == "bc"


def test_looking_ahead_leaves_the_line_as_it_was(engine: RetrievalEngine) -> None:
    """Further lines are judged in a text that does not exist; the next key is answered as if that had not happened."""
    text = "def stop_delete(request, session):\n    if not session.|\n"
    first = ask(engine, text)
    again = ask(engine, text)
    assert [one.text for one in first.suggestions] == [one.text for one in again.suggestions]


def test_a_file_of_an_earlier_version_is_no_gate(tmp_path: Path) -> None:
    path = tmp_path / "gate.json"
    for content in ('{"slope": 1.0, "bias": 0.0, "table": [[0.5, 0.4]]}', "[]", '{"kind": "words", "slope": 1.0}'):
        path.write_text(content)
        with pytest.raises(ValueError, match="ondol eval --fit-gate"):
            Gate.load(path)
    path.write_text(Gate(Gate.shipped().trees, 0.9, -0.1).dumps())
    assert (Gate.load(path).slope, Gate.load(path).bias) == (0.9, -0.1)


def test_what_is_ruled_out_leaves_its_probability_to_its_rivals() -> None:
    tree = tree_of("transaction.commit(first)", "transaction.commit(second)")
    words = probabilities(tree, first=0.6, second=0.3)
    best = decide(tree, words, 0.5).shown
    assert best is not None and best.text.startswith("transaction.commit(first")
    other = decide(tree, ruled_out(tree, words, best.node), 0.5).shown
    assert other is not None and other.text.startswith("transaction.commit(second")


@pytest.mark.parametrize("seed", range(20))
def test_ruling_out_is_the_probability_given_that_the_text_is_wrong(seed: int) -> None:
    rng = random.Random(seed)
    tree = tree_of(*("".join(rng.choice(["a", ".b", "(c", ", d"]) for _ in range(rng.randint(1, 5))) for _ in range(6)))
    words = np.ones(len(tree.text))
    for children in tree.children:
        shares = np.array([rng.random() + 0.01 for _ in children])
        words[children] = shares / shares.sum() if children else shares

    def joint(odds: np.ndarray, node: int) -> float:
        return float(odds[node]) * joint(odds, tree.parent[node]) if node else 1.0

    node = rng.choice([one for one in range(1, len(tree.text)) if 0.01 < joint(words, one) < 0.99])
    gone, after = joint(words, node), ruled_out(tree, words, node)
    below = {node}
    for one in range(node + 1, len(tree.text)):
        below |= {one} if tree.parent[one] in below else set()
    leaves = [one for one in range(1, len(tree.text)) if not tree.children[one]]
    assert sum(joint(after, one) for one in leaves if one not in below) == pytest.approx(1, abs=1e-6), f"seed {seed}"
    for one in leaves:
        expected = 0.0 if one in below else joint(words, one) / (1 - gone)
        assert joint(after, one) == pytest.approx(expected, abs=1e-6), f"seed {seed}"
