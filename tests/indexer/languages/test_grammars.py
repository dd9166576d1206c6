"""Every supported language has a grammar that parses its code."""

import subprocess
import sys

import pytest

from indexer.config import Settings
from indexer.languages import grammars
from indexer.languages.grammars import grammar, language_of, language_of_document, language_of_text, parser
from indexer.languages.table import LANGUAGES
from indexer.repository.policy import source_from_bytes
from indexer.types import Source

SNIPPETS = {
    "python": "@cached\ndef area(r: float) -> float:\n    match r:\n        case 0: return 0.0\n    return 3.14 * r\n",
    "javascript": "export class Cart { #sum = 0; async add(x) { this.#sum += x ?? 0; } }\n",
    "typescript": "interface Cart<T> { items: readonly T[] }\nconst empty = <T>(): Cart<T> => ({ items: [] });\n",
    "tsx": 'export function Row(p: { name: string }) { return <td className="n">{p.name}</td>; }\n',
    "java": "package a.b;\nrecord Point(int x, int y) { int sum() { return x + y; } }\n",
    "kotlin": "data class Point(val x: Int, val y: Int) {\n    fun sum(): Int = x + y\n}\n",
    "scala": "object Main {\n  def sum(xs: List[Int]): Int = xs.foldLeft(0)(_ + _)\n}\n",
    "c": "#include <stdio.h>\nstatic int sum(const int *xs, int n) { int s = 0; while (n--) s += *xs++; return s; }\n",
    "cpp": "namespace shop { template <class T> class Cart { public: void add(T x) { items_.push_back(x); } }; }\n",
    "csharp": "namespace Shop;\nclass Cart { public int Sum { get; set; } public void Add(int x) => Sum += x; }\n",
    "go": "package shop\n\nfunc Sum(xs ...int) (s int) {\n\tfor _, x := range xs {\n\t\ts += x\n\t}\n\treturn\n}\n",
    "rust": "pub fn sum<T: Copy + Into<i64>>(xs: &[T]) -> i64 { xs.iter().map(|&x| x.into()).sum() }\n",
    "ruby": "class Cart\n  def add(item, count: 1)\n    @items << [item, count]\n  end\nend\n",
    "php": "<?php\nfinal class Cart { public function __construct(private array $items = []) {} }\n",
    "swift": "struct Cart { var items: [Int] = []\n  mutating func add(_ x: Int) { items.append(x) } }\n",
    "lua": "local function sum(xs)\n  local s = 0\n  for _, x in ipairs(xs) do s = s + x end\n  return s\nend\n",
    "bash": 'sum() { local s=0; for x in "$@"; do s=$((s + x)); done; echo "$s"; }\n',
    "sql": "CREATE TABLE cart (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\nSELECT name FROM cart WHERE id = 1;\n",
    "html": '<!DOCTYPE html>\n<html><body><p class="x">one &amp; two</p></body></html>\n',
    "css": "@media print { .cart > li:first-child { margin: 0 auto; color: #123; } }\n",
    "json": '{"name": "cart", "items": [1, 2.5, null, true]}\n',
    "yaml": "cart:\n  - name: one\n    count: 2\n  - &a {x: 1}\n",
    "toml": '[tool.cart]\nname = "one"\nitems = [1, 2]\n',
    "markdown": "# Cart\n\nText with *stress*.\n\n## Items\n\n- one\n- two\n",
    "verilog": (
        "module counter(input clk, input rst, output reg [7:0] q);\n"
        "  always @(posedge clk) if (rst) q <= 8'd0; else q <= q + 8'd1;\nendmodule\n"
    ),
    "systemverilog": (
        "class packet extends uvm_sequence_item;\n  rand bit [7:0] data[];\n"
        "  constraint c { data.size() inside {[1:9]}; }\n"
        '  `uvm_object_utils(packet)\n  function new(string name = "packet"); super.new(name); endfunction\n'
        "  virtual task run(); @(posedge vif.clk); endtask\nendclass\n"
    ),
    "vhdl": (
        "library ieee;\nuse ieee.std_logic_1164.all;\nentity inv is\n  port (a : in std_logic; y : out std_logic);\n"
        "end entity;\narchitecture rtl of inv is\nbegin\n  y <= not a;\nend architecture;\n"
    ),
    "elixir": (
        "defmodule Shop.Cart do\n"
        "  @moduledoc false\n"
        "  def sum(xs) when is_list(xs), do: Enum.reduce(xs, 0, &(&1 + &2))\n"
        "end\n"
    ),
    "haskell": (
        "module Cart (total) where\n"
        "\n"
        "import qualified Data.Map as M\n"
        "\n"
        "data Item = Item { name :: String, price :: Int }\n"
        "\n"
        "total :: [Item] -> Int\n"
        "total = sum . map price\n"
    ),
    "julia": (
        "module Cart\n"
        "struct Item\n"
        "    price::Int\n"
        "end\n"
        "function total(xs::Vector{Item})\n"
        "    sum(x.price for x in xs)\n"
        "end\n"
        "end\n"
    ),
    "zig": (
        'const std = @import("std");\n'
        "const Cart = struct { sum: u32 = 0 };\n"
        "pub fn total(xs: []const u32) u32 {\n"
        "    var s: u32 = 0;\n"
        "    for (xs) |x| s += x;\n"
        "    return s;\n"
        "}\n"
    ),
    "hcl": 'resource "aws_instance" "web" {\n  ami  = var.ami\n  tags = { Name = "${var.prefix}-web" }\n}\n',
    "make": "OBJS := $(patsubst %.c,%.o,$(wildcard *.c))\n\nall: $(OBJS)\n\t$(CC) -o cart $^\n",
    "nix": "{ pkgs ? import <nixpkgs> { } }:\npkgs.mkShell { buildInputs = with pkgs; [ git ]; }\n",
    "objc": (
        "#import <Foundation/Foundation.h>\n"
        "@interface Cart : NSObject\n"
        "- (NSInteger)sum:(NSArray *)xs;\n"
        "@end\n"
        "@implementation Cart\n"
        "- (NSInteger)sum:(NSArray *)xs { return [xs count]; }\n"
        "@end\n"
    ),
    "powershell": (
        "function Get-Sum {\n"
        "    param([int[]]$Values)\n"
        "    $sum = 0\n"
        "    foreach ($v in $Values) { $sum += $v }\n"
        "    return $sum\n"
        "}\n"
    ),
    "groovy": "class Cart {\n    int sum(List<Integer> xs) {\n        return xs.sum()\n    }\n}\n",
    "starlark": (
        'load("//tools:cart.bzl", "cart_library")\n\ncart_library(\n    name = "cart",\n    srcs = glob(["*.py"]),\n)\n'
    ),
}


@pytest.mark.parametrize("name", [name for name, known in LANGUAGES.items() if known.module])
def test_grammar_parses_its_language(name: str) -> None:
    found = parser(name)
    assert found is not None, f"the wheel of {name} is not installed"
    tree = found.parse(SNIPPETS[name].encode())
    assert not tree.root_node.has_error, str(tree.root_node)


def test_every_definition_kind_is_known_to_its_grammar() -> None:
    for name, known in LANGUAGES.items():
        found = grammar(name)
        if found is None:
            continue
        kinds = {found.node_kind_for_id(number) for number in range(found.node_kind_count)}
        assert set(known.definitions) <= kinds, name


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("src/a.py", "python"),
        ("rtl/top.SV", "systemverilog"),
        ("tb/env.svh", "systemverilog"),
        ("rtl/old.v", "verilog"),
        ("a/Dockerfile", "dockerfile"),
        ("Dockerfile.test", "dockerfile"),
        ("x/Makefile", "make"),
        ("app/Main.kt", "kotlin"),
        ("hw/ip/BUILD", "starlark"),
        ("infra/main.tf", "hcl"),
        ("boot/start.S", "assembly"),
        ("web/a.d.ts", "typescript"),
        ("README", "text"),
        (".py", "text"),
        ("", "text"),
        ("a.b/c", "text"),
        ("한글.java", "java"),
    ],
)
def test_language_by_file_name(path: str, language: str) -> None:
    assert language_of(path) == language


def test_language_of_an_open_document_goes_by_name_then_by_editor_id() -> None:
    assert language_of_document("verilog", "tb/env.svh") == "systemverilog"
    assert language_of_document("typescriptreact", "") == "tsx"
    assert language_of_document("shellscript", "bin/run") == "bash"
    assert language_of_document("klingon", "bin/run") == "text"


@pytest.mark.parametrize(
    ("path", "text", "language"),
    [
        ("install", "#!/bin/sh\n", "bash"),
        ("neofetch", "#!/usr/bin/env bash\n# vim: set ft=python:\n", "bash"),
        ("bin/run", "#!/usr/bin/python3.11 -u\n", "python"),
        ("bin/run", "#! /usr/bin/env -S LANG=C python3 -u\r\n", "python"),
        ("bin/run", "\ufeff#!/usr/bin/env node", "javascript"),
        ("bin/run", "#!/usr/bin/Rscript --vanilla\n", "r"),
        ("rules", "#!/usr/bin/make -f\n", "make"),
        ("vector", "// Vector -*- C++ -*-\n", "cpp"),
        ("run", "# -*- mode: ruby; coding: utf-8 -*-\n", "ruby"),
        ("run", "# -*- coding: utf-8 -*-\n", "text"),
        ("Vagrant", "a = 1\n\n# vim: set ft=ruby ts=2 :\n", "ruby"),
        ("test/a.bats", "#!/usr/bin/env bats\n", "bash"),
        ("run.py", "#!/bin/sh\n", "python"),
        ("shown.txt", "#!/bin/sh\n", "text"),
        ("bin/run", "#!/opt/own/thing\n", "text"),
        ("bin/run", "#!/usr/bin/env\n", "text"),
        ("bin/run", "#!", "text"),
        ("notes", "Use #!/bin/sh\n", "text"),
        ("notes", "", "text"),
    ],
)
def test_a_file_whose_name_says_nothing_says_its_language_itself(path: str, text: str, language: str) -> None:
    assert language_of_text(path, text) == language
    assert language_of_document("plaintext", path, text) == language
    assert language_of_document("", path, text) == language


def test_what_the_editor_says_counts_before_the_first_line() -> None:
    assert language_of_document("perl", "bin/run", "#!/bin/sh\n") == "perl"


def test_the_source_of_a_script_has_its_language() -> None:
    source = source_from_bytes("bin/run", b"#!/usr/bin/env bash\necho a\n", Settings())
    assert isinstance(source, Source)
    assert source.language == "bash"


def test_extensions_belong_to_one_language_each() -> None:
    extensions = [extension for known in LANGUAGES.values() for extension in known.extensions]
    assert len(extensions) == len(set(extensions))


def test_a_missing_wheel_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its wheel a language has no parser, and is named for ``ondol doctor``."""
    real = grammars.importlib.import_module

    def absent(name: str) -> object:
        if name == "tree_sitter_ruby":
            raise ImportError(name)
        return real(name)

    monkeypatch.setattr(grammars.importlib, "import_module", absent)
    grammar.cache_clear()
    try:
        assert parser("ruby") is None
        assert grammars.missing_grammars() == ["ruby"]
    finally:
        grammar.cache_clear()


def test_names_are_known_without_loading_a_grammar() -> None:
    code = (
        "import sys, indexer.languages.grammars as names\nnames.language_of('a.py')\n"
        "print([name for name in sys.modules if 'tree_sitter' in name])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
