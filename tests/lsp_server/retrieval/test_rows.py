"""Rows of tables and series: columns are kept, and the next row is proposed."""

import dataclasses
import random
from pathlib import Path

import pytest

from indexer.config import Settings
from indexer.text.tokens import TOKEN
from lsp_server.retrieval.columns import Columns
from lsp_server.retrieval.cursor import CursorContexts
from lsp_server.retrieval.engine import RetrievalEngine
from lsp_server.retrieval.series import next_rows
from lsp_server.types import Document, Request

PORTS = [
    "    .clock_i          (clock_i         ),",
    "    .reset_ni         (reset_ni        ),",
    "    .request_valid_i  (request_valid_i ),",
]
FLOPS = [
    "  logic [WIDTH_OF_STROBE-1:0] strobe_d,  strobe_q;",
    "  logic [WIDTH_OF_ID-1:0]     id_d,      id_q;",
]


def set_in(above: list[str], prefix: str, text: str) -> str:
    indent = prefix[: len(prefix) - len(prefix.lstrip())]
    return prefix + Columns(above[::-1], indent).set(prefix, text)


@pytest.mark.parametrize(
    ("above", "prefix", "text", "expected"),
    [
        (PORTS, "    .grant_o", " (grant_o),", "    .grant_o          (grant_o         ),"),
        (PORTS, "    ", ".grant_o (grant_o),", "    .grant_o          (grant_o         ),"),
        (PORTS, "    .gra", "nt_o(grant_o),", "    .grant_o          (grant_o         ),"),
        (PORTS, "    .request_valid_extra_o ", "(x),", "    .request_valid_extra_o (x          ),"),
        (["  int   a = 1;", "  float bcd   = 2;"], "  char", " e = 3;", "  char  e     = 3;"),
        (["  int   a = 1;"], "    char", " e = 3;", "    char e = 3;"),  # another indentation is another table
        (["x = 1", "long_name = 2"], "y", " = 3", "y = 3"),  # no columns, nothing to keep
        (["\tName   string", "\tNumber int"], "\tAt", " time", "\tAt     time"),
        (["a = 1    # one", "bcd = 2  # two"], "ef = 3", " # three", "ef = 3   # three"),
        (["a = 1  # one"], "bcd = 2", "  # two", "bcd = 2  # two"),  # two blanks alone are no column
        (["a = 1  # one", "x = 2  # two"], "bcd = 3", "  # three", "bcd = 3  # three"),
        (["'a'   => 'x.y',", "'bcd' => 'x.y',", "'e' => 1,", "'ab' => 2,"], "'c' ", "=> 'x.y',", "'c' => 'x.y',"),
        (["a = 1    # one"], "bcd = 2", "  # two", "bcd = 2  # two"),
        (["  int   first;", "  char  last;"], "  ", "int unsigned more;", "  int unsigned more;"),
        (["  f  ( a )", "  gg ( b )"], "  h ( ", "c)", "  h ( c )"),
        (['say(  "a    b", one)'], "say", '("c d", two)', 'say(  "c d", two)'),  # what is quoted stays as it is
        (["x   = 4'b1;   // up"], "yy", " = 4'b0; // down", "yy  = 4'b0;   // down"),
        (FLOPS, "  l", "ogic [2:0]  size_d, size_q;", "  logic [2:0]                 size_d,    size_q;"),
        (
            FLOPS,
            "  logic [2:0]                 s",
            "ize_d, size_q;",
            "  logic [2:0]                 size_d,    size_q;",
        ),
        (FLOPS, "  logic", " done;", "  logic done;"),  # no gap of its own: not a row of this table
        # A gap that the copy brings along gives way to the column of the line above, though that one has no gap.
        (["  ready_o = ready_i;"], "  id_o", "     = id_i;", "  id_o    = id_i;"),
        (["  ready_o = ready_i;"], "  id_o", " = id_i;", "  id_o = id_i;"),
        (PORTS, "    .a", "\t(a),", "    .a\t(a),"),  # a copy with tabs is left alone
    ],
)
def test_a_new_row_stands_in_the_columns_of_those_above(above, prefix, text, expected):
    assert set_in(above, prefix, text) == expected


def test_only_blanks_behind_the_cursor_are_changed():
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rng = random.Random(seed)
    pieces = ["name", "x1", "(", ")", ",", " ", "   ", "=", "한글", "12", "\t", "//", '"']
    for _ in range(500):
        above = ["".join(rng.choices(pieces, k=rng.randrange(1, 14))) for _ in range(3)]
        prefix, text = ("".join(rng.choices(pieces, k=rng.randrange(0, 8))) for _ in range(2))
        made = Columns(above, prefix[: len(prefix) - len(prefix.lstrip(" \t"))]).set(prefix, text)
        assert TOKEN.findall(prefix + made) == TOKEN.findall(prefix + text), (above, prefix, text)
        assert "".join(made.split()) == "".join(text.split())


def rows(text: str) -> list[str]:
    """The rests of line that are proposed at the mark ``|``."""
    offset = text.index("|")
    document = Document("file:///x.sv", "x.sv", "systemverilog", 1, text[:offset] + text[offset + 1 :])
    filled = next_rows(CursorContexts().at(document, offset))
    return [rest.strip() for rest in filled.rests] if filled else []


HEADER = "module top (\n  input  clk,\n  input  reset,\n  output ready,\n  output done\n);\n"


def test_the_word_that_follows_elsewhere_is_put_into_the_next_row():
    assert ".ready(ready)," in rows(HEADER + "  sub u (\n    .clk(clk),\n    .reset(reset),\n    |\n")


def test_a_begun_word_is_finished_by_a_name_of_the_document():
    found = rows(HEADER + "  sub u (\n    .clk(clk),\n    .reset(reset),\n    .do|\n")
    assert "done(done)," in found


def test_a_word_that_has_its_row_is_not_proposed_again():
    assert not any("clk" in row for row in rows(HEADER + "  sub u (\n    .clk(clk),\n    .reset(reset),\n    .c|\n"))


def test_numbers_go_on():
    assert "assign lane[3] = bus[11:8];" not in rows("assign lane[1] = a;\n|\n")
    text = "  COUNTER3H = 12'hC83,\n  COUNTER4H = 12'hC84,\n  |\n"
    assert "COUNTER5H = 12'hC84," not in rows(text)  # hexadecimal digits are not counted on: nothing half right
    assert "case 12: return 3;" in rows("case 10: return 1;\ncase 11: return 2;\n|\n")
    assert "x09 = 9" in rows("x07 = 7\nx08 = 8\n|\n")


def test_no_series_no_row():
    assert rows("def f(a):\n    return a\n\n|\n") == []
    assert rows("|") == []
    assert rows("a" + "1" * 5000 + " = 1\nb" + "2" * 5000 + " = 2\n|\n") == []


def test_a_copy_from_another_table_stands_in_the_columns_of_this_one(tmp_path: Path) -> None:
    settings = dataclasses.replace(Settings(), data_dir=tmp_path, workers=1)
    engine = RetrievalEngine(settings, None)
    other = "  core u_core (\n    .clock_i(clock_i),\n    .grant_o(bus.grant_o),\n    .done_o(done_o)\n  );\n"
    engine.update(Document("file:///other.sv", "other.sv", "systemverilog", 1, other))
    text = "  core u_next (\n" + PORTS[0] + "\n    .grant_o"
    document = Document("file:///this.sv", "this.sv", "systemverilog", 1, text + "\n  );\n")
    engine.update(document)
    answer = engine.complete(Request(document, len(text), automatic=False), lambda: False)
    assert "          (bus.grant_o     )," in [suggestion.text for suggestion in answer.suggestions]
