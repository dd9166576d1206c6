"""Chunks cover a file and hold whole definitions; no file makes chunking fail."""

import random
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.languages import chunking
from indexer.languages.chunking import MAX_CHARS, MAX_LINES, chunk, chunk_terms
from indexer.languages.table import LANGUAGES
from indexer.text.lines import lines_with_ends
from indexer.types import Chunk

FRAGMENTS = {
    "python": [
        "def f(a):\n",
        "    return a\n",
        "class A:\n",
        "    def m(self):\n",
        "        x = (\n",
        "# note\n",
        '"""\n',
    ],
    "typescript": ["export class A {\n", "  m(): void {\n", "}\n", "/** doc */\n", "const x = `\n", "@dec()\n"],
    "java": ["class A {\n", "  /* c */ int f() {\n", "  }\n", "}\n", "@Override\n", "int[] t = {1,\n"],
    "cpp": [
        "namespace n {\n",
        "template <class T>\n",
        "class A {\n",
        "};\n",
        "#ifdef X\n",
        "#endif\n",
        "int f() {\n",
        "}\n",
    ],
    "rust": ["#[test]\n", "fn f() {\n", "}\n", "impl A {\n", "/// doc\n", "mod m {\n"],
    "go": ["package p\n", "func f() {\n", "}\n", "// note\n", "type T struct {\n"],
    "systemverilog": [
        "module m;\n",
        "endmodule\n",
        "class c;\n",
        "endclass\n",
        "always_ff @(posedge k) begin\n",
        "end\n",
    ],
    "vhdl": [
        "entity e is\n",
        "end entity;\n",
        "architecture a of e is\n",
        "begin\n",
        "end architecture;\n",
        "-- note\n",
    ],
    "markdown": ["# A\n", "## B\n", "text\n", "```\n", "- item\n", "| a | b |\n"],
    "html": ["<div>\n", "</div>\n", "<script>\n", "</script>\n", "<p>text\n"],
    "yaml": ["a:\n", "  - b: 1\n", "  c: |\n", "    text\n", "# note\n"],
    "text": ["word word\n", "한글 문장\n"],
}
_ODD = ["\n", "   \n", "\r\n", "\r", "\x0c\n", "\u2028", "\x85", "x" * 2500 + "\n", "(", "😀한\n", "\x00", "\ud800"]


def check(text: str, chunks: list[Chunk]) -> None:
    """The promises of ``chunk``: ordered, disjoint, exact text, every non-blank line, limits."""
    lines = lines_with_ends(text)
    assert "".join(lines) == text
    end = 0
    for found in chunks:
        assert end <= found.start_line < found.end_line <= len(lines)
        assert not "".join(lines[end : found.start_line]).strip()
        assert found.text == "".join(lines[found.start_line : found.end_line])
        count = found.end_line - found.start_line
        assert count <= MAX_LINES
        assert len(found.text) <= MAX_CHARS or count == 1
        assert found.text.strip()
        assert "\n" not in found.header
        end = found.end_line
    assert not "".join(lines[end:]).strip()


@pytest.mark.parametrize("language", sorted(FRAGMENTS))
@settings(max_examples=40)
@given(data=st.data())
def test_chunks_cover_any_text(language: str, data: st.DataObject) -> None:
    pieces = st.sampled_from([*FRAGMENTS[language], *_ODD])
    text = "".join(data.draw(st.lists(pieces, max_size=150)))
    check(text, chunk(text, language, f"a/b.{language}"))


@settings(max_examples=60)
@given(text=st.text(max_size=400), language=st.sampled_from(["python", "systemverilog", "cpp", "markdown", "text"]))
def test_chunks_cover_arbitrary_characters(text: str, language: str) -> None:
    check(text, chunk(text, language, "x"))


def test_chunks_cover_random_bytes_of_every_language() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    for language in [*LANGUAGES, "text", "no such language"]:
        text = rng.randbytes(3000).decode("latin-1")
        check(text, chunk(text, language, "x"))


@pytest.mark.parametrize("text", ["", "\n", " \n\t\n", "\r\n\r\n", "\x0c"])
def test_blank_text_has_no_chunks(text: str) -> None:
    assert chunk(text, "python", "x.py") == []


def test_lines_are_those_of_the_language_server_protocol() -> None:
    text = "a\r\nb\rc\nd\x0ce\u2028f\x85g"
    assert lines_with_ends(text) == ["a\r\n", "b\r", "c\n", "d\x0ce\u2028f\x85g"]


def _function(name: str, lines: int) -> str:
    return f"def {name}(value):\n" + "".join(f"    value = step_{number}(value)\n" for number in range(lines - 1))


def test_whole_definitions_are_packed() -> None:
    """Small functions share a chunk up to about 20 lines; none is cut."""
    text = "\n".join(_function(f"f{number}", 8) for number in range(12))
    chunks = chunk(text, "python", "pkg/mod.py")
    check(text, chunks)
    assert len(chunks) > 1
    for found in chunks:
        assert found.text.startswith("def f")
        assert found.header == "pkg/mod.py"
    assert all(found.end_line - found.start_line >= 20 for found in chunks[:-1])


def test_comments_and_decorators_stay_with_their_definition() -> None:
    text = (
        _function("before", 25)
        + "\n# about the cart\n# in two lines\n@cached\n@traced(1)\ndef cart():\n"
        + "    x = 1\n" * 25
    )
    chunks = chunk(text, "python", "m.py")
    assert [found.text.split("\n")[0] for found in chunks] == ["def before(value):", "# about the cart"]


def test_a_class_too_big_is_split_at_its_methods_and_names_its_scope() -> None:
    methods = "\n".join(textwrap.indent(_function(f"method_{number}", 24), "    ") for number in range(6))
    text = "class Cart(Base, metaclass=Meta):\n    '''A cart.'''\n\n" + methods
    chunks = chunk(text, "python", "shop/cart.py")
    check(text, chunks)
    assert chunks[0].header == "shop/cart.py"
    for found in chunks[1:]:
        assert found.header == "shop/cart.py: class Cart(Base, metaclass=Meta)"
        assert found.text.lstrip().startswith("def method_")


def test_a_function_too_big_is_split_at_its_statements() -> None:
    body = "".join(f"        if ready({n}):\n            go({n})\n            wait({n})\n" for n in range(60))
    text = f"class Plant:\n    def start(self, *, fast=False):  # slow by default\n{body}"
    chunks = chunk(text, "python", "p.py")
    check(text, chunks)
    assert len(chunks) > 2
    for found in chunks[1:]:
        assert found.header == "p.py: class Plant: def start(self, *, fast=False)"
        assert found.text.startswith("        if ready(")


def test_rust_attributes_and_java_annotations_stay() -> None:
    rust = (
        "fn a() {\n"
        + "    step();\n" * 25
        + "}\n/// Doc.\n#[test]\n#[ignore]\nfn b() {\n"
        + "    step();\n" * 25
        + "}\n"
    )
    assert chunk(rust, "rust", "a.rs")[1].text.startswith("/// Doc.\n#[test]")
    java = (
        "class A {\n"
        + "".join(
            f"  /** Doc {n}. */\n  @Override\n  int f{n}() {{\n" + "    step();\n" * 22 + "  }\n\n" for n in range(4)
        )
        + "}\n"
    )
    chunks = chunk(java, "java", "A.java")
    check(java, chunks)
    assert [found.text.lstrip()[:10] for found in chunks[1:]] == ["/** Doc 1.", "/** Doc 2.", "/** Doc 3."]
    assert chunks[1].header == "A.java: class A"


def test_systemverilog_scopes() -> None:
    tasks = "\n".join(
        f"  // drives item {n}\n  virtual task drive_{n}(input packet_t item);\n"
        + "    @(posedge vif.clk);\n" * 22
        + "  endtask\n"
        for n in range(3)
    )
    blocks = "\n".join(
        f"  always_ff @(posedge clk or negedge rst_n) begin : stage_{n}\n"
        + "    if (!rst_n) q <= '0;\n" * 22
        + "  end\n"
        for n in range(3)
    )
    text = (
        f"class axi_driver extends uvm_driver #(packet);\n  `uvm_component_utils(axi_driver)\n{tasks}endclass\n\n"
        f"module pipe (\n  input logic clk,\n  input logic rst_n\n);\n  logic q;\n{blocks}endmodule\n"
    )
    chunks = chunk(text, "systemverilog", "tb/axi.sv")
    check(text, chunks)
    headers = {found.header for found in chunks}
    assert "tb/axi.sv: class axi_driver extends uvm_driver #(packet);" in headers
    assert "tb/axi.sv: module pipe" in headers
    starts = [found.text.lstrip().split("\n")[0] for found in chunks]
    assert "// drives item 1" in starts
    assert "always_ff @(posedge clk or negedge rst_n) begin : stage_2" in starts


def test_vhdl_scopes() -> None:
    processes = "\n".join(
        f"  p{n} : process (clk)\n  begin\n" + "    q <= d;\n" * 22 + "  end process;\n" for n in range(3)
    )
    entity = "entity reg is\n  port (clk : in bit);\nend entity;\n\n"
    text = f"{entity}architecture rtl of reg is\nbegin\n{processes}end architecture;\n"
    chunks = chunk(text, "vhdl", "reg.vhd")
    check(text, chunks)
    assert [found.header for found in chunks[1:]] == ["reg.vhd: architecture rtl of reg is"] * (len(chunks) - 1)


def test_markdown_is_cut_at_headings() -> None:
    text = "# Guide\n\n" + "".join(f"## Part {n}\n\n" + "A sentence about it.\n" * 25 + "\n" for n in range(3))
    chunks = chunk(text, "markdown", "guide.md")
    check(text, chunks)
    assert [found.text.split("\n")[0] for found in chunks[1:]] == ["## Part 1", "## Part 2"]
    assert chunks[1].header == "guide.md: # Guide"


def test_a_header_file_with_classes_is_read_as_cplusplus() -> None:
    methods = "".join(f"  int f{n}() {{\n" + "    step();\n" * 22 + "  }\n" for n in range(4))
    text = f"#pragma once\nnamespace shop {{\nclass Cart {{\n public:\n{methods}}};\n}}\n"
    chunks = chunk(text, "c", "cart.h")
    check(text, chunks)
    assert chunks[-1].header == "cart.h: namespace shop: class Cart"


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_other_line_ends_cut_at_the_same_lines(end: str) -> None:
    text = "\n".join(_function(f"f{number}", 24) for number in range(4))
    plain = [(found.start_line, found.end_line) for found in chunk(text, "python", "m.py")]
    other = chunk(text.replace("\n", end), "python", "m.py")
    check(text.replace("\n", end), other)
    assert [(found.start_line, found.end_line) for found in other] == plain


def test_text_without_a_grammar_is_cut_at_paragraphs() -> None:
    text = "\n".join("line of prose\n" * 15 for _ in range(8))
    chunks = chunk(text, "text", "notes")
    check(text, chunks)
    assert all((found.end_line - found.start_line) % 16 == 15 for found in chunks)


@pytest.mark.parametrize("language", ["python", "javascript", "cpp", "systemverilog"])
@pytest.mark.parametrize("text", ["(" * 100_000, "(\n" * 100_000, "[{(" * 20_000 + "\n" + ")}]" * 20_000])
def test_nesting_of_any_depth(language: str, text: str) -> None:
    check(text, chunk(text, language, "deep"))


def test_one_long_line_is_a_chunk_of_its_own() -> None:
    text = "a = 1\n" + "x" * 50_000 + "\nb = 2\n"
    chunks = chunk(text, "javascript", "min.js")
    check(text, chunks)
    assert [len(found.text) > MAX_CHARS for found in chunks] == [False, True, False]


def test_a_table_of_data_is_cut_in_windows() -> None:
    text = "int table[] = {\n" + ("0x1f, " * 12 + "\n") * 3000 + "};\n"
    check(text, chunk(text, "c", "table.c"))


def test_a_parse_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the tree does not come in time, the file is cut at paragraphs."""
    monkeypatch.setattr(chunking, "_PARSE_SECONDS", -1.0)
    monkeypatch.setattr(chunking, "_PARSE_SECONDS_PER_BYTE", 0.0)
    text = "class Cart:\n" + "\n".join(textwrap.indent(_function(f"m{n}", 24), "    ") for n in range(6))
    chunks = chunk(text, "python", "cart.py")
    check(text, chunks)
    assert {found.header for found in chunks} == {"cart.py"}


def test_chunking_is_deterministic() -> None:
    text = "\n".join(_function(f"f{number}", number + 3) for number in range(40))
    assert chunk(text, "python", "m.py") == chunk(text, "python", "m.py")


def test_the_terms_of_a_chunk_stand_there_twice_at_most() -> None:
    piece = Chunk("a.py", "python", 0, 1, "a.py", "walrus = walrus + walrus_count\n")
    assert sorted(chunk_terms(piece).split()) == sorted("a py walrus walrus walrus_count count".split())
