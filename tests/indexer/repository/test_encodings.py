"""Texts in common encodings are decoded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.repository.encodings import decode

KOREAN = "// 장바구니 합계를 계산한다. 할인은 나중에 적용\nint 합계 = 0;  // 값 뷁\n"
CODE = "def total(items):\n    return sum(items)\n"


@pytest.mark.parametrize(
    ("encoding", "text", "name"),
    [
        ("ascii", CODE, "utf-8"),
        ("utf-8", KOREAN, "utf-8"),
        ("utf-8-sig", KOREAN, "utf-8-sig"),
        ("utf-16", KOREAN + CODE, "utf-16"),
        ("utf-16-le", KOREAN + CODE, "utf-16-le"),
        ("utf-16-be", KOREAN + CODE, "utf-16-be"),
        ("utf-32", CODE, "utf-32"),
        ("cp949", KOREAN, "cp949"),
        ("euc_kr", "# 한글 주석입니다\nx = 1\n", "cp949"),
        ("latin-1", "// Größe überprüfen, naïve façade: é à ñ\n" + CODE, "latin-1"),
        ("latin-1", "// 20 °C, ±5 %, © 2020, Ärger über Öl\n", "latin-1"),
        ("cp1252", "// “quoted” – it’s fine…\n" + CODE, "cp1252"),
        ("shift_jis", "// これはテストです。カタカナも書く\nint x = 1;\n", "shift_jis"),
    ],
)
def test_round_trip(encoding: str, text: str, name: str) -> None:
    assert decode(text.encode(encoding)) == (text, name)


def test_line_ends_and_odd_characters_are_kept() -> None:
    text = "a\r\nb\rc\nd\x0c\x0be\u2028f\x85g"
    assert decode(text.encode())[0] == text


def test_a_wrong_byte_order_mark_does_not_raise() -> None:
    assert decode(b"\xff\xfea")[0]  # one byte too many for UTF-16
    assert decode(b"\xef\xbb\xbf\xff\xfe")[0]


@given(st.binary(max_size=300))
def test_never_raises(data: bytes) -> None:
    text, encoding = decode(data)
    assert isinstance(text, str)
    "".encode(encoding)
    if encoding == "utf-8":
        assert text.encode() == data
