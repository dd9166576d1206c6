"""Small sessions as developers have them: after two like edits the third is offered, over the real wire."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest

from lsp_server.commands.lsp_client import Client, edit
from tests.support.edit_sessions import SESSIONS
from tests.support.lsp_client import real


def plain(text: str) -> list[str]:
    """The lines of a text, without the indentation of this file."""
    return [line[8:] for line in text.strip("\n").split("\n")][:-1]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, dict[str, Path]]]:
    """One server; each session has a folder and so edits of its own."""
    folder = tmp_path_factory.mktemp("sessions")
    roots = {name: folder / name.replace(" ", "-") for name in SESSIONS}
    for root in roots.values():
        root.mkdir()
    with real(folder) as started:
        started.initialize([*roots.values()], encodings=["utf-16"], options={"nextEdits": True})
        yield started, roots


@pytest.mark.parametrize("name", SESSIONS)
def test_after_two_like_edits_the_third_is_offered(name: str, client: tuple[Client, dict[str, Path]]) -> None:
    ending, text, wanted = SESSIONS[name]
    server, roots = client
    uri = (roots[name] / f"session.{ending}").as_uri()
    lines, version = plain(text), 1
    server.open(uri, "\n".join([*lines, ""]))
    after, at = plain(wanted), -1
    for target in after[:2]:
        at = place_of(lines, target, at)
        new = changed(target)
        version += 1
        server.change(uri, version, edit(at, 0, "".join(f"{line}\n" for line in new), end=(at + 1, 0)))
        lines[at : at + 1] = new
    at = place_of(lines, after[2], at)
    ask = {"textDocument": {"uri": uri, "version": version}, "position": {"line": at, "character": 0}}
    found: list[dict[str, Any]] = server.request("textDocument/copilotInlineEdit", ask)["edits"]
    assert found, f"nothing is offered for {lines[at]!r}"
    assert applied(lines, found[0]) == [*lines[:at], *changed(after[2]), *lines[at + 1 :]]


def changed(target: str) -> list[str]:
    """The lines that a line becomes: one, several (~), or none (-)."""
    return [] if target.endswith("-") else target.split("~")


def place_of(lines: list[str], target: str, after: int) -> int:
    """The line behind another one that becomes the target: the first of those that are most like it."""
    ends = [target[:-1]] if target.endswith("-") else changed(target)
    likeness = [max(SequenceMatcher(None, line, end).ratio() for end in ends) for line in lines]
    likeness = [ratio * (at > after) for at, ratio in enumerate(likeness)]
    return likeness.index(max(likeness))


def applied(lines: list[str], offer: dict[str, Any]) -> list[str]:
    """The lines after an offer."""
    start, end = offer["range"]["start"], offer["range"]["end"]
    every = [*lines, ""]
    head, tail = every[start["line"]][: start["character"]], every[end["line"]][end["character"] :]
    every[start["line"] : end["line"] + 1] = (head + offer["text"] + tail).split("\n")
    return every[:-1]
