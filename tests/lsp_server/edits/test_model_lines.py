"""What a model is asked about a line, and when the text that it shares with the rules is offered."""

import pytest

from lsp_server.edits.changed_lines import GONE
from lsp_server.edits.model_lines import AGREED, LEAST, PAIRS, Case, agrees, case_at, offer_of, pairs_of
from lsp_server.edits.offered import Refusals
from lsp_server.edits.offers import Search
from lsp_server.edits.probability import shipped
from lsp_server.edits.proposals import Taught, taught
from lsp_server.edits.views import View

OLD, NEW = "    x = Point(1, 2)", "    x = Point(1, 2, z=0)"
LINES = [NEW, "    y = Points(3, 4)", "", "import os"]
HISTORY = [taught("a.py", 0, 1, OLD, NEW)]
MADE = "y = Points(3, 4, z=0)"


def search(history: list[Taught] = HISTORY, refusals: Refusals | None = None) -> Search:
    return Search(shipped(), history, refusals or Refusals())


def view(lines: list[str] = LINES) -> View:
    return View("a.py", "\n".join(lines), frozenset({0}))


def case() -> Case:
    found = case_at(search(), view(), 1)
    assert found is not None
    return found


def test_a_line_is_asked_about_whose_text_is_probable_but_not_sure() -> None:
    assert search().here(view(), 1) is None
    assert case().text == "    " + MADE
    assert case().probability >= LEAST
    assert case().pairs == ((OLD.strip(), NEW.strip()),)
    assert case_at(search(), view(), 1, least=case().probability + 0.01) is None


def test_nothing_is_asked_about_other_lines_or_without_edits_of_lines() -> None:
    assert [case_at(search(), view(), line) for line in (0, 2, 3, 9)] == [None] * 4
    assert case_at(search([]), view(), 1, least=0.0) is None
    assert case_at(search([taught("a.py", 0, 1, OLD, GONE)]), view(), 1, least=0.0) is None


def test_blanks_alone_are_no_question() -> None:
    indented = [taught("a.py", 0, 1, "a = 1", "    a = 1")]
    found = case_at(search(indented), view(["    a = 1", "b = 2"]), 1, least=0.0)
    assert found is None or found.text.strip() != "b = 2"


def test_the_oldest_changes_stay_for_a_while() -> None:
    changes = [taught("a.py", n, n, f"f({n})", f"g({n})") for n in range(20)]
    shown = [pairs_of(changes[:count]) for count in range(1, 20)]
    assert all(1 <= len(pairs) <= PAIRS for pairs in shown)
    assert all(pairs[-1] == (f"f({n})", f"g({n})") for n, pairs in enumerate(shown))
    assert len({pairs[0] for pairs in shown}) == 4


def test_a_text_that_both_make_is_offered_with_the_name_of_the_model() -> None:
    offer = offer_of(case(), search(), MADE, "small")
    assert offer is not None
    assert (offer.line, offer.new, offer.model) == (1, "    " + MADE, "small")
    assert (offer.probability, offer.steps) == (AGREED, {1})


@pytest.mark.parametrize("made", ["", "y = Points(3, 4)", "y = Points(3, 4, z=1)"])
def test_no_other_text_is_offered(made: str) -> None:
    assert not agrees(case(), made)
    assert offer_of(case(), search(), made, "small") is None


def test_what_was_refused_or_holds_a_secret_is_not_offered() -> None:
    refusals = Refusals()
    refusals.take_back(LINES[1], MADE)
    assert offer_of(case(), search(refusals=refusals), MADE, "small") is None
    offer = offer_of(case(), search(), MADE, "small")
    assert offer is not None
    refusals = Refusals()
    refusals.add(offer)
    assert offer_of(case(), search(refusals=refusals), MADE, "small") is None
    secret = 'key = Points("AKIAQYLPMN5HHHFPZAM2", z=0)'
    hidden = Case(view(), 1, LINES[1], "    " + secret, 0.5, case().pairs)
    assert agrees(hidden, secret)
    assert offer_of(hidden, search(), secret, "small") is None
