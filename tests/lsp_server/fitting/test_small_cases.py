"""Suggestions of the engine with a real index, accepted: the document stays sound, in the document's own indentation."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.building.build import build
from indexer.config import Settings
from indexer.data_layout import index_directory
from indexer.languages.grammars import language_of, parser
from indexer.storage.reader import Index
from lsp_server.retrieval.engine import RetrievalEngine
from lsp_server.types import Answer, Document, Request

Ask = Callable[..., "Asked"]


@dataclasses.dataclass
class Asked:
    """The answer at a cursor, and the documents after each accept."""

    answer: Answer
    accepted: list[str]
    texts: list[str]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Ask at the mark ‸ of a file, in a repository with some other files; nothing is too doubtful to be shown."""

    def run(files: dict[str, str], path: str, text: str, *, automatic: bool = False) -> Asked:
        root = tmp_path / "repository"
        for name, content in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content)
        settings = dataclasses.replace(Settings(), data_dir=tmp_path / "data", workers=1, precision=0.01)
        build(root, settings)
        engine = RetrievalEngine(settings, Index.open(index_directory(settings, root), settings))
        offset = text.index("‸")
        document = Document(f"file:///{path}", path, language_of(path), 1, text.replace("‸", ""))
        engine.update(document)
        answer = engine.complete(Request(document, offset, automatic), lambda: False)
        accepted = [document.text[: s.start] + s.text + document.text[s.end :] for s in answer.suggestions]
        return Asked(answer, accepted, [s.text for s in answer.suggestions])

    return run


def parses(path: str, text: str) -> bool:
    found = parser(language_of(path))
    assert found is not None
    return not found.parse(text.encode()).root_node.has_error


GO = """\
package store

func (s *Store) {name}(key string) (int, error) {{
	value, ok := s.items[key]
	if !ok {{
		return 0, errMissing
	}}
	return value, nil
}}
"""


@pytest.mark.parametrize("automatic", [True, False])
def test_a_block_comes_with_its_end(ask: Ask, automatic: bool) -> None:
    files = {f"{name.lower()}.go": GO.format(name=name) for name in ("Get", "Peek", "Take")}
    text = GO.format(name="Find").replace("\tif !ok {\n\t\treturn 0, errMissing\n\t}\n", "\t‸\n")
    asked = ask(files, "find.go", text, automatic=automatic)
    assert asked.accepted or automatic, asked.answer
    # The gate may hold the block back while one types; it is never shown without its end.
    assert asked.accepted[:1] in ([], [GO.format(name="Find")]) or asked.texts == ["if !ok {"]


def test_a_quote_behind_the_cursor_is_not_doubled(ask: Ask) -> None:
    files = {
        "one.json": '{\n  "name": "one",\n  "engine": "strict"\n}\n',
        "two.json": '{\n  "name": "two",\n  "engine": "strict"\n}\n',
    }
    asked = ask(files, "three.json", '{\n  "name": "three",\n  "engine": "‸",\n  "level": 3\n}\n')
    assert asked.accepted
    assert all(parses("three.json", text) for text in asked.accepted), asked.accepted
    assert '"engine": "strict",' in asked.accepted[0]


def test_the_commands_of_a_new_makefile_begin_with_a_tab(ask: Ask) -> None:
    make = "CC = gcc\n\nmain.o: main.c\n\t$(CC) -c main.c -o main.o\n"
    files = {f"{name}/Makefile": make + f"\n{name}:\n\techo {name}\n" for name in ("a", "b", "c")}
    asked = ask(files, "new/Makefile", "CC = gcc\n\nmain.o: ‸")
    blocks = [text for text in asked.texts if "\n" in text]
    assert blocks, asked.texts
    assert all(line.startswith("\t") for text in blocks for line in text.split("\n")[1:])


def test_levels_are_carried_over_not_blanks(ask: Ask) -> None:
    wide = """\
export function load{name}(key: string): Entry | undefined {{
    const cached = store.get(key);
    if (cached !== undefined) {{
        return cached;
    }}
    return read{name}(key);
}}
"""
    files = {f"{name.lower()}.ts": wide.format(name=name) for name in ("User", "Team", "Role")}
    narrow = (
        "export function loadItem(key: string): Entry | undefined {\n  const cached = store.get(key);\n"
        "  if (cached !== ‸\n  return readItem(key);\n}\n"
    )
    asked = ask(files, "item.ts", narrow)
    assert asked.texts
    assert asked.texts[0] == "undefined) {\n    return cached;\n  }"


def test_a_call_is_balanced_or_there_is_none(ask: Ask) -> None:
    files = {
        "client.go": "package a\n\nfunc newClient(cc Conn) (*client, error) {\n\treturn &client{cc}, nil\n}\n",
        "use.go": "package a\n\nfunc use(cc Conn) {\n\tnewClient(cc)\n}\n",
    }
    text = "package a\n\nfunc Dial(cc Conn) (*client, error) {\n\treturn newClient(‸)\n}\n"
    asked = ask(files, "dial.go", text)
    assert all(parses("dial.go", accepted) for accepted in asked.accepted), asked.texts


def test_no_second_else_follows_an_else(ask: Ask) -> None:
    body = "int {name}(int x) {{\n    if (x) {{\n        run(x);\n    }} else {{\n        stop(x);\n    }}\n{more}}}\n"
    files = {f"{name}.c": body.format(name=name, more="    return x;\n") for name in ("f", "g", "h")}
    asked = ask(files, "new.c", body.format(name="k", more="    ‸\n"))
    assert not any(text.lstrip("} ").startswith("else") for text in asked.texts), asked.texts


def test_a_module_does_not_end_in_its_middle(ask: Ask) -> None:
    module = "module {name} (input logic clk);\n  logic a;\n\n{more}endmodule\n"
    files = {f"{name}.sv": module.format(name=name, more="") for name in ("x", "y", "z")}
    text = module.format(name="k", more="‸\n  logic b;\n  assign b = a;\n")
    asked = ask(files, "k.sv", text)
    assert "endmodule" not in [text.strip() for text in asked.texts]


def test_a_masked_secret_is_not_offered(ask: Ask) -> None:
    line = 'client = connect("service", password="{value}")\n'
    files = {f"{name}.py": f"import service\n\n{line.format(value='Zk3' + name + '9vQx7Lw2Rt')}" for name in "abc"}
    asked = ask(files, "new.py", 'import service\n\nclient = connect("service", ‸')
    assert not any("REDACTED" in text for text in asked.texts), asked.texts


NAMES = ("alpha", "beta", "gamma")
FIRST = [
    # path with the name @, text of the other files, what of it is missing, what is inserted first
    (
        "@.rb",
        "def @_find(key)\n  item = store[key]\n  {}\n  item.touch\nend\n",
        "if item.nil?\n    raise KeyError, key\n  end",
    ),
    (
        "@.sv",
        "module @_reg (input logic clk_i, input logic d_i, output logic q_o);\n  {}\nendmodule\n",
        "always_ff @(posedge clk_i) begin\n    q_o <= d_i;\n  end",
    ),
    (
        "@.sh",
        '@_main() {{\n  local file="$1"\n  {}\n  run_@ "$file"\n}}\n',
        'if [ ! -f "$file" ]; then\n    echo "missing $file" >&2\n    return 1\n  fi',
    ),
    (
        "@.vhd",
        "architecture rtl of @_ff is\nbegin\n  p_reg : process (clk)\n  begin\n    {}\n  end process;\n"
        "end architecture;\n",
        "if rising_edge(clk) then\n      q <= d;\n    end if;",
    ),
]


@pytest.mark.parametrize(("path", "text", "block"), FIRST)
def test_blocks_of_other_languages_come_with_their_ends(ask: Ask, path: str, text: str, block: str) -> None:
    def of(name: str, part: str) -> str:
        return text.replace("@_", f"{name}_").replace("@.", f"{name}.").replace("_@", f"_{name}").format(part)

    files = {path.replace("@", name): of(name, block) for name in NAMES}
    asked = ask(files, path.replace("@", "delta"), of("delta", "‸"))
    # The head alone is the beginning of a block; further lines come with the end.
    assert asked.texts[0] in (block, block.split("\n")[0])
    assert all(text == block for text in asked.texts if "\n" in text)


def test_a_list_of_another_document_is_closed_once(ask: Ask) -> None:
    text = 'name: {}\non:\n  push:\n    branches: ["{}]\njobs: 3\n'
    files = {f"{name}.yml": text.format(name, 'main", "stable"') for name in NAMES}
    asked = ask(files, "delta.yml", text.format("delta", '‸"'))
    assert asked.accepted[0] == text.format("delta", 'main", "stable"')


def test_the_first_line_of_a_block_is_deeper_than_its_head(ask: Ask) -> None:
    text = "package a\n\nfunc {}(a int) int {{\n\tif a > 1 {{\n\t\treturn a\n\t}}\n\treturn 0\n}}\n"
    files = {f"{name}.go": text.format(name) for name in NAMES}
    texts = ask(files, "delta.go", "package a\n\nfunc delta(a int) int {\n‸\n}\n").texts
    assert "\treturn 0" in texts and all(text.startswith("\t") for text in texts)


def test_a_block_behind_a_tab_is_indented_with_tabs(ask: Ask) -> None:
    text = (
        "class {}:\n    def read(self, path):\n        with open(path) as handle:\n            return handle.read()\n"
    )
    files = {f"{name}.py": text.format(name) for name in NAMES}
    document = "class New:\n\tdef other(self):\n\t\tpass\n\n\tdef read(self, path):\n\t\t‸\n"
    assert ask(files, "delta.py", document).texts[0] == "with open(path) as handle:\n\t\t\treturn handle.read()"
