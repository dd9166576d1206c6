"""The server's text is the client's text after any sequence of edits (LSP line ends only).

The client here is a model of its own: it keeps the document as the units its position encoding counts (UTF-16 code
units, UTF-8 bytes or code points) and knows nothing of ``Text``.
"""

import random

import pytest

from lsp_server.positions import split_lines, units
from lsp_server.server.documents import Change, Documents, key_of, path_of
from lsp_server.server.text_buffer import Text

ALPHABET = [
    "a",
    "b",
    " ",
    "(",
    "\n",
    "\r",
    "\r\n",
    "\t",
    "\f",
    "\v",
    "\x1c",
    "\x1d",
    "\x1e",
    "\x85",
    "\u2028",
    "\u2029",
    "é",
    "e\u0301",
    "가",
    "あ",
    "😀",
    "👩\u200d💻",
    "\ufeff",
    "\x00",
    "word",
    "x = 1\n",
    "}\r\n",
]


class ClientModel:
    """A document as an editor keeps it: units, with line starts found by scanning them."""

    def __init__(self, text: str, encoding: str) -> None:
        self.encoding = encoding
        self.units = self.encode(text)

    def encode(self, text: str) -> list[int]:
        if self.encoding == "utf-8":
            return list(text.encode("utf-8"))
        if self.encoding == "utf-32":
            return [ord(c) for c in text]
        data = text.encode("utf-16-le", "surrogatepass")
        return [data[i] | data[i + 1] << 8 for i in range(0, len(data), 2)]

    def text(self) -> str:
        if self.encoding == "utf-8":
            return bytes(self.units).decode("utf-8")
        if self.encoding == "utf-32":
            return "".join(map(chr, self.units))
        return b"".join(u.to_bytes(2, "little") for u in self.units).decode("utf-16-le", "surrogatepass")

    def line_spans(self) -> list[tuple[int, int]]:
        """Start and end (without the line end) of each line."""
        spans, start, i = [], 0, 0
        while i < len(self.units):
            if self.units[i] in (10, 13):
                spans.append((start, i))
                i += 2 if self.units[i] == 13 and self.units[i + 1 : i + 2] == [10] else 1
                start = i
            else:
                i += 1
        return [*spans, (start, len(self.units))]

    def place(self, rng: random.Random) -> tuple[tuple[int, int], int]:
        """A random position, sometimes past the end of a line or of the document, and its index."""
        spans = self.line_spans()
        line = rng.randrange(len(spans))
        start, end = spans[line]
        at = rng.randint(start, end)
        if self.encoding == "utf-8":
            while at < end and self.units[at] & 0xC0 == 0x80:
                at += 1
        chance = rng.random()
        if chance < 0.05:
            return (line, end - start + rng.randint(1, 9)), end
        if chance < 0.08:
            return (len(spans) + rng.randint(0, 3), rng.randint(0, 9)), len(self.units)
        return (line, at - start), at

    def edit(self, rng: random.Random, new: str) -> tuple[tuple[int, int], tuple[int, int]]:
        (a, i), (b, j) = sorted((self.place(rng), self.place(rng)), key=lambda pair: pair[1])
        if rng.random() < 0.6:
            b, j = a, i
        if b < a:
            a, b = b, a
        self.units[i:j] = self.encode(new)
        return a, b


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8", "utf-32"])
def test_the_text_is_the_clients_text_after_any_edits(encoding: str) -> None:
    seed = 20261120
    print("seed", seed)
    rng = random.Random(seed)
    start = "".join(rng.choices(ALPHABET, k=300))
    client, server = ClientModel(start, encoding), Text(start, encoding)
    for number in range(6_000):
        new = "".join(rng.choices(ALPHABET, k=rng.choice([0, 0, 1, 1, 1, 3, 8])))
        a, b = client.edit(rng, new)
        server.replace(a, b, new)
        want = client.text()
        where = f"seed {seed}, edit {number}"
        assert "".join(server.lines) == want, where
        assert server.lines == split_lines(want), where
        assert server.length == len(want), where
        if number % 3 == 0:
            assert server.text == want, where
        (line, column), at = client.place(rng)
        if encoding != "utf-16":
            expected = len(client.text()) if line >= len(server.lines) else None
            offset = server.offset(line, column)
            assert expected is None or offset == expected, where
            assert units(want[:offset], encoding) == at, where
            if line < len(server.lines):
                assert server.position(offset)[0] == line, where
        if len(client.units) > 3_000:
            client = ClientModel("x\n", encoding)
            server.set("x\n")


def test_half_a_character_is_kept_until_the_other_half_comes() -> None:
    text = Text("a😀b\n", "utf-16")
    text.replace((0, 2), (0, 3), "")
    assert text.text == "a\ud83db\n"
    assert text.broken
    text.replace((0, 2), (0, 2), "\ude00")
    assert text.text == "a😀b\n"
    assert not text.broken
    text.replace((0, 2), (0, 2), "X")
    assert text.text == "a\ud83dX\ude00b\n"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("a", ["a"]),
        ("a\n", ["a\n", ""]),
        ("a\r\rb\r\n", ["a\r", "\r", "b\r\n", ""]),
        ("a\fb\u2028c\x85d\n", ["a\fb\u2028c\x85d\n", ""]),
    ],
)
def test_only_the_protocols_line_ends_end_a_line(text: str, lines: list[str]) -> None:
    assert split_lines(text) == lines


def test_positions_of_all_encodings() -> None:
    line = "é가😀x"
    assert [units(line, e) for e in ("utf-8", "utf-16", "utf-32")] == [10, 5, 4]
    for encoding, column in (("utf-8", 9), ("utf-16", 4), ("utf-32", 3)):
        text = Text("\n" + line, encoding)
        assert text.offset(1, column) == 4
        assert text.position(4) == (1, column)
        assert text.offset(1, 99) == 5
        assert text.offset(9, 9) == 5


def test_a_document_that_is_too_large_is_reported() -> None:
    documents = Documents(limit=1_000, line_limit=100)
    assert documents.put("file:///a", "python", 1, "x\n" * 600).trouble == "too-large"
    document = documents.put("file:///b", "python", 1, "x" * 101)
    assert document.trouble == "long-line"
    documents.change("file:///b", 2, [Change("\n", (0, 50), (0, 50))])
    assert document.trouble is None
    documents.change("file:///b", 3, [Change("", (0, 50), (1, 0))])
    assert document.trouble == "long-line"
    assert documents.put("file:///c", "python", 1, "\ud83d").trouble == "broken-text"


def test_documents_are_found_under_any_spelling_of_their_uri() -> None:
    documents = Documents()
    documents.put("file:///c%3A/a%20b.py", "python", 1, "x")
    assert documents.get("file:///c:/a b.py") is not None
    assert documents.change("file:///never-opened.py", 1, [Change("y")]) is None
    assert path_of("file:///c%3A/a%20b.py") == "c:/a b.py"
    assert path_of("file:///home/x/%EA%B0%80.py") == "/home/x/가.py"
    assert path_of("untitled:Untitled-1") is None
    assert key_of("file:///a%20b") == "file:///a b"


def test_cells_of_a_notebook_keep_their_order() -> None:
    documents = Documents()
    for name in "abc":
        documents.put(f"cell:{name}", "python", 1, name, notebook="file:///n.ipynb")
    documents.set_cells("file:///n.ipynb", ["cell:b", "cell:a", "cell:gone"])
    assert [cell.buffer.text for cell in documents.cells("file:///n.ipynb")] == ["b", "a"]
