"""Korean input methods compose a syllable key by key; each state of it is a text of the document for a moment.

``값`` is typed as ``ㄱ``, ``가``, ``갑``, ``값``, and ``가나`` passes through ``간``: a consonant ends a syllable until
a vowel follows it.
"""

from typing import Final

_FIRST: Final = 0xAC00
_LAST: Final = 0xD7A3
_INITIALS: Final = tuple("ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ")
_VOWEL_KEYS: Final = "ㅏ ㅐ ㅑ ㅒ ㅓ ㅔ ㅕ ㅖ ㅗ ㅗㅏ ㅗㅐ ㅗㅣ ㅛ ㅜ ㅜㅓ ㅜㅔ ㅜㅣ ㅠ ㅡ ㅡㅣ ㅣ"
_FINAL_KEYS: Final = (
    "ㄱ ㄲ ㄱㅅ ㄴ ㄴㅈ ㄴㅎ ㄷ ㄹ ㄹㄱ ㄹㅁ ㄹㅂ ㄹㅅ ㄹㅌ ㄹㅍ ㄹㅎ ㅁ ㅂ ㅂㅅ ㅅ ㅆ ㅇ ㅈ ㅊ ㅋ ㅌ ㅍ ㅎ"
)
_VOWELS: Final = tuple(_VOWEL_KEYS.split())
_FINALS: Final = ("", *_FINAL_KEYS.split())
"""The letters of each part of a syllable, in Unicode's order; what takes two keys has two letters."""


def is_composing(typed: str, wanted: str) -> bool:
    """Return whether ``typed`` is the beginning of ``wanted`` but for its last character, which is on the way to it."""
    whole = len(typed) - 1
    return whole >= 0 and wanted.startswith(typed[:whole]) and is_on_the_way(typed[whole:], wanted[whole:])


def is_on_the_way(typed: str, wanted: str) -> bool:
    """Return whether one typed character is a state of the syllables that ``wanted`` begins with, not yet whole."""
    if len(typed) != 1 or not wanted or typed == wanted[0] or not _is_hangul(typed):
        return False
    return keys(wanted[:2]).startswith(keys(typed))


def _is_hangul(character: str) -> bool:
    return _FIRST <= ord(character) <= _LAST or "ㄱ" <= character <= "ㅣ"


def keys(text: str) -> str:
    """Return the letters of Hangul syllables in the order in which they are typed; other characters as they are."""
    if text.isascii():
        return text
    typed = []
    for character in text:
        number = ord(character) - _FIRST
        if 0 <= number <= _LAST - _FIRST:
            typed.append(_INITIALS[number // 588] + _VOWELS[number % 588 // 28] + _FINALS[number % 28])
        else:
            typed.append(character)
    return "".join(typed)
