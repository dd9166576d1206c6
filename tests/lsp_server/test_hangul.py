"""A Korean syllable that is being composed is no refusal of the text that it is about to agree with."""

import pytest

from lsp_server.hangul import is_on_the_way, keys
from lsp_server.server.item_memory import Item, ItemMemory
from lsp_server.server.refusals import Refusals
from lsp_server.types import Suggestion


@pytest.mark.parametrize(
    ("typed", "wanted", "whether"),
    [
        ("ㄱ", "값이", True),
        ("가", "값이", True),
        ("갑", "값이", True),
        ("값", "값이", False),
        ("간", "가나", True),
        ("고", "과일", True),
        ("ㄱ", "나", False),
        ("각", "가나", False),
        ("a", "ab", False),
        ("ㄱ", "", False),
    ],
)
def test_states_of_a_syllable(typed: str, wanted: str, whether: bool) -> None:
    assert is_on_the_way(typed, wanted) is whether


def refused(states: list[str], ghost: str) -> tuple[str, ...]:
    """What is refused after a line passed through these states, with a request at the end of each."""
    refusals = Refusals()
    refusals.asked("a", ["# \n"], 0, 2)
    refusals.offered("a", "1", ghost)
    standing, before = None, ""
    for state in states:
        line = f"# {state}\n"
        refusals.changed("a", [line], [((0, 2), (0, 2 + len(before)), state)])
        before = state
        standing = refusals.asked("a", [line], 0, len(line) - 1)
    assert standing is not None
    return standing.refused


def test_composing_what_the_text_says_refuses_nothing() -> None:
    assert refused(["ㄱ", "가", "갑", "값", "값ㅇ", "값이"], "값이 없으면") == ()
    assert refused(["ㄱ", "가", "간", "가나"], "가나다") == ()


def test_another_syllable_refuses() -> None:
    assert refused(["ㄴ", "나"], "값이 없으면") == ("값이 없으면",)
    assert refused(["ㄱ", "가", "각", "각도"], "값이 없으면") == ("값이 없으면",)


def test_keys_of_syllables() -> None:
    assert keys("값 = 과일(x)") == "ㄱㅏㅂㅅ = ㄱㅗㅏㅇㅣㄹ(x)"
    assert keys("value") == "value" and keys("ㅋ漢é") == "ㅋ漢é"


def test_the_item_on_screen_stays_while_its_syllables_are_composed() -> None:
    memory = ItemMemory()
    suggestion = Suggestion("값이 없으면", 2, 2, 0.9, "retrieval")
    memory.remember("a", Item("1", "값이 없으면", 2, 2, suggestion), "# ", 2)
    for state, rest, start in (
        ("ㄱ", "값이 없으면", 2),
        ("갑", "값이 없으면", 2),
        ("값", "이 없으면", 3),
        ("값ㅇ", "이 없으면", 3),
        ("값이", " 없으면", 4),
        ("값이 없으며", "면", 7),
    ):
        item = memory.rest("a", f"# {state}", 2 + len(state))
        assert item is not None and (item.id, item.text, item.start) == ("1", rest, start), state
        assert item.end == 2 + len(state)
    for state in ("ㄴ", "각", "값ㄴ", "값이 없으면", "값이 없으면ㅇ"):
        assert memory.rest("a", f"# {state}", 2 + len(state)) is None
