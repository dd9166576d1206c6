"""What is put into a prompt, in which order, how long it is kept, and what is said when nothing was found."""

import random
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from indexer.prompt.renderer import ContextPiece
from indexer.text.tokens import lex, token_ids
from indexer.types import Chunk, Hit
from lsp_server.model.imported_definitions import Modules, definitions, imports_of
from lsp_server.model.prompt_context import IndexSource, PromptContextBuilder, focus
from lsp_server.model.recent_edits import RecentEdits, changed
from lsp_server.model.similar_context import SimilarLine, similar_lines
from lsp_server.retrieval.found_columns import agreements
from lsp_server.server.masked_documents import SecretCover
from lsp_server.types import Document
from tests.support import indexes, repositories


class Shelf:
    """A repository of some files in chunks of ten lines; search counts shared words."""

    def __init__(self, files: dict[str, str], generation: int = 1) -> None:
        self.files, self.generation, self.paths = files, generation, list(files)
        self.searches = 0
        self.seconds = 0.0
        self.fails = False

    def chunks(self, path: str) -> list[Chunk]:
        lines = self.files[path].splitlines(keepends=True)
        return [
            Chunk(path, "python", at, min(at + 10, len(lines)), "", "".join(lines[at : at + 10]))
            for at in range(0, len(lines), 10)
        ]

    def search(self, text: str, limit: int, path: str) -> list[Hit]:
        self.searches += 1
        time.sleep(self.seconds)
        if self.fails:
            raise RuntimeError("disk")
        words = set(text.split())
        chunks = [c for p in self.files if p != path for c in self.chunks(p)]
        hits = [Hit(c, float(len(words & set(c.text.split()))), {}) for c in chunks]
        return sorted((h for h in hits if h.score), key=lambda h: -h.score)[:limit]

    def similar(self, ids: Sequence[int], limit: int, path: str) -> list[SimilarLine]:
        found = []
        for other, text in self.files.items():
            lexed = lex(text)
            similar, lengths = agreements(lexed.ids, list(ids))
            rows = np.searchsorted(np.cumsum(lexed.counts), similar, side="right")
            found += [
                SimilarLine(other, int(row), int(n)) for row, n in zip(rows, lengths, strict=True) if other != path
            ]
        return sorted(found, key=lambda place: -place.agreement)[:limit]

    def after(self, chunk: Chunk) -> Chunk | None:
        return next((c for c in self.chunks(chunk.path) if c.start_line >= chunk.end_line), None)

    def text(self, path: str) -> str | None:
        return self.files.get(path)


ORDERS = "".join(
    f"def order_{i}(basket, customer):\n    price = basket.total()\n    return price * {i}\n\n" for i in range(9)
)
PRICES = (
    "class PriceList:\n    def __init__(self, currency):\n        self.currency = currency\n        self.rows = []\n"
)
FILES = {"shop/orders.py": ORDERS, "shop/prices.py": PRICES, "shop/notes.txt": "nothing to see\n"}
HEAD = "from shop.prices import PriceList\n\n\n"
TEXT = HEAD + "def order_new(basket, customer):\n    price = basket.total()\n    PriceList("


def document(text: str = TEXT, path: str = "shop/new.py", version: int = 1) -> Document:
    return Document(f"file:///{path}", path, "python", version, text)


def test_hits_come_first_and_with_what_follows_them_then_definitions() -> None:
    packed = PromptContextBuilder(Shelf(FILES), lines=8).build(document(), len(TEXT))
    assert packed.reason == "found"
    context = packed.parts.context
    assert context[0].path == "shop/orders.py"
    assert "price = basket.total()" in context[0].text
    assert "return price" in context[0].text  # the line after the match
    assert ContextPiece("shop/prices.py", PRICES) in context
    assert (packed.parts.prefix, packed.parts.suffix) == (TEXT, "")


def test_no_piece_comes_from_the_file_itself_but_of_lines_the_prompt_does_not_show() -> None:
    packed = PromptContextBuilder(Shelf({"shop/new.py": TEXT, **FILES})).build(document(), len(TEXT))
    assert all(piece.path != "shop/new.py" for piece in packed.parts.context)
    token = "ghp_" + "".join(random.Random(3).choices("abcdefghijkABCDEFGH0123456789", k=36))
    far = f'with tracer.span("first"):\n    key = "{token}"\n    send_first(key)\n' + "x = 1\n" * 500
    text = far + 'with tracer.span("first"):\n'
    seen = SecretCover().document(document(text))
    own = PromptContextBuilder(Shelf({})).build(seen, len(text), None).parts.context
    assert [piece.path for piece in own] == ["shop/new.py"]
    assert "send_first(key)" in own[0].text and token not in own[0].text and "REDACTED" in own[0].text


def test_what_follows_the_same_lines_elsewhere_comes_before_what_reads_alike(tmp_path: Path) -> None:
    head = "def {}(basket):\n    basket.lock()\n    with audit.entry(basket, level=3):\n"
    files = {f"shop/part_{i}.py": f"def part_{i}(basket):\n    return basket.audit_entry({i})\n" for i in range(6)}
    files |= {"shop/close.py": head.format("close") + "        basket.seal(reason=None)\n"}
    root = repositories.repository(tmp_path / "repo", files)
    packer = PromptContextBuilder(IndexSource(indexes.updated(root, tmp_path / "data")))
    text = head.format("reopen")
    context = packer.build(document(text), len(text), None).parts.context
    assert context[0].path == "shop/close.py" and "basket.seal(reason=None)" in context[0].text
    assert len({piece.text for piece in context}) == len(context), "no piece twice"
    packer.close(document(text).uri)
    assert all(
        one.path != "shop/close.py"
        for one in packer.build(document(text, "shop/close.py"), len(text), None).parts.context
    )


def test_places_are_the_longest_agreements_whatever_the_line_ends() -> None:
    lines = ["first(a, b)", "", "second(c)", "third = a", *["pass"] * 800, "first(a, b)", "second(c)", ""]
    for end in ("\n", "\r\n", "\r"):
        text = end.join(lines)
        [place] = similar_lines(text, len(text), "a.py", lambda ids, limit: [])
        assert (place.path, place.line, place.agreement) == ("a.py", 3, 12), repr(end)
    typed = "third = a"
    asked: list[tuple[Sequence[int], int]] = []
    similar_lines(f"{typed}\nsec", len(typed) + 4, "a.py", lambda ids, limit: asked.append((ids, limit)) or [])
    assert [ids for ids, _ in asked] == [token_ids(f"{typed}\n")], "asked once where nothing but a word is begun"


def test_the_context_is_kept_while_the_same_lines_are_typed_on() -> None:
    shelf = Shelf(FILES)
    packer = PromptContextBuilder(shelf)
    first = packer.build(document(), len(TEXT))
    text = TEXT
    for character in "currency)\n    return price":
        text += character
        packed = packer.build(document(text), len(text))
        assert packed.reason == "kept"
        assert packed.parts.context == first.parts.context
    assert shelf.searches == 1
    far = text + "\n" * 6
    assert packer.build(document(far), len(far)).reason == "found"
    assert packer.build(document(path="shop/other.py"), len(TEXT)).reason == "found"
    packer.set_source(Shelf(FILES, generation=2))
    assert packer.build(document(path="shop/other.py"), len(TEXT)).reason == "found"


def test_an_empty_context_has_its_reason() -> None:
    assert PromptContextBuilder(None).build(document(), 3).reason == "no-index"
    assert PromptContextBuilder(Shelf({})).build(document(), 3).reason == "no-hits"
    broken = Shelf(FILES)
    broken.fails = True
    packed = PromptContextBuilder(broken).build(document(), len(TEXT))
    assert (packed.reason, packed.parts.context) == ("failed: RuntimeError", ())


def test_a_search_that_is_late_is_not_waited_for_and_serves_later() -> None:
    slow = Shelf(FILES)
    slow.seconds = 1.5
    packer = PromptContextBuilder(slow)
    began = time.monotonic()
    assert packer.build(document(), len(TEXT), seconds=0.02).reason == "late"
    assert packer.build(document(), len(TEXT), seconds=0.02).reason == "late"  # still running: not started twice
    assert time.monotonic() - began < 1.2
    assert slow.searches == 1
    assert packer.build(document(), len(TEXT), seconds=None).reason == "found"


def test_secrets_of_the_open_file_do_not_enter_the_prompt() -> None:
    token = "ghp_" + "".join(random.Random(3).choices("abcdefghijkABCDEFGH0123456789", k=36))
    text = f'TOKEN = "{token}"\n\nprint('
    seen = SecretCover().document(document(text + f')\nother = "{token}"\n'))
    parts = PromptContextBuilder(None).build(seen, len(text)).parts
    assert token not in parts.prefix + parts.suffix
    assert parts.prefix.count("\n") == 2


def test_windows_line_ends_become_those_models_have_seen() -> None:
    text = "a = 1\r\nb = "
    parts = PromptContextBuilder(None).build(document(text + "\r\nc\r\n"), len(text)).parts
    assert (parts.prefix, parts.suffix) == ("a = 1\nb = ", "\nc\n")


def test_an_enormous_line_costs_no_time() -> None:
    text = "x" * 3_000_000
    began = time.monotonic()
    parts = PromptContextBuilder(None).build(document(text), 2_000_000).parts
    assert time.monotonic() - began < 2
    assert (len(parts.prefix), len(parts.suffix)) == (24_000, 12_000)


def test_recent_edits_elsewhere_are_shown_and_the_place_itself_is_not() -> None:
    packer = PromptContextBuilder(None)
    body = "\n".join(f"line_{i} = {i}" for i in range(80))
    packer.edits.note(document(body))
    packer.edits.note(document(body.replace("line_40 = 40", "renamed_40 = 40")))
    packer.edits.note(document("p = 1\n", "shop/b.py"))
    packer.edits.note(document("p = 1\nq = renamed_41\n", "shop/b.py"))
    pieces = packer.build(document(body), len(body)).parts.context
    assert [p.path for p in pieces] == ["shop/b.py", "shop/new.py"]
    assert "renamed_40 = 40" in pieces[1].text and "line_36" not in pieces[1].text
    assert [e.path for e in packer.edits.elsewhere("file:///shop/new.py", 41, 5)] == ["shop/b.py"]


def test_typing_in_one_place_is_one_edit() -> None:
    edits = RecentEdits()
    text = "a\n" * 30
    edits.note(document(text))
    for character in "hello":
        text = text[:20] + character + text[20:]
        edits.note(document(text))
    assert len(edits.elsewhere("file:///other", 0, 9)) == 1


@pytest.mark.parametrize("seed", range(30))
def test_the_changed_span_is_where_two_texts_differ(seed: int) -> None:
    rng = random.Random(seed)
    before = "".join(rng.choices("ab\n", k=rng.randrange(40)))
    at, end = sorted((rng.randrange(len(before) + 1), rng.randrange(len(before) + 1)))
    after = before[:at] + "".join(rng.choices("abc", k=rng.randrange(5))) + before[end:]
    start, stop = changed(before, after)
    assert before.startswith(after[:start]) and before.endswith(after[stop:])
    assert start <= stop


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from a.b import c, d as e\n", [(("a", "b"), {"c", "d", "e"})]),
        ("import a.b\n", [(("a", "b"), {"b"})]),
        ("from a import (\n    b,\n    c,\n)\nx = 1", [(("a",), {"b", "c"})]),
        ("import { x, y } from './z/w';\n", [(("z", "w"), {"x", "y"})]),
        ('#include "net/socket.h"\n', [(("net", "socket", "h"), {"h"})]),
        ("import com.house.Pump;\n", [(("com", "house", "Pump"), {"Pump"})]),
        ("use crate::net::Socket;\n", [(("crate", "net", "Socket"), {"Socket"})]),
        ("x = 'from a import b'\n", []),
    ],
)
def test_imports(text: str, expected: list) -> None:
    assert [(i.module, set(i.names)) for i in imports_of(text)] == expected


def test_modules_are_found_by_the_end_of_their_path() -> None:
    modules = Modules(["src/net/socket.py", "old/socket.py", "src/net/__init__.py", "src/com/house/Pump.java"])
    assert modules.find(["net", "socket"], "src/a.py") == "src/net/socket.py"
    assert modules.find(["net"], "src/a.py") == "src/net/__init__.py"
    assert modules.find(["com", "house", "Pump"], "src/B.java") == "src/com/house/Pump.java"
    assert modules.find(["net", "socket", "connect"], "src/a.py") == "src/net/socket.py"
    assert modules.find(["os"], "src/a.py") is None


def test_definitions_of_used_names_only() -> None:
    files = {"a.py": "class Used:\n    x = 1\n\nclass Other:\n    pass\n", "b.py": ""}
    found = definitions("from a import Used, Other\n", "Used()", "b.py", Modules(files), files.get)
    assert [(d.path, d.line) for d in found] == [("a.py", 0)]
    assert found[0].text.startswith("class Used:\n    x = 1\n")


def test_focus_takes_the_match_and_what_follows_over_the_chunks_end() -> None:
    one = Chunk("a", "python", 0, 6, "", "a\nb\nc\nd\nneedle haystack\nneedle two\n")
    two = Chunk("a", "python", 6, 9, "", "after1\nafter2\nafter3\n")
    assert focus(one, two, "needle haystack two", 4) == (4, "needle haystack\nneedle two\nafter1\nafter2\n")
    assert focus(one, None, "needle haystack two", 4) == (4, "needle haystack\nneedle two\n")


def test_a_search_without_a_limit_ends_when_it_is_not_wanted_any_more() -> None:
    slow = Shelf(FILES)
    slow.seconds = 1.5
    packer = PromptContextBuilder(slow)
    began = time.monotonic()
    assert packer.build(document(), len(TEXT), None, lambda: time.monotonic() > began + 0.05).reason == "late"
    assert time.monotonic() - began < 1.2
    assert packer.build(document(), len(TEXT), None, lambda: False).reason == "found"  # waits for the one before
    assert slow.searches == 2
