"""All places of the newest edit in a document, for a list from which the user chooses."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from typing import Final

from lsp_server.edits import places
from lsp_server.edits.changed_lines import is_block
from lsp_server.edits.features import ELSEWHERE
from lsp_server.edits.offered import Offer
from lsp_server.edits.offers import Search, holds_secret
from lsp_server.edits.place_search import Candidates
from lsp_server.edits.views import View

LEAST_THERE: Final = 0.05
"""The least probability of a text of the same document, as if the cursor stood at its line.

How probable the *next* edit is says little about its fiftieth place. 30 edits by pattern of five repositories: behind
one typed place 31 of 501 right texts had a probability of .5, and so a tick, as the next edit, and 463 of 507 have it
with the cursor there; of 126 and 102 other ones, many of them such as one may want, 1 and 47.
"""


def all_of_newest(search: Search, view: View, where: float, least: float) -> Iterator[Offer]:
    """Yield the best proposal for each line that the newest edit may change.

    A rule that may look for places is enough.

    :param where: ``ELSEWHERE`` or ``OTHER_FILE``. :param least: the probability from which no such rule is needed.
    """
    newest = places.like_newest(search.history)
    newer = newest.union(sorted({one.step for one in search.history})[-2:])
    found = search.places.of_newest(view, where)
    listed: set[int] = set()
    sure = {offer.line: offer for offer in search.sure(view, found)}
    for one, offer in _judged(search, view, found):
        if search.otherwise(view, one, offer.new):
            continue
        evidence, told = one.texts[offer.new], search.places.told(one.place)
        rules = [rule for rule, source in evidence.rules if source.step in newest]
        ages = evidence.kinds.get("call", set()) | evidence.kinds.get("gone", set())
        alike = any(told[-1 - age].step in newest for age in ages)  # a call, or the same line deleted
        likely = offer.probability >= least or alike or bool(evidence.joint) or any(map(places.tells, rules))
        if not likely and where == ELSEWHERE and not is_block(offer.new) and len(offer.steps & newer) > 1:
            here = search.here(view, offer.line)  # rows that share no word
            likely = here is not None and here.new == offer.new
        # A sure one may be shown as the next edit, whatever the first look says.
        both = (offer if likely else None, sure.get(offer.line))
        kept = next((each for each in both if each is not None and not newest.isdisjoint(each.steps)), None)
        if kept is not None and (where == ELSEWHERE or evidence.joint):
            there = _there(search, view, kept.line, kept.new)
            kept = replace(kept, probability=there) if there >= LEAST_THERE else None
        if kept is not None:
            listed.add(kept.line)
            yield kept
    if where == ELSEWHERE:
        yield from _of_signs(search, view, listed)


def _of_signs(search: Search, view: View, but: Container[int]) -> Iterator[Offer]:
    """Yield the lines to which a change of signs alone can be done; no word leads to them.

    :param but: lines that are listed already.
    """
    for line, text in search.places.of_signs(view):
        old = view.lines[line]
        if line in but or search.refusals.refused(old, text) or holds_secret(text, view.uri):
            continue
        there = _there(search, view, line, text)
        if there >= LEAST_THERE:
            steps = frozenset((search.history[-1].step,))
            yield Offer(view.uri, line, old, text, there, ELSEWHERE, (), steps, sure=False)


def _there(search: Search, view: View, line: int, text: str) -> float:
    """Return how probable a text is with the cursor at its line; 0 where it is none that is looked at twice."""
    probability = dict(search.unsure(view, line)).get(text, 0.0)
    there = search.places.candidates(view, search.places.place_at(view, line))
    return max(probability, there.least(text)) if probability else 0.0


def _judged(search: Search, view: View, found: Sequence[Candidates]) -> Iterator[tuple[Candidates, Offer]]:
    """Yield the best text of each place by the first look."""
    judged = iter(search.judge.probabilities([row for one in found for row in one.rows], here=False))
    for one in found:
        best = search.best(view, one, [next(judged) for _ in one.rows])
        if best is not None:
            yield one, best
