"""Decodes source files: finds the encoding without a setting, and never raises.

Encodings that can be recognized (a byte order mark, valid UTF-8) are tried first, and those that accept anything last.
Korean code is often CP949, Japanese Shift-JIS, old European code Latin-1. ``policy`` decides whether bytes are text.
"""

import codecs
import re

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SNIFF = 4096
_HANGUL = re.compile(r"[가-힣ㄱ-ㆎ]")
_JAPANESE = re.compile(r"[\u3040-\u30ff\u3005\u3007\u3001\u3002]")
_C1 = re.compile(rb"[\x80-\x9f]")


def decode(data: bytes) -> tuple[str, str]:
    """The text of ``data`` and the name of the encoding it was read with (a name Python's codecs know).

    A byte order mark is not part of the text. Never raises: Latin-1 reads anything.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            text = _try(data, encoding)
            if text is not None:
                return text, encoding
    wide = wide_encoding(data)
    if wide is not None:
        text = _try(data, wide)
        if text is not None:
            return text, wide
    text = _try(data, "utf-8")
    if text is not None:
        return text, "utf-8"
    return _decode_legacy(data)


def wide_encoding(data: bytes) -> str | None:
    """``"utf-16-le"`` or ``"utf-16-be"`` if the zero bytes of ``data`` lie as in UTF-16 without a mark, else None.

    Code is mostly ASCII, so at least 40 % of one half of each pair is zero and next to none of the other.
    """
    head = data[:_SNIFF]
    if len(data) % 2 or len(head) < 4 or b"\0" not in head:
        return None
    even, odd = head[::2].count(0) / len(head[::2]), head[1::2].count(0) / len(head[1::2])
    if odd >= 0.4 and even <= 0.02:
        return "utf-16-le"
    if even >= 0.4 and odd <= 0.02:
        return "utf-16-be"
    return None


def _decode_legacy(data: bytes) -> tuple[str, str]:
    """Korean, then Japanese, then Western European: each is used only if its text looks like the language."""
    korean = _try(data, "cp949")
    if korean is not None and _is_korean(korean):
        return korean, "cp949"
    japanese = _try(data, "shift_jis")
    if japanese is not None and _share(_JAPANESE, japanese) >= 0.3:
        return japanese, "shift_jis"
    if _C1.search(data):
        western = _try(data, "cp1252")
        if western is not None:
            return western, "cp1252"
    return data.decode("latin-1"), "latin-1"


def _is_korean(text: str) -> bool:
    """At least half of what is not ASCII is Hangul, and of that most is in the everyday set (KS X 1001).

    CP949 adds 8,822 rare syllables whose second byte may be an ASCII letter, so "Äp" of Latin-1 reads as one of them.
    """
    hangul = "".join(_HANGUL.findall(text))
    others = sum(1 for character in text if character > "\x7f") - len(hangul)
    if not hangul or others > len(hangul):
        return False
    return len(hangul.encode("euc_kr", "ignore")) / 2 >= 0.8 * len(hangul)


def _share(pattern: re.Pattern[str], text: str) -> float:
    """The share of ``pattern`` among the characters of ``text`` that are not ASCII."""
    others = sum(1 for character in text if character > "\x7f")
    return len(pattern.findall(text)) / others if others else 0.0


def _try(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None
