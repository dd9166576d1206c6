"""The search for the next edit, on the engine's thread: the open documents first, then the repository.

A search that was stopped says so, and may begin again.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from operator import is_
from typing import Final

from indexer.text.printable import hidden_in
from lsp_server.edits import places
from lsp_server.edits.changed_lines import GONE
from lsp_server.edits.edit_log import EditLog
from lsp_server.edits.features import ELSEWHERE, OTHER_FILE
from lsp_server.edits.history import History, PastEdit
from lsp_server.edits.learned import Learned
from lsp_server.edits.listed import all_of_newest
from lsp_server.edits.offered import Offer, Refusals
from lsp_server.edits.offers import Search
from lsp_server.edits.probability import Judge, shipped
from lsp_server.edits.text_search import TextSearch
from lsp_server.edits.views import OtherFile, View
from lsp_server.server.documents import OpenDocument, path_of
from lsp_server.server.session import Session

FILES: Final = 20
"""Files of the repository that are searched for one offer."""

LEAST_LISTED: Final = 0.2
"""Less probable places are listed only by a rule, where all places of an edit are asked for."""

LISTED: Final = 1_000


@dataclass
class SessionEdits:
    """What was edited and refused in one session, and its open documents as they were searched last.

    :ivar seen: the newest edit of which it is known that the user made it.
    :ivar learned: the version of the log, and the new forms that its edits teach.
    """

    log: EditLog = field(default_factory=EditLog)
    history: History = field(default_factory=History)
    refusals: Refusals = field(default_factory=Refusals)
    seen: int = 0
    learned: tuple[int, Learned] | None = None
    views: dict[str, tuple[OpenDocument, int, View]] = field(default_factory=dict)

    def note_made(self) -> None:
        """Take back the refusal of what the newest edits did all the same, such as one that was undone and redone."""
        for edit in reversed(self.log.settled):
            if edit.step <= self.seen:
                break
            for _, old, new in edit.changed():
                self.refusals.made(old, new)
        self.seen = max(self.seen, self.log.settled[-1].step if self.log.settled else 0)

    def view(self, name: str, document: OpenDocument) -> View:
        """Return an open document for the search; the same one while neither text nor edited lines change."""
        edited = self.log.lines(name)
        known = self.views.get(name)
        if known is not None and known[0] is document and known[1] == document.version and known[2].edited == edited:
            return known[2]
        same = known is not None and known[0] is document
        view = View.of(name, document.buffer.text, edited, known[2].kept if known is not None and same else None)
        self.views[name] = (document, document.version, view)
        return view


@dataclass(frozen=True)
class Asked:
    """Everything that a search needs, as it was when it was asked for.

    :param views: the open documents of the session, the one with the cursor first.
    :param paths: the paths of these documents in the repository.
    :param line: the cursor's, from 0. :param at_end: whether nothing stands behind the cursor on its line.
    :ivar searched: how many places and files the search tried, and how many it left out.
    """

    state: SessionEdits
    session: Session
    edits: tuple[PastEdit, ...]
    views: tuple[View, ...]
    paths: frozenset[str]
    line: int
    at_end: bool
    searched: Counter[str] = field(default_factory=Counter, compare=False)

    def same(self, other: "Asked") -> bool:
        """Whether another search would look at the same texts with the same edits, and find the same."""
        views = len(self.views) == len(other.views) and all(map(is_, self.views, other.views))
        return views and self.state is other.state and self.edits == other.edits and self._place == other._place

    @property
    def _place(self) -> tuple[int, bool] | None:
        """What counts of the cursor: nothing on a line that was edited, for which there is no offer."""
        return None if self.line in self.views[0].edited else (self.line, self.at_end)


def next_edit(asked: Asked, stopped: Callable[[], bool], judge: Judge | None = None) -> tuple[bool, Offer | None]:
    """Return whether the search came to its end, and the offer: at the cursor, else elsewhere, else in another file.

    :param judge: the probability of proposals; by default the one that Ondol ships.
    """
    asked = without_secrets(asked)
    search = search_of(asked, stopped, judge)
    view = asked.views[0]
    offer = search.here(view, asked.line)
    if offer is not None and asked.at_end and offer.new.startswith(offer.old.rstrip()) and "\n" not in offer.new:
        offer = None  # text behind the cursor is the completion's
    offer = offer or search.elsewhere(view, asked.line)
    offer = offer or search.other_file(other_files(asked, search, stopped))
    if offer is not None and _hides(offer):
        offer = None  # nobody would see what is accepted
    return not stopped() or offer is not None, offer


def _hides(offer: Offer) -> bool:
    """Whether an offer brings characters that nobody would see."""
    return offer.new != GONE and bool(hidden_in(offer.new) - hidden_in(offer.old))


def all_places(asked: Asked, stopped: Callable[[], bool]) -> dict[str, list[Offer]]:
    """Return the places of the newest edit by document, in the order of their lines."""
    asked = without_secrets(asked)
    search = search_of(asked, stopped, None)
    if not search.history or not asked.edits or search.history[-1].step != asked.edits[-1].step:
        return {}
    found: dict[str, list[Offer]] = {}
    others = (there.view for there in other_files(asked, search, stopped))
    for number, view in enumerate((asked.views[0], *others)):
        offers = all_of_newest(search, view, OTHER_FILE if number else ELSEWHERE, LEAST_LISTED)
        kept = _once(offer for offer in offers if not _hides(offer))
        if kept:
            found[view.uri] = sorted(kept, key=lambda offer: offer.line)
        if sum(map(len, found.values())) >= LISTED:
            break
    return found


def _once(offers: Iterable[Offer]) -> list[Offer]:
    """Return the offers without those that insert the same lines between the same two lines as a more probable one.

    The line above may say that they belong below it, and the line below that they belong above it.
    """
    best: dict[tuple[int, tuple[str, ...]], Offer] = {}
    for offer in offers:
        lines = tuple(line.strip() for line in offer.new.split("\n"))
        key = offer.line, lines
        if offer.new.startswith(f"{offer.old}\n"):
            key = offer.line + 1, lines[1:]
        elif offer.new.endswith(f"\n{offer.old}"):
            key = offer.line, lines[:-1]
        if key not in best or best[key].probability < offer.probability:
            best[key] = offer
    return list(best.values())


def search_of(asked: Asked, stopped: Callable[[], bool], judge: Judge | None = None) -> Search:
    """Return the search for what was asked."""
    asked.searched.clear()
    history, refusals = asked.state.history.lines(asked.edits), asked.state.refusals
    return Search(judge or shipped(), history, refusals, stopped, asked.searched)


def other_files(asked: Asked, search: Search, stopped: Callable[[], bool]) -> Iterator[OtherFile]:
    """Yield the other open documents, then files of the repository that hold what the newest edits changed."""
    yield from map(OtherFile, asked.views[1:])
    from lsp_server.server.masked_documents import blank_secret_lines

    index = asked.session.index
    if index is None:
        return
    found = places.in_repository(index, search.history, asked.paths.__contains__)
    for number, path in enumerate(found):
        if stopped() or number >= FILES:
            return
        document = index.document(path)
        if document is not None:
            text = blank_secret_lines(index.text(document))
            yield OtherFile(View.of(path, text, frozenset(), TextSearch()), number, len(found))


def without_secrets(asked: Asked) -> Asked:
    """Return the same without edits that hold a secret; lines with a secret are empty."""
    from lsp_server.server.masked_documents import holds_secret

    session = asked.session

    @cache
    def path(uri: str) -> str:
        """The path of a document; asking the disk for each of 200 edits took as long as the search itself."""
        return session.relative(path_of(uri)) or path_of(uri) or uri if uri else ""

    def clean(edit: PastEdit) -> PastEdit | None:
        """The edit, without the lines around it if these hold a secret; None if it does itself."""
        name = path(edit.document)
        if not holds_secret((*edit.above, *edit.old, *edit.new, *edit.below), name):
            return edit
        return None if holds_secret((*edit.old, *edit.new), name) else edit.alone()

    edits = tuple(edit for edit in map(clean, asked.edits) if edit is not None)
    views = []
    for view in asked.views:
        text = session.cover.without_secret_lines(view.uri, path(view.uri), view.text)
        views.append(view if text == view.text else View(view.uri, text, view.edited, view.kept))
    return replace(asked, edits=edits, views=tuple(views))
