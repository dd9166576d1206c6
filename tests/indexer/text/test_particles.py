"""Korean particles are tokens of their own, whose two forms are one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.text import particles
from indexer.text.tokens import TOKEN, token_ids


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("주문을 읽는다", ["주문", "을", "읽는다"]),
        ("저장소에서는 저장소에서", ["저장소", "에서", "는", "저장소", "에서"]),
        ("고객들의 주소까지", ["고객", "들의", "주소", "까지"]),
        ("order_total을 read_header에서", ["order_total", "을", "read_header", "에서"]),
        ("나는 이것 값이", ["나는", "이것", "값이"]),  # one syllable is no stem
        ("test_주문_생성 x값 버퍼2를", ["test_주문_생성", "x값", "버퍼2를"]),
        ("주문으", ["주문으"]),  # not a particle yet
        ("café_을 naïve", ["café_을", "naïve"]),
    ],
)
def test_a_particle_is_a_token(text: str, tokens: list[str]) -> None:
    assert TOKEN.findall(text) == tokens


def test_both_forms_are_one_token() -> None:
    for one, other in (
        ("주문을", "버퍼를"),
        ("주문이", "버퍼가"),
        ("주문은", "버퍼는"),
        ("주문과", "버퍼와"),
        ("주문으로", "버퍼로"),
    ):
        assert token_ids(one)[1:] == token_ids(other)[1:]
    assert token_ids("주문을")[1:] != token_ids("주문은")[1:]


@pytest.mark.parametrize(
    ("word", "particle", "fits"),
    [
        ("버퍼", "을", "를"),
        ("주문", "를", "을"),
        ("채널", "로", "로"),
        ("채널", "으로", "로"),
        ("센서", "으로", "로"),
        ("주문", "로", "으로"),
        ("상품", "와", "과"),
        ("버퍼", "에서", "에서"),
        ("buffer", "을", "을"),
    ],
)
def test_the_form_fits_the_word(word: str, particle: str, fits: str) -> None:
    assert particles.fitting(word, particle) == fits


def test_a_text_goes_on_with_the_form_that_fits() -> None:
    assert particles.joined("# 버퍼", "을 읽는다") == "를 읽는다"
    assert particles.joined("# 버퍼", "읽는다") is None
    assert particles.joined("# buffer", "을 읽는다") is None
    assert particles.joined("", "을") is None


@given(st.text(alphabet="주문버퍼을를이가에서로 ab_1.é가\n"))
def test_no_character_is_lost(text: str) -> None:
    assert "".join(TOKEN.findall(text)) == "".join(
        character for character in text if not character.isspace() or character == "\n"
    )
