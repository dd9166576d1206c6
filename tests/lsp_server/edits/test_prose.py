"""What an edit says in a string about its own place."""

import pytest

from lsp_server.edits.features import ELSEWHERE
from lsp_server.edits.listed import all_of_newest
from lsp_server.edits.offered import Refusals
from lsp_server.edits.offers import Search
from lsp_server.edits.probability import shipped
from lsp_server.edits.proposals import taught
from lsp_server.edits.prose import brings_sentence
from lsp_server.edits.views import View

OLD = "\t\treturn nil, err"


def message(text: str) -> str:
    return f'\t\treturn nil, fmt.Errorf("{text}: %w", err)'


def offered(*messages: str) -> tuple[str | None, list[str]]:
    """Return what is offered at the cursor behind edits that brought messages, and what the list has."""
    new = list(map(message, messages))
    lines = [line for text in (*new, OLD) for line in ("func f() {", "\tif err != nil {", text, "\t}", "}")]
    places = [5 * number + 2 for number in range(len(new))]
    history = [taught("a.go", at, step, OLD, new[step]) for step, at in enumerate(places)]
    search, view = Search(shipped(), history, Refusals()), View("a.go", "\n".join(lines), frozenset(places))
    here = search.here(view, len(lines) - 3)
    return here.new if here is not None else None, [one.new for one in all_of_newest(search, view, ELSEWHERE, 0.2)]


def test_the_message_of_one_place_is_not_repeated() -> None:
    assert offered("load config") == (None, [])
    assert offered("load config", "save config") == (None, [])


def test_the_same_message_twice_is() -> None:
    assert offered("in config", "in config") == (message("in config"), [message("in config")])


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("raise Missing", 'raise Missing("no such file")', True),
        ("open(path)", "open(path, 'rb')", False),
        ("point(a)", 'point(a, "1 2 3")', False),
        ('fail("cannot read")', 'fail("could not read")', False),
        ("x = 1", 'x = 1\nlog("x is set")', False),
    ],
)
def test_a_sentence_is_a_string_of_several_words(old: str, new: str, wanted: bool) -> None:
    assert brings_sentence(old, new) == wanted
