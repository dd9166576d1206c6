"""Next edits after what editors do by themselves, and in documents that are odd, over the real wire."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lsp_server.commands.lsp_client import Client, edit
from lsp_server.edits.edit_log import TOGETHER_S
from lsp_server.server.next_edits import PAUSE_S
from tests.support.lsp_client import real

QUICK_S = 5.0
"""An answer on a busy machine; without limits some of these searches would take minutes."""


ROOTS = 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, list[Path]]]:
    """One server; each test has a repository and so edits of its own."""
    folder = tmp_path_factory.mktemp("odd")
    roots = [folder / f"repo{number}" for number in range(ROOTS)]
    for root in roots:
        root.mkdir()
    with real(folder) as client:
        client.initialize(roots, encodings=["utf-16"], options={"nextEdits": True})
        yield client, roots


@pytest.fixture
def served(server: tuple[Client, list[Path]]) -> tuple[Client, Path]:
    return server[0], server[1].pop()


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


class Editor:
    """A document of an editor."""

    def __init__(
        self, served: tuple[Client, Path], name: str, lines: list[str], *, end: str = "\n", text: str = ""
    ) -> None:
        time.sleep(1.5 * TOGETHER_S)  # documents that change at the same time were not typed
        self.client, root = served
        self.uri, self.version, self.lines, self.end = (root / name).as_uri(), 1, list(lines), end
        self.client.open(self.uri, text or end.join([*lines, ""]))

    def send(self, *changes: dict[str, Any]) -> None:
        self.version += 1
        self.client.change(self.uri, self.version, *changes)

    def put(self, line: int, new: str) -> None:
        """Replace a line, and pause."""
        self.send(edit(line, 0, new, end=(line, units(self.lines[line]))))
        self.lines[line] = new
        self.save()

    def replace(self, line: int, old: str, new: str) -> None:
        self.put(line, self.lines[line].replace(old, new))

    def insert(self, line: int, new: str) -> None:
        """Type a line below another one as editors do: Enter, words, pause."""
        indent = new[: len(new) - len(new.lstrip())]
        self.send(edit(line, units(self.lines[line]), self.end + indent))
        self.send(edit(line + 1, units(indent), new.lstrip()))
        self.lines.insert(line + 1, new)
        self.save()

    def whole(self, lines: list[str]) -> None:
        self.lines = list(lines)
        self.send({"text": self.end.join([*lines, ""])})

    def save(self) -> None:
        """Settle the edit that is being made."""
        self.client.notify("textDocument/didSave", {"textDocument": {"uri": self.uri}})

    def close(self) -> None:
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": self.uri}})

    def open(self, lines: list[str]) -> None:
        self.version, self.lines = 1, list(lines)
        self.client.open(self.uri, self.end.join([*lines, ""]))

    def ask(self, line: int) -> list[tuple[int, list[str]]]:
        """The offers with the cursor on a line: where, and the lines that come. Those of other files have line -1."""
        params = {
            "textDocument": {"uri": self.uri, "version": self.version},
            "position": {"line": line, "character": 0},
        }
        began = time.perf_counter()
        found = self.client.request("textDocument/copilotInlineEdit", params)["edits"]
        assert time.perf_counter() - began < QUICK_S
        return [self._applied(one) if one["textDocument"]["uri"] == self.uri else (-1, []) for one in found]

    def offers(self, lines: range | list[int] | None = None) -> dict[int, list[str]]:
        """What is offered anywhere with the cursor on each of some lines, by place."""
        every = range(len(self.lines)) if lines is None else lines
        return dict(offer for line in every for offer in self.ask(line))

    def _applied(self, offer: dict[str, Any]) -> tuple[int, list[str]]:
        start, end = offer["range"]["start"], offer["range"]["end"]
        first, last = (self.lines[side["line"]].encode("utf-16-le") for side in (start, end))
        head = first[: 2 * start["character"]].decode("utf-16-le")
        tail = last[2 * end["character"] :].decode("utf-16-le")
        return start["line"], (head + offer["text"] + tail).split(self.end)


def calls(word: str, times: int = 6, indent: str = "    ") -> list[str]:
    """Calls of a function, each with lines that are no such calls."""
    made = ["def work(rate):"]
    for n in range(times):
        made += [f"{indent}if {word}_{n}:", call(word, n, indent), f"{indent * 2}log('{word} %s', {word}_{n})"]
    return [*made, f"{indent}return 0"]


def call(word: str, n: int, indent: str = "    ", more: str = "") -> str:
    return f"{indent * 2}{word}_{n} = compute_{word}(items_{n}, rate{more})"


def taught(editor: Editor) -> Editor:
    """Add an argument to the first two calls."""
    for line in (2, 5):
        editor.replace(line, "rate)", "rate, tax=0)")
    return editor


def third_of(word: str, first: int = 2, indent: str = "    ") -> dict[int, list[str]]:
    return {2 + 3 * n: [call(word, n, indent, ", tax=0")] for n in range(first, 6)}


def test_the_argument_is_offered_at_calls_of_the_function_alone(served: tuple[Client, Path]) -> None:
    """Also at the cursor: the lines between the calls end with a call as well."""
    assert taught(Editor(served, "a.py", calls("a"))).offers() == third_of("a")


@pytest.mark.parametrize("ranges", [False, True])
def test_a_file_that_is_indented_again_has_no_new_indentation_offered(
    served: tuple[Client, Path], ranges: bool
) -> None:
    editor = taught(Editor(served, "a.py", calls("a")))
    narrow = [re.sub(r"^ +", lambda found: found[0][: len(found[0]) // 2], line) for line in editor.lines]
    if ranges:
        cut = [(n, (len(old) - len(new))) for n, (old, new) in enumerate(zip(editor.lines, narrow, strict=True))]
        editor.send(*(edit(n, 0, "", end=(n, away)) for n, away in cut if away))
        editor.lines = narrow
    else:
        editor.whole(narrow)
    editor.save()
    assert editor.offers().items() <= third_of("a", 0, "  ").items()


@pytest.mark.parametrize("ranges", [False, True])
def test_quotes_that_a_formatter_changes_are_not_offered_elsewhere(served: tuple[Client, Path], ranges: bool) -> None:
    editor, other = Editor(served, "a.py", calls("a")), Editor(served, "b.py", calls("b"))
    new = [line.replace("'", '"') for line in editor.lines]
    if ranges:
        changed = [n for n, line in enumerate(editor.lines) if line != new[n]]
        editor.send(*(edit(n, 0, new[n], end=(n, len(editor.lines[n]))) for n in changed))
        editor.lines = new
    else:
        editor.whole(new)
    editor.save()
    assert editor.offers() == other.offers() == {}


def test_another_branch_under_open_documents_leaves_what_is_right_there(served: tuple[Client, Path]) -> None:
    """Eight documents are read again just after two edits; every second call has the argument there."""
    editors = [Editor(served, f"f{n}.py", calls(f"w{n}")) for n in range(8)]
    taught(editors[0])
    for editor in editors:
        lines = [line.replace("rate)", "rate, tax=0)") if n % 2 else line for n, line in enumerate(editor.lines)]
        editor.whole([*lines, "    other = 1"])
    assert editors[0].offers().items() <= {n: one for n, one in third_of("w0").items() if not n % 2}.items()
    for editor in editors[1:3]:
        assert editor.offers() == {}


def test_what_an_editor_saves_before_it_reports_it_is_repeated(served: tuple[Client, Path]) -> None:
    file = served[1] / "a.py"
    file.write_text("\n".join([*calls("a"), ""]))
    editor = Editor(served, "a.py", calls("a"))
    for line in (2, 5):  # the file has the change already when it is reported, as with editors that save at once
        changed = editor.lines[line].replace("rate)", "rate, tax=0)")
        file.write_text("\n".join([*editor.lines[:line], changed, *editor.lines[line + 1 :], ""]))
        editor.put(line, changed)
        editor.save()
    assert editor.offers() == third_of("a", 2)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_that_was_changed_outside_and_is_read_again_is_not_repeated(
    served: tuple[Client, Path], ranges: bool
) -> None:
    file = served[1] / "a.py"
    file.write_text("\n".join([*calls("a"), ""]))
    editor = Editor(served, "a.py", calls("a"))
    for line in (2, 5):
        old, new = editor.lines[line], editor.lines[line].replace("rate)", "rate, tax=0)")
        lines = [*editor.lines[:line], new, *editor.lines[line + 1 :]]
        file.write_text("\n".join([*lines, ""]))
        if ranges:
            editor.send(edit(line, 0, new, end=(line, len(old))))
            editor.lines = lines
        else:
            editor.whole(lines)
        time.sleep(2 * PAUSE_S)
    assert editor.offers() == {}
    for line in (8, 11):  # what the user does then counts, also with a file that has it
        editor.replace(line, "rate)", "rate, tax=0)")
        file.write_text("\n".join([*editor.lines, ""]))
        editor.save()
    assert editor.offers() == third_of("a", 4)


def test_a_paste_of_many_like_lines_delays_nothing(served: tuple[Client, Path]) -> None:
    editor = taught(Editor(served, "a.py", calls("a")))
    pasted = [f"    p_{n} = compute_a(items_{n}, rate)" for n in range(5_000)]
    editor.send(edit(8, 0, "".join(f"{line}\n" for line in pasted)))
    editor.lines[8:8] = pasted
    editor.save()
    found = editor.offers([7, 8, 9, 2_500, 5_008])
    assert found
    for line, made in found.items():
        assert made == [editor.lines[line].replace("rate)", "rate, tax=0)")]


def test_an_editor_that_replaces_place_by_place_is_not_repeated(served: tuple[Client, Path]) -> None:
    """Some send each of the places as a change of its own."""
    editor = Editor(served, "a.py", [f"v{n} = alpha_name(x{n}, {n})" for n in range(4_000)])
    began = time.perf_counter()
    for line in range(0, 4_000, 2):
        column = editor.lines[line].index("alpha")
        editor.send(edit(line, column, "gamma", end=(line, column + 5)))
    assert editor.ask(1) == []
    assert time.perf_counter() - began < 6 * QUICK_S
    editor.lines = [line if n % 2 else line.replace("alpha", "gamma") for n, line in enumerate(editor.lines)]
    editor.save()
    assert editor.offers([1, 3, 1_999, 3_999]) == {}
    time.sleep(0.2)
    editor.replace(1, "alpha", "delta")  # what is typed afterwards counts again
    editor.replace(3, "alpha", "delta")
    assert editor.offers([5]) == {5: ["v5 = delta_name(x5, 5)"]}


def test_what_was_half_typed_in_a_document_that_is_closed_is_not_offered(served: tuple[Client, Path]) -> None:
    editor = taught(Editor(served, "a.py", calls("a")))
    before = list(editor.lines)
    editor.send(edit(8, 10, "half"))
    editor.close()
    assert editor.ask(8) == []
    editor.open(before)
    assert editor.offers() == third_of("a")
    editor.close()
    editor.open(before[:7])
    assert editor.offers() == {}


def test_line_ends_and_tabs_that_are_mixed_stay_as_they_are(served: tuple[Client, Path]) -> None:
    lines = [line.replace("\t", "    ") if n % 3 else line for n, line in enumerate(calls("a", indent="\t"))]
    text = "".join(line + ("\r\n" if n % 2 else "\n") for n, line in enumerate(lines))
    editor = taught(Editor(served, "a.py", lines, text=text))
    found = editor.offers()
    assert set(found) == set(third_of("a"))
    for line, made in found.items():
        assert made == [lines[line].replace("rate)", "rate, tax=0)")]


def test_lines_are_inserted_with_the_line_ends_and_tabs_of_the_place(served: tuple[Client, Path]) -> None:
    lines = [line for name in "abc" for line in (f"\tvoid {name}(T t) {{", f"\t\tuse(t, '{name}');", "\t}")]
    lines[3:6] = [line.replace("\t", "    ") for line in lines[3:6]]
    editor = Editor(served, "a.java", lines, end="\r\n")
    editor.insert(0, "\t\tcheck(t);")
    editor.insert(4, "        check(t);")
    found = editor.offers([8, 9])
    assert list(found.values()) in ([[lines[6], "\t\tcheck(t);"]], [["\t\tcheck(t);", lines[7]]]) or found == {
        8: [lines[6], "\t\tcheck(t);"],
        9: ["\t\tcheck(t);", lines[7]],
    }


def test_korean_names_and_signs_of_two_units(served: tuple[Client, Path]) -> None:
    lines = ["def 계산(세율):"]
    for n in range(5):
        lines += [f"    합계_{n} = 더하기(항목_{n}, 세율)", f'    기록("😀 {n}", 합계_{n})']
    editor = Editor(served, "a.py", lines)
    for line in (1, 3):
        editor.replace(line, "세율)", "세율, 할인=0)")
    assert editor.offers() == {n: [lines[n].replace("세율)", "세율, 할인=0)")] for n in (5, 7, 9)}


def test_undo_of_the_edits_takes_their_rule_away(served: tuple[Client, Path]) -> None:
    """Also after many other edits."""
    editor = Editor(served, "a.py", [*calls("a"), *(f"z{n} = {n}" for n in range(40))])
    old = list(editor.lines)
    taught(editor)
    for n in range(30):
        time.sleep(0.06)  # more at once would be an editor's
        editor.put(20 + n, f"q{n} = other{n}({n})")
    editor.put(5, old[5])
    editor.put(2, old[2])
    assert not set(editor.offers(range(19))) & set(third_of("a", 0))


def test_undo_of_inserted_lines_takes_their_rule_away(served: tuple[Client, Path]) -> None:
    """An editor takes two steps for each: the words, then the line."""
    lines = [line for n in range(4) for line in (f"def fun_{n}(value):", f"    return value + {n}", "")]
    editor = Editor(served, "a.py", lines)
    for line in (0, 4):
        editor.insert(line, "    check(value)")
    assert editor.offers([8, 9])
    for line in (4, 0):
        editor.send(edit(line + 1, 4, "", end=(line + 1, 16)))
        editor.save()
        editor.send(edit(line, len(editor.lines[line]), "", end=(line + 1, 4)))
        del editor.lines[line + 1]
        editor.save()
    assert editor.lines == lines
    assert editor.offers() == {}


def test_a_rule_of_another_document_needs_the_names_of_its_places(served: tuple[Client, Path]) -> None:
    """``await`` before two calls of ``db.query`` says nothing of ``db.close``."""
    one = Editor(
        served, "a.py", ["async def go(db):", *(f"    a{n} = db.query({n})" for n in range(2)), "    return a0"]
    )
    lines = ["async def stop(db):", "    db.ping()", "    db.close()", "    x = db.query(5)", "    cfg.query(5)"]
    other = Editor(served, "b.py", lines)
    for line in (1, 2):
        one.replace(line, "db.q", "await db.q")
    assert one.offers() == {}
    assert other.offers() == {3: ["    x = await db.query(5)"]}


def test_a_line_of_very_many_characters_is_left_alone(served: tuple[Client, Path]) -> None:
    editor = Editor(served, "a.js", ["var a=foo(1);" * 20_000, *(f"x{n} = foo({n});" for n in range(2))])
    for line in (1, 2):
        editor.replace(line, "foo", "bar")
    assert editor.offers() == {}
