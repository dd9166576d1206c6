"""The retrieval-only engine: what it proposes, where it is silent, and how a proposal fits the line."""

import dataclasses
from pathlib import Path

import pytest

from indexer.building.build import build
from indexer.config import Settings
from indexer.data_layout import index_directory
from indexer.storage.reader import Index
from lsp_server.fitting.behind import continuation, placements
from lsp_server.reasons import Reason
from lsp_server.retrieval.engine import RetrievalEngine
from lsp_server.retrieval.matches import MatchSource
from lsp_server.types import Answer, Document, Popup, Request

HANDLERS = "".join(
    f"""\
def handle_{name}(request, session):
    if not session.is_valid():
        raise InvalidSessionError(session.identifier)
    payload = request.read_payload(limit={limit})
    return session.respond(payload)


"""
    for name, limit in (("login", 10), ("logout", 20), ("upload", 30), ("download", 40))
)
MODULE = """\
`include "uvm_macros.svh"

class bus_monitor extends uvm_monitor;
  `uvm_component_utils(bus_monitor)

  function new(string name = "bus_monitor", uvm_component parent = null);
    super.new(name, parent);
  endfunction
endclass
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Path]:
    root = tmp_path_factory.mktemp("repository")
    (root / "handlers.py").write_text(HANDLERS)
    (root / "monitor.sv").write_text(MODULE)
    (root / "한글.py").write_text("# 세션이 유효한지 확인하고 응답을 보낸다\nresult = 확인(세션)\n")
    settings = dataclasses.replace(Settings(), data_dir=tmp_path_factory.mktemp("data"), workers=1)
    build(root, settings)
    return settings, root


@pytest.fixture
def engine(repository: tuple[Settings, Path]) -> RetrievalEngine:
    settings, root = repository
    return RetrievalEngine(settings, Index.open(index_directory(settings, root), settings))


def ask(
    engine: RetrievalEngine, text: str, *, path: str = "new.py", automatic: bool = False, popup: Popup | None = None
) -> Answer:
    """Asks at the mark ``|`` of a text."""
    offset = text.index("|")
    language = "systemverilog" if path.endswith(".sv") else "python"
    document = Document(f"file:///{path}", path, language, 1, text[:offset] + text[offset + 1 :])
    engine.update(document)
    return engine.complete(Request(document, offset, automatic, popup), lambda: False)


def texts(answer: Answer) -> list[str]:
    return [one.text for one in answer.suggestions]


def first_lines(answer: Answer) -> list[str]:
    return [text.split("\n")[0] for text in texts(answer)]


def test_the_repositorys_line_is_proposed_first_with_where_it_comes_from(engine: RetrievalEngine) -> None:
    answer = ask(engine, "def handle_delete(request, session):\n    if not session.|")
    assert first_lines(answer)[0] == "is_valid():"
    assert answer.suggestions[0].provenance[0].path == "handlers.py"
    assert answer.suggestions[0].provenance[0].line in (2, 9, 16, 23)


def test_an_unfinished_word_is_finished(engine: RetrievalEngine) -> None:
    answer = ask(engine, "def handle_delete(request, session):\n    if not session.is_v|")
    assert first_lines(answer)[0] == "alid():"


def test_a_strong_match_goes_on_for_the_block_and_stops_at_its_end(engine: RetrievalEngine) -> None:
    answer = ask(engine, "def handle_delete(request, session):\n    if not session.|")
    lines = texts(answer)[0].split("\n")
    assert lines[:2] == ["is_valid():", "        raise InvalidSessionError(session.identifier)"]
    assert not any(line.strip().startswith("def ") for line in lines)


def test_invoked_gives_up_to_three_and_automatic_at_most_one(engine: RetrievalEngine) -> None:
    text = "def handle_delete(request, session):\n    payload = request.read_payload(limit=|"
    assert len(ask(engine, text).suggestions) <= 3
    assert len(set(texts(ask(engine, text)))) == len(ask(engine, text).suggestions)
    assert len(ask(engine, text, automatic=True).suggestions) <= 1


def test_automatic_is_silent_without_a_match_and_says_why(engine: RetrievalEngine) -> None:
    answer = ask(engine, "zebra = |", automatic=True)
    assert answer.suggestions == ()
    assert answer.reason in ("gate", "no-match", "line-ends")


def test_automatic_leaves_the_indentation_of_an_empty_line_to_the_user(repository: tuple[Settings, Path]) -> None:
    settings, root = repository
    eager = dataclasses.replace(settings, precision=0.01)
    engine = RetrievalEngine(eager, Index.open(index_directory(eager, root), eager))
    head = "def handle_delete(request, session):\n"
    answer = ask(engine, head + "|", automatic=True)
    assert (answer.suggestions, answer.reason) == ((), "indent-first")
    assert first_lines(ask(engine, head + "    |", automatic=True)) == ["if not session.is_valid():"]
    by_hand = texts(ask(engine, head + "|"))[0].split("\n")
    assert by_hand[0] == "    if not session.is_valid():"
    assert by_hand[1:] in ([], ["        raise InvalidSessionError(session.identifier)"])
    at_the_margin = '`include "uvm_macros.svh"\n\n|'
    assert ask(engine, at_the_margin, path="other.sv", automatic=True).reason != "indent-first"
    assert first_lines(ask(engine, at_the_margin, path="other.sv"))[0] == "class bus_monitor extends uvm_monitor;"


@pytest.mark.parametrize(("text", "reason"), [("limit = 1|", "in-number"), ("session.is_|valid()", "in-word")])
def test_automatic_keeps_out_of_numbers_and_words(engine: RetrievalEngine, text: str, reason: str) -> None:
    answer = ask(engine, HANDLERS + text, automatic=True)
    assert (answer.suggestions, answer.reason) == ((), reason)


def test_what_was_typed_a_moment_ago_is_known(engine: RetrievalEngine) -> None:
    text = "alpha_quota = compute_quota(region, 17)\nbeta = 3\nalpha_quota = compute_quota(|"
    assert first_lines(ask(engine, text))[0] == "region, 17)"


def test_a_secret_that_was_just_typed_is_not_written_again(engine: RetrievalEngine) -> None:
    key = "AKIA" + "Q3EGRZ7T5XPLM2VN"
    text = f'first_access_key = "{key}"\nother = 1\nfirst_access_key = |'
    assert not [one for one in texts(ask(engine, text)) if key in one]
    assert f'"{key[:4]}_plain"' in first_lines(ask(engine, text.replace(key, key[:4] + "_plain")))


def test_another_open_document_is_known_until_it_is_closed(engine: RetrievalEngine) -> None:
    other = Document("file:///other.py", "other.py", "python", 1, "frobnicate(widget, speed=9000)\n")
    engine.update(other)
    assert "widget, speed=9000)" in first_lines(ask(engine, "frobnicate(|"))
    engine.close(other.uri)
    assert "widget, speed=9000)" not in first_lines(ask(engine, "frobnicate(|"))


def test_an_open_document_hides_its_indexed_form(engine: RetrievalEngine) -> None:
    answer = ask(engine, "x = 1\nif not session.|", path="handlers.py")
    assert all(p.path != "handlers.py" or p.kind == "document" for one in answer.suggestions for p in one.provenance)


def test_names_are_changed_as_the_code_around_does(engine: RetrievalEngine) -> None:
    text = "self.width = width\nself.height = height\nself.depth = depth\nself.colour = |"
    assert "colour" in first_lines(ask(engine, text))


def test_systemverilog_and_korean_are_completed_too(engine: RetrievalEngine) -> None:
    sv = ask(engine, "class bus_driver extends uvm_driver;\n  `uvm_component_utils(|", path="drv.sv")
    assert sv.suggestions
    assert first_lines(ask(engine, "# 세션이 유효한지 |"))[0] == "확인하고 응답을 보낸다"


def test_crlf_documents_get_crlf(engine: RetrievalEngine) -> None:
    answer = ask(engine, "def handle_delete(request, session):\r\n    if not session.|\r\n")
    assert texts(answer)[0].startswith("is_valid():\r\n        raise ")
    assert "\n" not in texts(answer)[0].replace("\r\n", "")


def test_documents_that_indent_by_tabs_get_tabs(engine: RetrievalEngine) -> None:
    answer = ask(engine, "def handle_delete(request, session):\n\tif not session.|")
    assert texts(answer)[0].startswith("is_valid():\n\t\traise ")


def test_brackets_behind_the_cursor_are_not_doubled(engine: RetrievalEngine) -> None:
    text = "def handle_delete(request, session):\n    payload = request.read_payload(|)"
    for one in ask(engine, text).suggestions:
        line = "read_payload(" + one.text.split("\n")[0] + ")"[one.end - text.index("|") :]
        assert line.count("(") == line.count(")")


def test_a_suggestion_extends_the_popups_entry(engine: RetrievalEngine) -> None:
    text = "def handle_delete(request, session):\n    if not session.is|"
    start = text.index("is|")
    good = ask(engine, text, popup=Popup(start, start + 2, "is_valid"))
    assert texts(good)[0].startswith("is_valid")
    assert good.suggestions[0].start == start
    assert ask(engine, text, popup=Popup(start, start + 2, "isolate")).suggestions == ()


def test_cancelled_work_stops(engine: RetrievalEngine) -> None:
    document = Document("file:///n.py", "n.py", "python", 1, "if not session.")
    answer = engine.complete(Request(document, 15, False), lambda: True)
    assert (answer.suggestions, answer.reason) == ((), "cancelled")


def test_without_an_index_live_documents_still_complete(repository: tuple[Settings, Path]) -> None:
    engine = RetrievalEngine(repository[0], None)
    assert first_lines(ask(engine, "open_valve(pressure=3)\nclose()\nopen_valve(|"))[0] == "pressure=3)"


@pytest.mark.parametrize("text", ["|", "\n|\n", "   |", "\x00|", "x" * 5000 + "|", "(" * 3000 + "|", "😀 = |", "\r\r|"])
def test_odd_documents_are_survived(engine: RetrievalEngine, text: str) -> None:
    ask(engine, text)
    ask(engine, text, automatic=True)


@pytest.mark.parametrize(
    ("text", "behind", "expected"),
    [
        ("a, b)", "", ("a, b)", 0)),
        ("a, b)", ")", ("a, b)", 1)),
        ("a, b", ")", ("a, b", 0)),
        ("a, b):", ")", ("a, b):", 1)),
        ("x])", "])", ("x])", 2)),
        ("name, other) + 1", " + 1", ("name, other) + 1", 4)),
        ("first, second)", "second)", ("first, second)", 7)),
        ("abc", "xyz", None),
    ],
)
def test_text_behind_the_cursor(text: str, behind: str, expected: tuple[str, int] | None) -> None:
    assert next(placements(text, behind), None) == expected


@pytest.mark.parametrize(
    ("text", "prefix", "partial", "expected"),
    [
        (" = 1", "x", "", " = 1"),
        (" = 1", "x ", "", "= 1"),
        ("name", "na", "na", "me"),
        ("name", "ni", "ni", None),
        ("na", "na", "na", None),
        ("word", "other", "", None),
    ],
)
def test_what_is_still_to_be_written(text: str, prefix: str, partial: str, expected: str | None) -> None:
    assert continuation(text, prefix, partial) == expected


@pytest.mark.parametrize(
    "text", ["def handle_delete(request, session):\n    if not session.|", "value = unheard_of(|", "limit = 1|", "|"]
)
def test_one_retrieval_holds_the_automatic_and_the_invoked_answer(engine: RetrievalEngine, text: str) -> None:
    offset = text.index("|")
    document = Document("file:///new.py", "new.py", "python", 1, text.replace("|", ""))
    engine.update(document)
    proposals = engine.propose(Request(document, offset, True), lambda: False)
    automatic, invoked = (engine.complete(Request(document, offset, one), lambda: False) for one in (True, False))
    assert (proposals.automatic().suggestions, proposals.automatic().reason) == (
        automatic.suggestions,
        automatic.reason,
    )
    if automatic.reason not in (Reason.IN_WORD, Reason.IN_NUMBER):  # a rule about the cursor comes before retrieval
        assert proposals.invoked().suggestions == invoked.suggestions


def test_sources_keep_the_numbers_that_the_ranker_was_fitted_with() -> None:
    assert [source.value for source in MatchSource] == list(range(7))
    assert [source.label for source in MatchSource] == [
        "document",
        "open",
        "repository",
        "search",
        "renamed",
        "removed",
        "series",
    ]


def test_copies_have_the_changes_of_the_session(engine: RetrievalEngine) -> None:
    text = "def handle_more(request, session):\n    payload = request.|\n"
    before = ask(engine, text)
    assert any("read_payload" in one for one in texts(before))
    offset = text.index("|")
    document = Document("file:///new.py", "new.py", "python", 2, text.replace("|", ""))

    def new_form(line: str) -> str | None:
        assert line.startswith("    payload = request."), "whole lines are asked for"
        return line.replace("read_payload(", "load(stream, ") if "read_payload(" in line else None

    after = engine.complete(Request(document, offset, False, new_form=new_form), lambda: False)
    assert texts(after)[0].startswith("load(stream, limit=")
    assert not any("read_payload" in one for one in texts(after))
    assert len(set(texts(after))) == len(texts(after))

    # A new form that does not go on from what is typed is not forced upon it.
    other = engine.complete(Request(document, offset, False, new_form=lambda line: "changed()"), lambda: False)
    assert texts(other) == texts(before)


def test_work_for_the_next_key_changes_no_answer(repository: tuple[Settings, Path]) -> None:
    settings, root = repository
    index = Index.open(index_directory(settings, root), settings)
    prepared, plain = RetrievalEngine(settings, index), RetrievalEngine(settings, index)
    shown = 0
    for row, line in enumerate(lines := HANDLERS.split("\n")):
        for column in range(len(line) + 1):
            text = "\n".join([*lines[:row], line[:column], *lines[row + 1 :]])
            offset = len("\n".join([*lines[:row], line[:column]]))
            document = Document("file:///new.py", "new.py", "python", row * 1000 + column, text)
            request = Request(document, offset, automatic=True)
            answers = []
            for engine in (prepared, plain):
                engine.update(document)
                answers.append(engine.complete(request, lambda: False))
            assert [one.text for one in answers[0].suggestions] == [one.text for one in answers[1].suggestions]
            assert answers[0].reason is answers[1].reason
            assert answers[0].trace.get("probability") == answers[1].trace.get("probability")
            shown += bool(answers[0].suggestions)
            stopped = column % 3 == 0  # an urgent request may end it at any time
            prepared.prepare(lambda stopped=stopped: stopped)
    assert shown
