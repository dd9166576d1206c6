"""What one edit makes of another line, rule by rule."""

import random

import pytest

from lsp_server.edits.proposals import proposals, taught
from lsp_server.edits.token_lines import parse, render


def made_of(line: str, *edits: tuple[str, str]) -> set[str]:
    """Every text that the edits make of a line."""
    history = [taught("a", number, number, old, new) for number, (old, new) in enumerate(edits)]
    return set(proposals(line, history))


@pytest.mark.parametrize(
    ("old", "new", "line", "wanted"),
    [
        # a name, in any indentation and spacing
        ("    x = load(path)", "    x = read(path)", "\ty = load( other )", "\ty = read( other )"),
        # an argument added, removed, and moved, whatever the others are
        ("f(a)", "f(a, ctx)", "g(f(b[1], h(c)))", "g(f(b[1], h(c), ctx))"),
        ("f(ctx, a)", "f(a)", "f(ctx, h(b, c))", "f(h(b, c))"),
        ("move(src, dst)", "move(dst, src)", "move(one(1), two)", "move(two, one(1))"),
        # a part of a name in another spelling
        ("user_name = 1", "login_name = 1", "const USER_NAME: UserName", "const LOGIN_NAME: LoginName"),
        # names that differ between the lines, also where the edit repeats them
        ("self.a = a", "self._a = a", "self.b = b", "self._b = b"),
        (".x20_in(),", ".x20_in(regs_i[20]),", ".x21_in(),", ".x21_in(regs_i[21]),"),
        # the begin and the end of a line
        ("  go(1);", "  await go(1);", "  stop(now, 2);", "  await stop(now, 2);"),
        # the next indentation
        ("    a = 1", "        a = 1", "    b = c.d()", "        b = c.d()"),
        # a table's column
        (
            "input  logic        a_i,",
            "input  logic            a_i,",
            "output logic        b_o,",
            "output logic            b_o,",
        ),
        # letters outside ASCII
        ("값 = 계산(하나)", "값 = 계산(하나, 세율)", "합 = 계산(둘)", "합 = 계산(둘, 세율)"),
        # carriage returns stay
        ("a = old(b)", "a = new(b)", "c = old(d)\r", "c = new(d)\r"),
    ],
)
def test_an_edit_is_repeated_on_another_line(old: str, new: str, line: str, wanted: str) -> None:
    assert wanted in made_of(line, (old, new))


def test_renames_of_several_edits_are_made_together() -> None:
    found = made_of("use(red, blue)", ("a = red", "a = rot"), ("b = blue", "b = blau"))
    assert "use(rot, blau)" in found


def test_an_edit_proposes_nothing_where_it_says_nothing() -> None:
    assert made_of("while True:", ("value = old(b)", "value = new(b)")) == set()
    assert made_of("", ("value = old(b)", "value = new(b)")) == set()


def test_parse_and_render_are_inverse() -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(500):
        text = "".join(
            rng.choice([" ", "\t", "a", "_b", "1", "(", ")", ",", "é", "값", "😀", "\u3000"]) for _ in range(20)
        )
        line = parse(text)
        assert render(line.indent, line.texts, line.spaces, line.tail) == text
