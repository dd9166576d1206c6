"""Search terms: whole identifiers, their parts, and pairs of syllables."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.text import terms as module
from indexer.text.terms import terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("getHTTPStatus_2", ["gethttpstatus_2", "get", "http", "status", "2"]),
        ("__init__", ["init"]),
        ("MAX_LINE_CHARS", ["max_line_chars", "max", "line", "chars"]),
        ("x", ["x"]),
        ("_", ["_"]),
        ("a.b(c)", ["a", "b", "c"]),
        ("uvm_sequence_item", ["uvm_sequence_item", "uvm", "sequence", "item"]),
        ("clk2q", ["clk2q", "clk", "2", "q"]),
        ("0x1F", ["0x1f", "0", "x", "1", "f"]),
        ("한국어 주석", ["한국", "국어", "주석"]),
        ("값", ["값"]),
        ("get값을", ["get", "값을"]),
        ("検索する", ["検索", "索す", "する"]),
        ("Größe_x", ["grösse", "x"]),
        ("“quoted”", ["quoted"]),
        ("", []),
        ("+-*/ \n\t", []),
    ],
)
def test_terms(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


def test_a_korean_comment_is_found_by_a_word_with_another_ending() -> None:
    comment = set(terms("// 설정 파일을 읽어서 캐시에 저장한다"))
    assert len(comment & set(terms("파일 저장"))) == 2


def test_decomposed_hangul_is_the_same_word() -> None:
    assert terms("\u1112\u1161\u11ab\u1100\u116e\u11a8") == terms("한국") == ["한국"]


def test_order_and_repetition_are_kept() -> None:
    assert terms("b a b") == ["b", "a", "b"]


def test_a_very_long_word_is_one_short_term() -> None:
    found = terms("A" * 100_000)
    assert len(found) == 1
    assert len(found[0]) == 120


@given(st.text())
def test_terms_are_plain(text: str) -> None:
    """Each term is non-empty, without white space, encodable and short; the same text gives the same terms."""
    found = terms(text)
    for term in found:
        assert term
        assert not any(character.isspace() for character in term)
        assert len(term.encode()) <= 4 * 121
    assert terms(text) == found


def test_a_full_cache_is_emptied_and_the_answer_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CACHE_SIZE", 10)
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(200):
        number = rng.randrange(1000)
        assert terms(f"name_{number}") == [f"name_{number}", "name", str(number)]
    assert len(module._cache) <= 11
