"""Random documents in fifteen languages, random cursors, random texts: what is accepted leaves the document sound.

The documents are made here, so that two simple counts can judge them, which share nothing with the rules: the errors of
a parse of the whole document, and how often each mark that opens stands there more often than the one that closes it.
"""

import json
import os
import random
import re
from dataclasses import dataclass

import pytest

from indexer.languages.grammars import parser
from lsp_server.fitting import syntax_window
from lsp_server.fitting.fitter import Fitter
from lsp_server.fitting.place import Fitted
from lsp_server.types import Document

CASES = int(os.environ.get("ONDOL_RANDOM_CASES", "2000"))


@dataclass(frozen=True)
class Kind:
    """How documents of a language are made.

    :param frame: the first and the last lines around everything. :param blocks: first and last line of blocks; "" for
        blocks that end with their indentation. :param marks: pairs of patterns that must be equally frequent.
    """

    blocks: tuple[tuple[str, str], ...]
    lines: tuple[str, ...]
    frame: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    unit: str = "    "
    depth: int = 3
    marks: tuple[tuple[str, str], ...] = ()
    judged: bool = True


C_LINES = ("x = call(a, b[{n}]);", 'name = "text{n}";', "run({n});", "y = (a + b) * {n};")
C_BLOCKS = (("if (a == {n}) {{", "}}"), ("for (int i = 0; i < {n}; i++) {{", "}}"), ("while (a) {{", "}}"))
KINDS = {
    "python": Kind(
        (("if a == {n}:", ""), ("for x in range({n}):", ""), ("def f{n}(a, b):", "")),
        ("x = call(a, b[{n}])", "name = 'text{n}'", 'items.append({{"k": a}})', "return (a, b)"),
    ),
    "go": Kind(
        (("if a == {n} {{", "}}"), ("for i := 0; i < {n}; i++ {{", "}}"), ("switch a {{", "}}")),
        ("x := call(a, b[{n}])", 'name = "text{n}"', "run({n})"),
        (("package p", "", "func f() {{"), ("}}",)),
        unit="\t",
    ),
    "c": Kind(C_BLOCKS, C_LINES, (("int f(int a) {{",), ("}}",))),
    "cpp": Kind(C_BLOCKS, (*C_LINES, "std::vector<int> v{n};"), (("void f(int a) {{",), ("}}",)), unit="  "),
    "java": Kind(C_BLOCKS, C_LINES, (("class A {{", "    void f(int a) {{"), ("    }}", "}}"))),
    "typescript": Kind(
        (("if (a === {n}) {{", "}}"), ("items.forEach((x) => {{", "}});"), ("while (a) {{", "}}")),
        ("const x{n} = call(a, b[{n}]);", "const y{n} = `text${{a}}`;", "run({{ key: 'v{n}' }});"),
        unit="  ",
    ),
    "rust": Kind(
        (("if a == {n} {{", "}}"), ("for i in 0..{n} {{", "}}"), ("while a {{", "}}")),
        ("let x{n} = call(a, b[{n}]);", 'let y{n} = "text";', "run({n});"),
        (("fn f(a: i32) {{",), ("}}",)),
    ),
    "systemverilog": Kind(
        (("if (a == {n}) begin", "end"), ("for (int i = 0; i < {n}; i++) begin", "end"), ("begin", "end")),
        ("x = call(a, b[{n}]);", "y = {n};", "z = (a & b);"),
        (("module m (input logic a);", "  always_comb begin"), ("  end", "endmodule")),
        unit="  ",
        marks=((r"\bbegin\b", r"\bend\b"), (r"\bmodule\b", r"\bendmodule\b")),
    ),
    "vhdl": Kind(
        (("if a = {n} then", "end if;"), ("for i in 0 to {n} loop", "end loop;")),
        ("x <= y;", "z := f(a, {n});", "b <= '1';"),
        (
            ("architecture r of e is", "begin", "  p: process (a)", "  begin"),
            ("  end process;", "end architecture;"),
        ),
        unit="  ",
        marks=((r"(?<!end )\b(?:if|loop|process|architecture)\b", r"\bend\b"),),
    ),
    "make": Kind(
        (("t{n}: a{n}.c", ""),),
        ("$(CC) -c f{n}.c", "echo $(A)"),
        (("CC = gcc", ""), ("ifeq ($(A),b)", "X = 1", "endif")),
        unit="\t",
        depth=1,
        marks=((r"\bifeq\b", r"\bendif\b"),),
        judged=False,
    ),
    "yaml": Kind((("key{n}:", ""),), ("k{n}: value", "l{n}: [a, b]", 'm{n}: "text"'), unit="  "),
    "ruby": Kind(
        (("if a == {n}", "end"), ("items.each do |x|", "end"), ("def f{n}(a)", "end"), ("unless b", "end")),
        ("x = call(a, b[{n}])", 'y = "text{n}"', "z = {{ k: a }}"),
        unit="  ",
        marks=((r"(?m)^\s*(?:if|def|unless)\b|\bdo\b", r"\bend\b(?!:)"),),
    ),
    "bash": Kind(
        (('if [ "$a" = {n} ]; then', "fi"), ("for x in a b; do", "done"), ("f{n}() {{", "}}")),
        ('echo "text{n}"', "run a b", "x=$(call a)"),
        unit="  ",
        # Behind another word these are arguments.
        marks=((r"(?m)^\s*if\b", r"(?m)(?:^|;)\s*fi\b"), (r"(?m)(?:^|;)\s*do\b", r"(?m)(?:^|;)\s*done\b")),
    ),
    "html": Kind(
        (('<div class="c{n}">', "</div>"), ("<ul>", "</ul>")),
        ("<p>text</p>", "<br>", '<a href="x{n}">y</a>'),
        unit="  ",
        marks=((r"<div\b", r"</div>"), (r"<ul\b", r"</ul>"), (r"<p\b", r"</p>")),
        judged=False,
    ),
    "json": Kind((), ()),
}
BRACKETS = ((r"\{", r"\}"), (r"\(", r"\)"), (r"\[", r"\]"))


def document(language: str, rng: random.Random) -> list[str]:
    kind = KINDS[language]
    if language == "json":
        return json.dumps(_value(rng, 3), indent=2).split("\n")
    first, last = ([line.format() for line in part] for part in kind.frame)
    depth = sum(line.rstrip().endswith(("{", "begin", "is")) for line in first) if last and language != "make" else 0
    if language == "vhdl":
        depth = 2
    return [*first, *_block(kind, rng, depth, kind.depth), *last]


def _value(rng: random.Random, depth: int) -> object:
    if not depth:
        return rng.choice(["text", 3, True, [1, 2], {"a": "b"}])
    return {f"k{rng.randrange(99)}": _value(rng, rng.randrange(depth)) for _ in range(rng.randrange(1, 5))}


def _block(kind: Kind, rng: random.Random, depth: int, left: int) -> list[str]:
    lines = []
    for _ in range(rng.randrange(1, 5)):
        number, blanks = rng.randrange(99), kind.unit * depth
        if left and rng.random() < 0.5:
            first, last = rng.choice(kind.blocks)
            lines += [blanks + first.format(n=number), *_block(kind, rng, depth + 1, left - 1)]
            lines += [blanks + last.format(n=number)] if last else []
        elif kind.depth > 1 or depth:
            lines.append(blanks + rng.choice(kind.lines).format(n=number))
    return lines or [kind.unit * depth + rng.choice(kind.lines).format(n=1)]


def insertion(lines: list[str], at: int, column: int, rng: random.Random) -> str:
    """A text from some lines: the rest of one and a few after it, sometimes damaged."""
    kept = [lines[at][column:], *lines[at + 1 : at + 1 + rng.choice((0, 0, 1, 2, 3, 6))]]
    text = "\n".join(kept)
    if rng.random() < 0.3 and text:
        place = rng.randrange(len(text))
        text = text[:place] + rng.choice(("", "", "}", ")", '"', "\nend", "{", "else ")) + text[place + 1 :]
    return text


def surplus(language: str, text: str) -> list[int]:
    """How much more often each mark opens than closes."""
    text = re.sub(r"\"[^\"\n]*\"\w*|'[^'\n]*'|`[^`]*`", "x", text)
    pairs = (*(BRACKETS if language != "html" else ()), *KINDS[language].marks)
    return [len(re.findall(begin, text)) - len(re.findall(end, text)) for begin, end in pairs]


def errors(language: str, text: str) -> int:
    found = parser(language)
    assert found is not None
    return len(syntax_window.errors_of(found.parse(text.encode())))


def check(language: str, rng: random.Random, fitter: Fitter, number: int) -> bool:
    """Fit a random text to a random cursor; whether it was accepted."""
    lines, other = document(language, rng), document(language, rng)
    at = rng.randrange(len(lines))
    column = rng.randrange(len(lines[at]) + 1)
    if rng.random() < 0.6:
        text = insertion(lines, at, column, rng)
    else:
        source = rng.randrange(len(other))
        text = insertion(other, source, len(other[source]) - len(other[source].lstrip()), rng)
        column = len(lines[at]) - len(lines[at].lstrip())
    behind = "".join(re.findall(r"[)\]}\"';,]+$", lines[at][column:])) if rng.random() < 0.4 else ""
    typed = lines[at][:column] + behind
    below = lines[at + 1 :]
    if rng.random() < 0.7:  # the author has not written the lines that the text is about
        below = below[text.count("\n") :]
    before = [*lines[:at], typed, *below]
    offset = sum(len(line) + 1 for line in lines[:at]) + column
    whole = "\n".join(before) + "\n"
    fitted = fitter.fit(Document(f"file:///{number}", f"f{number}", language, 1, whole), offset, text)
    if not isinstance(fitted, Fitted):
        return False
    assert fitted.text.strip()
    assert offset <= fitted.end <= offset + len(behind)
    after = whole[:offset] + fitted.text + whole[fitted.end :]
    if "\n" in fitted.text or (behind.strip() and fitted.end < offset + len(behind)):
        without = "\n".join([*lines[:at], *below]) + "\n"
        about = f"{language}\n{whole[:offset]}‸{whole[offset:]}\n--- text\n{text}\n--- accepted\n{after}"
        allowed = [
            max(map(abs, pair)) for pair in zip(surplus(language, whole), surplus(language, without), strict=True)
        ]
        # A text may stand in a string before a quote. Where marks are missing already, closing some may be right.
        if (
            typed.count('"') % 2 == 0
            and '"' not in behind
            and not any(surplus(language, without))
            and min(surplus(language, typed)) >= 0
        ):
            assert all(abs(n) <= limit for n, limit in zip(surplus(language, after), allowed, strict=True)), about
        if KINDS[language].judged and not errors(language, without) and min(surplus(language, typed)) >= 0:
            assert errors(language, after) <= max(errors(language, whole), errors(language, without)), about
    return True


@pytest.mark.parametrize("language", KINDS)
def test_whatever_is_accepted_leaves_the_document_sound(language: str) -> None:
    seed = int(os.environ.get("ONDOL_SEED", "20261126"))
    print(f"ONDOL_SEED={seed}")
    rng, fitter = random.Random(f"{seed}{language}"), Fitter()
    accepted = sum(check(language, rng, fitter, number) for number in range(-(-CASES // len(KINDS))))
    assert accepted > CASES // len(KINDS) // 8  # silence is no soundness
