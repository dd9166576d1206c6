"""A Korean syllable that is being composed is no refusal of the text that it is about to agree with."""

import pytest

from lsp_server.hangul import is_on_the_way, keys
from lsp_server.server.refusals import Refusals


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
