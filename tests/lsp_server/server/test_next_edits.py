"""Next edits over the real wire, with the server as users start it."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lsp_server.commands.lsp_client import Client, edit
from lsp_server.edits.edit_log import TOGETHER_S
from lsp_server.edits.offers import STEPS_OFFERED
from lsp_server.server.next_edits import PAUSE_S
from tests.support import console
from tests.support.lsp_client import explanation, real


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Client, Path]]:
    root = folder / "repo"
    root.mkdir()
    with real(folder) as client:
        client.initialize([root], encodings=["utf-16"], options={"nextEdits": True})
        client.wait_state("ready")
        yield client, root


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Path]]:
    """One server for the tests that need no history of their own."""
    with serving(tmp_path_factory.mktemp("next-edits")) as given:
        yield given


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[tuple[Client, Path]]:
    """A server that knows no edits yet."""
    with serving(tmp_path) as given:
        yield given


class Session:
    """One document whose lines call a function, named by a word that no other test uses."""

    def __init__(
        self,
        served: tuple[Client, Path],
        word: str,
        end: str = "\n",
        lead: str = "",
        ending: str = "py",
        lines: int = 0,
    ) -> None:
        time.sleep(2 * TOGETHER_S)  # documents that change at the same time were not typed
        self.client, root = served
        self.word, self.end, self.lead = word, end, lead
        self.uri = (root / f"{word}.{ending}").as_uri()
        self.lines = ["def work(rate):", *(self.call(n) for n in range(6)), "    return 0", ""]
        if lines:
            self.lines = [f"x = x + {n}" for n in range(lines)]
        self.version = 1
        self.client.open(self.uri, end.join(self.lines))

    def call(self, n: int, more: str = "") -> str:
        return f"    {self.lead}{self.word}_{n} = compute_{self.word}(items_{n}, rate{more})"

    def change(self, n: int) -> None:
        self.put(1 + n, self.call(n, f", {self.word}_tax=0"))

    def put(self, line: int, new: str) -> None:
        """Replace a line by another text."""
        self.version += 1
        size = len(self.lines[line].encode("utf-16-le")) // 2
        self.client.change(self.uri, self.version, edit(line, 0, new, end=(line, size)))
        self.lines[line] = new

    def ask(self, line: int, column: int = 0, version: int | None = None) -> list[dict[str, Any]]:
        params = {
            "textDocument": {"uri": self.uri, "version": version or self.version},
            "position": {"line": line, "character": column},
            "context": {"triggerKind": 2},
        }
        found: list[dict[str, Any]] = self.client.request("textDocument/copilotInlineEdit", params)["edits"]
        return found

    def applied(self, offer: dict[str, Any], text: str = "text") -> tuple[int, str]:
        """The line of an offer and what it becomes."""
        start, end = offer["range"]["start"], offer["range"]["end"]
        assert start["line"] == end["line"]
        line = self.lines[start["line"]].encode("utf-16-le")
        head, tail = line[: 2 * start["character"]], line[2 * end["character"] :]
        return start["line"], head.decode("utf-16-le") + offer[text] + tail.decode("utf-16-le")


def test_the_third_line_is_offered_after_two_were_changed_so(served: tuple[Client, Path]) -> None:
    session = Session(served, "alpha")
    assert session.ask(3) == []
    session.change(0)
    session.change(1)
    (offer,) = session.ask(3, 4)
    assert session.applied(offer) == (3, session.call(2, ", alpha_tax=0"))
    assert offer["textDocument"] == {"uri": session.uri, "version": session.version}
    assert session.ask(3, 4, version=session.version - 1) == []
    told = explanation(session.client)
    assert "You changed" in told
    assert "alpha.py:4 is the next place" in told
    identifier = offer["command"]["arguments"][0]
    session.client.notify("textDocument/didShowInlineEdit", {"item": {"command": offer["command"]}})
    session.change(2)
    session.client.command(offer["command"]["command"], identifier)
    session.client.wait_for(lambda m: m.get("method") == "ondol/nextEditReady" and m["params"] == {"uri": session.uri})


def test_what_is_announced_is_what_the_editor_gets(fresh: tuple[Client, Path]) -> None:
    session = Session(fresh, "omega")
    session.change(0)
    session.change(1)
    session.client.wait_for(lambda m: m.get("method") == "ondol/nextEditReady" and m["params"] == {"uri": session.uri})
    (offer,) = session.ask(2)
    assert session.applied(offer)[1] in {session.call(n, ", omega_tax=0") for n in range(2, 6)}
    session.client.command("ondol.editDismissed", offer["command"]["arguments"][0])
    again = session.ask(2)
    assert [session.applied(one) for one in again] != [session.applied(offer)]


def test_an_editor_hears_of_the_first_edit_though_nothing_is_offered(fresh: tuple[Client, Path]) -> None:
    """Otherwise it would not ask on the lines that the cursor reaches, some of which get an offer."""
    session = Session(fresh, "kappa", lines=6)
    session.put(2, "unlike_all_others()")
    session.client.wait_for(lambda m: m.get("method") == "ondol/nextEditReady" and m["params"] == {"uri": session.uri})
    assert session.ask(2) == []


def test_an_accepted_edit_counts_at_once(fresh: tuple[Client, Path]) -> None:
    """Otherwise the next offer comes from the edits before it, and jumps elsewhere when the pause is over."""
    session = Session(fresh, "sigma")
    session.change(0)
    session.change(1)
    (offer,) = session.ask(3, 4)
    session.change(2)
    session.client.command(offer["command"]["command"], offer["command"]["arguments"][0])
    at_once = session.ask(3, 4)
    session.client.wait_for(lambda m: m.get("method") == "ondol/nextEditReady" and m["params"] == {"uri": session.uri})
    assert [session.applied(one) for one in at_once] == [session.applied(one) for one in session.ask(3, 4)]


def test_an_edit_elsewhere_is_offered_and_not_again_after_it_was_refused(fresh: tuple[Client, Path]) -> None:
    session = Session(fresh, "beta", end="\r\n", lead="값.😀_")
    session.change(0)
    session.change(1)
    session.change(2)
    (offer,) = session.ask(7)
    line, text = session.applied(offer)
    assert line in (4, 5, 6)
    assert text == session.call(line - 1, ", beta_tax=0")
    session.client.command("ondol.editDismissed", offer["command"]["arguments"][0])
    assert (line, text) not in [session.applied(again) for again in session.ask(7)]


def test_all_places_are_listed_for_the_preview(served: tuple[Client, Path]) -> None:
    session = Session(served, "gamma")
    session.change(0)
    session.change(1)
    asked = {"uri": session.uri, "position": {"line": 2, "character": 0}}
    found = session.client.command("ondol.repeatEdit", asked)
    assert "gamma_tax" in found["title"]
    (file,) = [file for file in found["files"] if file["uri"] == session.uri]
    assert file["path"] == "gamma.py"
    made = dict(session.applied(one, "newText") for one in file["edits"])
    assert made == {1 + n: session.call(n, ", gamma_tax=0") for n in range(2, 6)}
    assert all(0 < one["probability"] <= 1 for one in file["edits"])


GO_TESTS = """package tea

func TestEvery(t *testing.T) {
\texpected := "every ms"
\tmsg := Every(time.Millisecond)
}

func TestTick(t *testing.T) {
\texpected := "tick"
\tmsg := Tick(time.Millisecond)
}

func TestBatch(t *testing.T) {
\ttestMultiple[BatchMsg](t, Batch)
}

func TestSequence(t *testing.T) {
\ttestMultiple[sequenceMsg](t, Sequence)
}

func testMultiple[T ~[]Cmd](t *testing.T, create func(cmd ...Cmd) Cmd) {
\tt.Run("nil cmd", func(t *testing.T) {
\t\tif b := create(nil); b != nil {
\t\t\tt.Fatalf("expected nil, got %+v", b)
\t\t}
\t})
\tt.Run("single cmd", func(t *testing.T) {
\t\tb := create(Quit)()
\t\tif _, ok := b.(QuitMsg); !ok {
\t\t\tt.Fatalf("expected a QuitMsg, got %T", b)
\t\t}
\t})
}
"""


def test_what_is_offered_next_is_in_the_list_of_all_places(fresh: tuple[Client, Path]) -> None:
    """The line was inserted at several places; each of these edits leads to other lines, and they are one edit."""
    client, root = fresh
    uri, lines, version = (root / "commands_test.go").as_uri(), GO_TESTS.split("\n"), 1
    client.open(uri, GO_TESTS)
    offered = 0
    for head in ("func TestEvery", "func TestTick", "func TestBatch", "func TestSequence"):
        at = next(number for number, line in enumerate(lines) if line.startswith(head))
        version += 1
        client.change(uri, version, edit(at, len(lines[at]), "\n\tt.Parallel()", end=(at, len(lines[at]))))
        lines.insert(at + 1, "\tt.Parallel()")
        client.wait_for(lambda m: m.get("method") == "ondol/nextEditReady") if at > 3 else time.sleep(2 * PAUSE_S)
        position = {"line": at + 1, "character": 0}
        asked = {"textDocument": {"uri": uri, "version": version}, "position": position, "context": {"triggerKind": 2}}
        answer = client.command("ondol.repeatEdit", {"uri": uri, "position": position})
        places = [one for file in answer["files"] for one in file["edits"]]
        listed = {one["range"]["start"]["line"] for one in places}
        gaps = [one["range"]["start"]["line"] + one["newText"].startswith("\n") for one in places]
        assert len(gaps) == len(set(gaps)), "the same line would be inserted twice at one place"
        for offer in client.request("textDocument/copilotInlineEdit", asked)["edits"]:
            offered += 1
            assert offer["range"]["start"]["line"] in listed, (head, offer, listed)
    assert offered == 3


def test_all_places_of_a_long_document_are_listed(fresh: tuple[Client, Path]) -> None:
    session = Session(fresh, "kappa", lines=400)
    session.client.notify("textDocument/didClose", {"textDocument": {"uri": session.uri}})
    session.lines[::2] = [session.call(n) for n in range(0, 400, 2)]
    session.client.open(session.uri, "\n".join(session.lines))
    for n in (0, 2):
        session.put(n, session.call(n, ", kappa_tax=0"))
    given = {"textDocument": {"uri": session.uri}, "position": {"line": 2, "character": 0}}
    (file,) = session.client.command("ondol.repeatEdit", given)["files"]
    became = dict(session.applied(listed, "newText") for listed in file["edits"])
    assert became == {n: session.call(n, ", kappa_tax=0") for n in range(4, 400, 2)}


def test_an_undone_edit_is_refused(fresh: tuple[Client, Path]) -> None:
    session = Session(fresh, "epsilon")
    session.change(0)
    session.change(1)
    (offer,) = session.ask(3)
    old = session.lines[3]
    session.change(2)
    session.client.command("ondol.editAccepted", offer["command"]["arguments"][0])
    session.put(3, old)
    assert [session.applied(one)[0] for one in session.ask(3)] != [3]
    session.put(3, session.call(2, ", other=1"))  # made in another way, it is an edit like any other
    session.put(3, old)
    assert [session.applied(one)[0] for one in session.ask(3)] != [3]
    assert [session.applied(one)[0] for one in session.ask(6)] != [3]  # on another line, the undoing is complete
    counts = session.client.command("ondol.status")["edits"]
    assert counts["accepted"] == 1
    assert counts["dismissed"] == 1
    assert counts["shown"] >= 1


def test_an_edit_that_is_made_again_is_no_longer_refused(fresh: tuple[Client, Path]) -> None:
    """Lines that are all the same: undoing one refuses the text for all of them, until the user makes it again."""

    class Same(Session):
        def call(self, n: int, more: str = "") -> str:
            return super().call(0, more)

    session = Same(fresh, "again")
    old, new = session.call(0), session.call(0, ", again_tax=0")
    for n in range(3):
        session.change(n)
        session.ask(7)
    assert [session.applied(one) for one in session.ask(4)] == [(4, new)]
    session.put(3, old)
    assert new not in [session.applied(one)[1] for one in session.ask(5)]
    session.put(3, new)
    assert [session.applied(one) for one in session.ask(4)] == [(4, new)]


def test_edits_are_counted(fresh: tuple[Client, Path], tmp_path: Path) -> None:
    session = Session(fresh, "zeta")
    session.change(0)
    session.change(1)
    offers = []
    for number in range(2):  # the same offer counts once, and so does a report that comes twice
        session.put(len(session.lines) - 1, f"# note {number}")
        (offer,) = session.ask(3)
        offers.append((offer["range"], offer["text"]))
        item = {"item": {"command": offer["command"]}}
        session.client.notify("textDocument/didShowInlineEdit", item)
        session.client.notify("textDocument/didShowInlineEdit", item)
    session.client.command("ondol.editDismissed", offer["command"]["arguments"][0])
    assert offers[0] == offers[1]
    assert session.client.command("ondol.status")["edits"] == {"shown": 1, "accepted": 0, "dismissed": 1}
    session.client.stop()
    rows = json.loads(console.run("stats", "--repo", fresh[1], "--json", data=tmp_path / "data").stdout)
    assert [(row["language"], row["engine"], row["shown"], row["dismissed"]) for row in rows] == [
        ("python", "next edit", 1, 1),
        ("all", "next edit", 1, 1),
    ]


def test_a_line_is_deleted_and_lines_are_inserted_at_the_end_of_a_document(fresh: tuple[Client, Path]) -> None:
    client, root = fresh
    session = Session(fresh, "eta")
    uri = (root / "end.py").as_uri()
    lines = [line for n in range(3) for line in (f"one_{n} = load({n})", f"debug(one_{n})")]
    client.open(uri, "\r\n".join(lines))
    for version, at in ((2, 1), (3, 2)):
        del lines[at]
        client.change(uri, version, edit(at, 0, "", end=(at + 1, 0)))
    session.uri, session.version, session.lines = uri, 3, lines
    (offer,) = session.ask(3)
    assert offer["text"] == ""
    assert offer["range"] == {
        "start": {"line": 2, "character": len(lines[2])},
        "end": {"line": 3, "character": len(lines[3])},
    }


def test_lines_that_are_deleted_together_go_with_the_line_end_before_them(fresh: tuple[Client, Path]) -> None:
    client, root = fresh
    session = Session(fresh, "theta")
    uri = (root / "end.py").as_uri()
    lines = [line for n in range(3) for line in (f"one_{n} = load({n})", "if tracing:", "    trace(one)")]
    client.open(uri, "\r\n".join(lines))
    for version, at in ((2, 1), (3, 2)):
        del lines[at : at + 2]
        client.change(uri, version, edit(at, 0, "", end=(at + 2, 0)))
    session.uri, session.version, session.lines = uri, 3, lines
    (offer,) = session.ask(3)
    assert offer["text"] == ""
    assert offer["range"] == {
        "start": {"line": 2, "character": len(lines[2])},
        "end": {"line": 4, "character": len(lines[4])},
    }


def _replaced(session: "Session", lines: list[str]) -> list[dict[str, Any]]:
    return [{"text": session.end.join(lines)}]


NOT_TYPED = {
    "a formatter that sends the whole text": lambda s: _replaced(s, [line.replace("  ", "   ") for line in s.lines]),
    "a formatter that sends ranges": lambda s: [edit(1 + n, 4, "  ", end=(1 + n, 4)) for n in range(6)],
    "a paste": lambda s: [edit(3, 0, "".join(f"pasted_{n} = {n}\n" for n in range(5_000)))],
    "search and replace": lambda s: [edit(n, 0, "y" * (n % 3), end=(n, 0)) for n in reversed(range(len(s.lines)))],
}


@pytest.mark.parametrize("kind", NOT_TYPED)
def test_what_was_not_typed_is_not_repeated(served: tuple[Client, Path], kind: str) -> None:
    session = Session(served, f"delta_{list(NOT_TYPED).index(kind)}", lines=2_000 if kind.startswith("search") else 0)
    session.version += 1
    session.client.change(session.uri, session.version, *NOT_TYPED[kind](session))
    asked = session.ask(7)
    assert [one for one in asked if one["textDocument"]["uri"] == session.uri] == []


def test_another_branch_teaches_nothing(fresh: tuple[Client, Path]) -> None:
    """The editor reloads all open documents at once."""
    sessions = [Session(fresh, word) for word in ("theta", "iota", "kappa")]
    for session in sessions:
        session.version += 1
        lines = [line.replace("rate)", "rate, tax=0)") for line in session.lines[:3]] + session.lines[3:]
        session.client.change(session.uri, session.version, {"text": "\n".join(lines)})
    for session in sessions[1:]:
        assert [one for one in session.ask(5) if one["textDocument"]["uri"] == session.uri] == []


def test_a_rule_that_would_match_everywhere_offers_nothing_elsewhere(fresh: tuple[Client, Path]) -> None:
    session = Session(fresh, "lamda", lines=400)
    for line in (10, 11):
        session.put(line, session.lines[line].replace("x", "y"))
    assert session.ask(11) == []


def test_a_document_that_is_closed_in_the_middle_has_no_offers(fresh: tuple[Client, Path]) -> None:
    session = Session(fresh, "mu")
    session.change(0)
    session.change(1)
    session.client.notify("textDocument/didSave", {"textDocument": {"uri": session.uri}})
    session.client.notify("textDocument/didClose", {"textDocument": {"uri": session.uri}})
    assert session.ask(3) == []
    session.client.open(session.uri, "\n".join(session.lines))
    session.version = 1
    (offer,) = session.ask(3)  # what the edits taught stays
    assert session.applied(offer) == (3, session.call(2, ", mu_tax=0"))


def test_two_editors_on_one_file_know_their_own_edits(fresh: tuple[Client, Path], tmp_path: Path) -> None:
    session = Session(fresh, "nu")
    session.change(0)
    session.change(1)
    with real(tmp_path) as other:
        other.initialize([fresh[1]], encodings=["utf-16"], options={"nextEdits": True})
        other.open(session.uri, "\n".join(session.lines))
        place = {"textDocument": {"uri": session.uri, "version": 1}, "position": {"line": 3, "character": 0}}
        assert other.request("textDocument/copilotInlineEdit", place) == {"edits": []}
    assert session.ask(3)


def test_an_edit_is_repeated_in_the_cells_of_a_notebook(fresh: tuple[Client, Path]) -> None:
    client, root = fresh
    path = root / "work.ipynb"
    cells = [path.as_uri().replace("file:", "vscode-notebook-cell:") + f"#W{n}sZmlsZQ%3D%3D" for n in range(2)]
    texts = [[f"{cell}_{n} = compute(items_{n}, rate)" for n in range(3)] for cell in "ab"]
    notebook = {"uri": path.as_uri(), "version": 1, "notebookType": "jupyter-notebook"}
    notebook["cells"] = [{"kind": 2, "document": cell} for cell in cells]
    documents = [
        {"uri": cell, "languageId": "python", "version": 1, "text": "\n".join(text)}
        for cell, text in zip(cells, texts, strict=True)
    ]
    client.notify("notebookDocument/didOpen", {"notebookDocument": notebook, "cellTextDocuments": documents})

    def change(cell: int, line: int, version: int) -> None:
        new = texts[cell][line].replace("rate", "rate, tax=0")
        changes = [edit(line, 0, new, end=(line, len(texts[cell][line])))]
        texts[cell][line] = new
        written = {"document": {"uri": cells[cell], "version": version}, "changes": changes}
        given = {"uri": notebook["uri"], "version": version}
        content = {"cells": {"textContent": [written]}}
        client.notify("notebookDocument/didChange", {"notebookDocument": given, "change": content})

    def ask(cell: int, line: int) -> dict[str, Any]:
        params = {"textDocument": {"uri": cells[cell]}, "position": {"line": line, "character": 0}}
        (found,) = client.request("textDocument/copilotInlineEdit", params)["edits"]
        return dict(found)

    change(0, 0, 2)
    change(0, 1, 3)
    offer = ask(0, 2)
    assert (offer["textDocument"]["uri"], offer["range"]["start"]["line"]) == (cells[0], 2)
    change(0, 2, 4)
    offer = ask(1, 1)
    assert (offer["textDocument"]["uri"], offer["range"]["start"]["line"]) == (cells[1], 1)
    assert "tax=0" in offer["text"]


def test_tabs_and_line_ends_of_the_place_are_kept(fresh: tuple[Client, Path]) -> None:
    session = Session(fresh, "pi", end="\r\n", lead="\t")
    session.put(1, session.lines[1].replace("rate", "rate,\ttax"))
    session.put(2, session.lines[2].replace("rate", "rate,\ttax"))
    (offer,) = session.ask(3)
    assert session.applied(offer) == (3, session.call(2).replace("rate", "rate,\ttax"))


def test_a_language_without_grammar_is_enough(fresh: tuple[Client, Path]) -> None:
    session = Session(fresh, "xi", ending="strange")
    session.change(0)
    session.change(1)
    (offer,) = session.ask(3)
    assert session.applied(offer) == (3, session.call(2, ", xi_tax=0"))


def test_a_secret_is_not_repeated(fresh: tuple[Client, Path]) -> None:
    session = Session(fresh, "omikron")
    key = "AKIA" + "Q3EGRVWXYZ2LMNOP"
    for n in (0, 1):
        session.put(1 + n, session.call(n, f', password="{key}"'))
    assert session.ask(3) == []


@pytest.mark.parametrize(
    "params", [None, {}, {"textDocument": {"uri": "file:///no"}}, {"textDocument": 1, "position": 2}]
)
def test_a_request_that_names_no_place_gets_no_edit(served: tuple[Client, Path], params: Any) -> None:
    assert served[0].request("textDocument/copilotInlineEdit", params) == {"edits": []}
    assert served[0].command("ondol.repeatEdit", *([params] if params else [])) == {"title": "", "files": []}


def test_completions_have_the_new_form_after_two_edits(fresh: tuple[Client, Path]) -> None:
    client, root = fresh
    uri = (root / "crawlers.py").as_uri()
    lines = [f"    {name} = Pipeline.from_crawler({name}_crawler)" for name in ("one", "two", "three", "four", "five")]
    lines = ["def work():", *lines, "", "    return one", ""]
    client.open(uri, "\n".join(lines))

    def completed(version: int) -> list[str]:
        typed = "    five = "
        client.change(uri, version, edit(5, 0, typed, end=(5, len(lines[5]))))
        params = {
            "textDocument": {"uri": uri},
            "position": {"line": 5, "character": len(typed)},
            "context": {"triggerKind": 1},
        }
        found = client.request("textDocument/inlineCompletion", params)["items"]
        client.change(uri, version + 1, edit(5, 0, lines[5], end=(5, len(typed))))
        return [item["insertText"] for item in found]

    assert any("Pipeline.from_crawler(" in text for text in completed(2))
    for number, row in enumerate((1, 2)):
        old = lines[row]
        new = old.replace("Pipeline.from_crawler(", "build_from_crawler(Pipeline, ")
        client.change(uri, 4 + number, edit(row, 0, new, end=(row, len(old))))
        lines[row] = new
    texts = completed(6)
    assert texts and texts[0].startswith("build_from_crawler(Pipeline, ")
    assert not any("Pipeline.from_crawler(" in text for text in texts)


def test_after_many_like_edits_the_next_file_is_offered(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    root.mkdir()
    call = "    total_{0} = compute_nu(items_{0}, rate)".format
    for name, calls in (("far.py", [20]), ("near.py", range(STEPS_OFFERED))):
        (root / name).write_text("\n".join(["def work(rate):", *map(call, calls), "    return 0", ""]))
    with real(tmp_path) as client:
        client.initialize([root], encodings=["utf-16"], options={"nextEdits": True})
        client.wait_state("ready")
        uri = (root / "near.py").as_uri()
        client.open(uri, (root / "near.py").read_text())
        for n in range(STEPS_OFFERED):
            column = len(call(n)) - 1
            client.change(uri, n + 2, edit(1 + n, column, ", nu_tax=0"))
        document = {"uri": uri, "version": STEPS_OFFERED + 1}
        place = {"textDocument": document, "position": {"line": STEPS_OFFERED + 1, "character": 0}}
        (offer,) = client.request("textDocument/copilotInlineEdit", place)["edits"]
        assert offer["textDocument"]["uri"] == (root / "far.py").as_uri()
        assert offer["text"].strip(",) ") == "nu_tax=0"
        assert "far.py:" in explanation(client)


@pytest.mark.parametrize("reported", [True, False])
def test_what_was_seen_and_left_alone_at_the_cursor_is_offered_less(
    fresh: tuple[Client, Path], *, reported: bool
) -> None:
    session = Session(fresh, "rho", ending="swift")
    fields = [f"    public let field{n}: {kind}?" for n, kind in enumerate(("Int", "Data", "URL", "Name"))]
    body = [f"        let size{n} = measure{n}(of: parts{n}, by: {n})" for n in range(24)]
    session.lines, session.version = ["struct Rho {", *fields, "    func work() {", *body, "    }", "}", ""], 2
    session.client.change(session.uri, 2, {"text": "\n".join(session.lines)})
    for line in (1, 2):
        session.put(line, session.lines[line].replace("let", "internal(set) var"))

    def offered(line: int) -> bool:
        found = session.ask(line)
        if reported and found:
            session.client.notify("textDocument/didShowInlineEdit", {"item": {"command": found[0]["command"]}})
        return bool(found) and session.applied(found[0])[0] == line

    seen = [offered(line) for line in range(6, 30)]
    assert any(seen[:2])
    assert any(seen[-6:]) != reported
    assert offered(3)  # where more of the line agrees, it is still offered


def test_a_block_with_a_blank_line_in_it_is_deleted_whole(fresh: tuple[Client, Path]) -> None:
    session = Session(fresh, "sigma")
    block = ["    if tracing:", "        trace(d)", "", "    note(d)"]
    lines = [line for name in "abcd" for line in (f"def {name}_open(d):", *block, f"    d.{name} = 1", "")]
    session.lines, session.version = lines, 2
    session.client.change(session.uri, 2, {"text": "\r\n".join(lines)})
    for at in (1, 4):
        session.version += 1
        session.client.change(session.uri, session.version, edit(at, 0, "", end=(at + 4, 0)))
        del lines[at : at + 4]
    (offer,) = session.ask(7)
    assert offer["text"] == ""
    assert offer["range"] == {"start": {"line": 7, "character": 0}, "end": {"line": 11, "character": 0}}
