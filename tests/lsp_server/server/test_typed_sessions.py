"""Sessions that are typed key by key, over the real wire: after two like changes the third is offered."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest

from lsp_server.commands.lsp_client import Client, edit
from tests.support.inserted_sessions import ELSEWHERE, INSERTED, UNKNOWN
from tests.support.lsp_client import real
from tests.support.typed_sessions import TYPED

CHANGES = 3


class Typist:
    """A document in which the changes of a session are made, a key at a time."""

    def __init__(self, client: Client, uri: str, text: str) -> None:
        self.client, self.uri, self.version = client, uri, 1
        self.parts: list[tuple[list[str], list[str]]] = []
        lines = [line[8:] for line in text.strip("\n").split("\n")][:-1]
        for before, line in zip([" ", *lines], lines, strict=False):
            if line.startswith("|"):
                continue
            kind, body = (line[0], line[1:]) if line else (" ", "")
            goes_on = kind != " " and (before[:1] or " ") in (("-",) if kind == "-" else ("-", "+"))
            if not goes_on:
                self.parts.append(([], []))
            for side, kinds in zip(self.parts[-1], ("-", "+"), strict=True):
                if kind in (" ", kinds):
                    side.append(body)
        self.made: set[int] = set()
        self.lines = self.text()
        client.open(uri, "\n".join([*self.lines, ""]))

    @property
    def coming(self) -> list[int]:
        """The numbers of the changes that are to come."""
        return [at for at, (old, new) in enumerate(self.parts) if old != new and at not in self.made]

    def text(self, more: int = -1) -> list[str]:
        """The document after the changes that were made, and one more."""
        parts = [new if at in self.made or at == more else old for at, (old, new) in enumerate(self.parts)]
        return [line for part in parts for line in part]

    def start(self, change: int) -> int:
        """The line of a change."""
        return sum(len(new if at in self.made else old) for at, (old, new) in enumerate(self.parts[:change]))

    def make(self, change: int) -> None:
        """Make a change: characters go at once, and come one by one; a line begins with Enter above it."""
        old, new = self.parts[change]
        at = self.start(change)
        for name, i, j, m, n in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            same = 0 if name == "equal" else min(j - i, n - m)
            for number in range(same):
                self._line(at + m + number, new[m + number])
            if j - i > n - m:
                self._put((at + m + same, 0), (at + m + j - i, 0), "")
            for number in range(m + same, n if name != "equal" else m):
                self._put((at + number - 1, len(self.lines[at + number - 1])), None, f"\n{indent_of(new[number])}")
                self._keys(at + number, len(indent_of(new[number])), new[number].lstrip())
        self.made.add(change)
        assert self.lines == self.text()

    def _line(self, at: int, new: str) -> None:
        before, after = (re.findall(r"\w+|\s+|[^\w\s]", line) for line in (self.lines[at], new))
        column = 0
        for name, i, j, m, n in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
            gone, come = "".join(before[i:j]), "".join(after[m:n])
            if name != "equal" and gone:
                self._put((at, column), (at, column + len(gone)), "")
            if name != "equal":
                self._keys(at, column, come)
            column += len(come)

    def _keys(self, line: int, column: int, text: str) -> None:
        for number, key in enumerate(text):
            self._put((line, column + number), None, key)

    def _put(self, start: tuple[int, int], end: tuple[int, int] | None, text: str) -> None:
        self.version += 1
        self.client.change(self.uri, self.version, edit(*start, text, end=end))
        self.lines = replaced(self.lines, start, end or start, text)

    def offered(self, line: int) -> list[str] | None:
        """The document after the offer with the cursor on a line; None without one."""
        ask = {
            "textDocument": {"uri": self.uri, "version": self.version},
            "position": {"line": line, "character": 0},
        }
        found: list[dict[str, Any]] = self.client.request("textDocument/copilotInlineEdit", ask)["edits"]
        if not found:
            return None
        start, end = ((side["line"], side["character"]) for side in found[0]["range"].values())
        return replaced(self.lines, start, end, found[0]["text"])


def indent_of(line: str) -> str:
    """The blanks before a line."""
    return line[: len(line) - len(line.lstrip())]


def replaced(lines: list[str], start: tuple[int, int], end: tuple[int, int], text: str) -> list[str]:
    """The lines with another text in place of a range."""
    every = [*lines, ""]
    head, tail = every[start[0]][: start[1]], every[end[0]][end[1] :]
    every[start[0] : end[0] + 1] = (head + text + tail).split("\n")
    return every[:-1] if not every[-1] else every


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, dict[str, Path]]]:
    """One server; each session has a folder and so edits of its own."""
    folder = tmp_path_factory.mktemp("typed")
    roots = {name: folder / re.sub(r"\W+", "-", name) for name in (*TYPED, *INSERTED)}
    for root in roots.values():
        root.mkdir()
    with real(folder) as started:
        started.initialize([*roots.values()], encodings=["utf-16"], options={"nextEdits": True})
        yield started, roots


@pytest.mark.parametrize("name", TYPED)
def test_after_two_changes_the_third_is_offered(name: str, client: tuple[Client, dict[str, Path]]) -> None:
    ending, text = TYPED[name]
    server, roots = client
    typist = Typist(server, (roots[name] / f"session.{ending}").as_uri(), text)
    assert len(typist.coming) == CHANGES
    for change in typist.coming[:2]:
        typist.make(change)
    (change,) = typist.coming
    line, (old, _) = typist.start(change), typist.parts[change]
    lines = range(line, line + len(old)) if old else (line, line - 1)
    found = [typist.offered(at) for at in lines]
    assert typist.text(change) in found
    assert [one for one in found if one not in (None, typist.text(change))] == []
    typist.make(change)
    assert typist.offered(line) is None


@pytest.mark.parametrize("name", INSERTED)
def test_lines_that_were_inserted_or_deleted_twice_are_offered_at_the_next_place(
    name: str, client: tuple[Client, dict[str, Path]]
) -> None:
    ending, text = INSERTED[name]
    server, roots = client
    typist = Typist(server, (roots[name] / f"session.{ending}").as_uri(), text)
    first, second, third = typist.coming
    typist.make(first)
    typist.make(second)
    server.notify("textDocument/didSave", {"textDocument": {"uri": typist.uri}})
    line, old = typist.start(third), typist.parts[third][0]
    right = [typist.text(third)]
    found = typist.offered(typist.start(second))
    assert found in right if name in ELSEWHERE else found is None or found in right
    there = [typist.offered(at) for at in (range(line, line + len(old)) if old else (line, line - 1))]
    assert name in UNKNOWN or any(one in right for one in there)
