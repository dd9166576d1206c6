"""Korean particles: they are written without a blank behind a word, and some have two forms.

Which form stands depends on how the word ends: ``주문을`` behind a consonant, ``버퍼를`` behind a vowel. To the lexer a
particle is a token of its own, and its two forms are one, so that ``주문을 초기화`` says what may follow ``버퍼를``.
"""

import re
from typing import Final

_TWO_FORMS: Final = (
    ("을", "를"),
    ("이", "가"),
    ("은", "는"),
    ("과", "와"),
    ("으로", "로"),
    ("이라는", "라는"),
    ("이나", "나"),
)
"""Behind a consonant, behind a vowel; behind ``ㄹ``, ``로`` stands."""

_ONE_FORM: Final = (
    *("의", "에", "도", "만", "들", "에서", "에게", "에는", "에도", "까지", "부터", "처럼", "보다", "마다", "밖에"),
    *("들을", "들이", "들은", "들의", "들에", "으로는", "로는", "으로부터", "로부터", "이란", "이면"),
    *("에서는", "에서도", "에서의", "에서만", "에게는", "까지는", "까지의", "만을", "만이"),
)
_FIRST: Final = 0xAC00
_LAST: Final = 0xD7A3
_NO_FINAL, _FINAL_L = 0, 8

NAMED: Final = {second: first for first, second in _TWO_FORMS}
"""For the form behind a vowel, the one behind a consonant: the name of both."""

_OTHERS: Final = {one: (first, second) for first, second in _TWO_FORMS for one in (first, second)}
_ANY: Final = "|".join(sorted((*_OTHERS, *_ONE_FORM), key=len, reverse=True))

ENDS_WORD: Final = rf"(?=(?:{_ANY})(?!\w))"
"""Pattern: a particle, and the end of the word behind it."""

STEM: Final = rf"[가-힣]{{2,}}?{ENDS_WORD}"
"""Pattern: a word of two or more syllables in front of a particle; ``나는`` and ``이것`` stay whole."""

_WITH_PARTICLE: Final = re.compile(rf"([가-힣]{{2,}}?|[A-Za-z_][A-Za-z0-9_]*)({_ANY})(?!\w)")
_PARTICLE: Final = re.compile(rf"(?:{_ANY})(?!\w)")


def split(word: str) -> tuple[str, str] | None:
    """Return a word without its particle, and the particle; None if it has none."""
    found = _WITH_PARTICLE.fullmatch(word)
    return (found[1], found[2]) if found else None


def joined(before: str, text: str) -> str | None:
    """Return a text that goes on with a particle, in the form that fits the word before it; None if it does not."""
    found = _PARTICLE.match(text)
    if found is None or not before or not _is_syllable(before[-1]):
        return None
    return fitting(before, found[0]) + text[found.end() :]


def fitting(word: str, particle: str) -> str:
    """Return the form of a particle that stands behind a word."""
    forms = _OTHERS.get(particle)
    if forms is None or not word or not _is_syllable(word[-1]):
        return particle
    final = (ord(word[-1]) - _FIRST) % 28
    is_open = final == _NO_FINAL or (forms[1] == "로" and final == _FINAL_L)
    return forms[is_open]


def _is_syllable(character: str) -> bool:
    return _FIRST <= ord(character) <= _LAST
