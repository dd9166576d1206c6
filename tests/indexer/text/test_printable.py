"""Nothing hidden is printed: control characters, characters that turn text, and characters that nobody sees."""

import io
import random
import sys
import unicodedata

import pytest

from indexer.text.printable import OutputGuard, hidden_in, printable

HIDDEN = [
    *(
        "\x00",
        "\x07",
        "\x08",
        "\x1b",
        "\x7f",
        "\x85",
        "\x9b",
        "\u200b",
        "\u200d",
        "\u200e",
        "\u202e",
        "\u2066",
        "\u2069",
    ),
    *(
        "\u2028",
        "\u2029",
        "\ufeff",
        "\u00ad",
        "\u034f",
        "\u115f",
        "\u3164",
        "\uffa0",
        "\ufe0f",
        "\U000e0041",
        "\U000e0101",
    ),
    *("\ud800", "\ufdd0", "\uffff", "\u2800", "\u180e"),
]


@pytest.mark.parametrize("character", HIDDEN, ids=lambda c: f"{ord(c):04x}")
def test_a_hidden_character_is_spelled_out(character: str) -> None:
    shown = printable(f"a{character}b")
    assert character not in shown
    assert shown.startswith("a\\") and shown.endswith("b")
    assert hidden_in(f"a{character}b") == {character}


def test_every_character_of_unicode_that_commands_or_turns_is_hidden() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            assert character not in printable(character, "")


def test_text_of_all_languages_stays() -> None:
    for text in ("한국어 주석", "日本語　空白", "naïve café", "עברית", "ไทย", "a b", "🙂", "tab"):
        assert printable(text) == text
    assert printable("a\tb\nc", "\t\n") == "a\tb\nc"
    assert printable("a\tb\nc") == "a\\tb\\nc"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_guarded_stream_passes_colours_but_no_commands() -> None:
    for stream, moves in ((io.StringIO(), False), (Terminal(), True)):
        guard = OutputGuard(stream)
        guard.write("\x1b[1mbold\x1b[0m \x1b]0;title\x07 \x1b[2Kline \x1b[6n \u202eturned\n")
        written = stream.getvalue()
        assert "\x1b[1mbold\x1b[0m" in written and written.endswith("\n")
        assert ("\x1b[2K" in written) is moves
        assert (
            "\x1b]0" not in written and "\x1b[6n" not in written and "\x07" not in written and "\u202e" not in written
        )


def test_random_text_never_passes_a_guard_with_a_command() -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(500):
        text = "".join(
            rng.choice(["a", "\x1b", "[", "]", "0", ";", "m", "H", "?", "\n", *HIDDEN[:-6]]) for _ in range(40)
        )
        stream = io.StringIO()
        OutputGuard(stream).write(text)
        assert hidden_in(stream.getvalue()) <= {"\x1b"}
        for after in stream.getvalue().split("\x1b")[1:]:
            assert after.startswith("[") and "m" in after
