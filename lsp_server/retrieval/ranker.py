"""The retrieval-only completer: places of like code become candidates, a small forest of trees ranks them.

It needs no language model: what it proposes stands somewhere in the document, in other open documents or in the
repository. ``engine`` decides what of it is shown.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from indexer.text.lines import lines_of
from lsp_server.retrieval import fit_line
from lsp_server.retrieval.cursor import Scene, SceneCache, Side
from lsp_server.retrieval.match_finder import NOTHING_FOUND, OPEN_DOCUMENTS, Finder, Found, Memory, look_up
from lsp_server.retrieval.matches import Origins, Places, joined
from lsp_server.retrieval.ranker_features import Candidates, gather, set_paths
from lsp_server.retrieval.removed_lines import Earlier, earlier
from lsp_server.retrieval.renamed_copies import rename
from lsp_server.retrieval.series import fill
from lsp_server.retrieval.trees import Forest
from lsp_server.types import Document

if TYPE_CHECKING:
    from indexer.storage.reader import Index

RANKER: Final = Path(__file__).parents[1] / "data" / "ranker.json"

TEXTS: Final = 8
"""Distinct texts that are spelled out at most."""

SPELLED: Final = 40
"""Candidates whose texts are looked at for that."""


@dataclass(frozen=True, eq=False)
class Option:
    """A continuation of the line, with its evidence.

    :param text: from the cursor to the end of the line. :param score: the ranker's, in log-odds of being right.
    :param evidence: the row of ``evidence.FEATURES``. :param candidate: number among the ``Ranked.candidates``.
    :param place: number of the place it is copied from.
    """

    text: str
    score: float
    evidence: NDArray[np.float64]
    candidate: int
    place: int


@dataclass(frozen=True, eq=False)
class Gathered:
    """Candidates at a cursor.

    :param rests: for places with other names, by number: the text behind the token before them.
    """

    scene: Scene
    places: Places
    rests: dict[int, str]
    candidates: Candidates
    origins: Origins

    def text(self, candidate: int) -> str | None:
        """What of a candidate is still to be written; None if it does not continue the line here."""
        place = int(self.candidates.best[candidate])
        rest = self.rests.get(place)
        if rest is None:
            origin = self.origins.origin(int(self.places.origin[place]))
            rest = origin.rest_of_line(int(self.places.line[place]), int(self.places.token[place]))
        partial = self.scene.readings[int(self.places.reading[place])].partial
        text = fit_line.continuation(rest, self.scene.prefix, partial)
        return self.scene.columns.set(self.scene.prefix, text) if text else text


@dataclass(frozen=True, eq=False)
class Ranked:
    """What was found for a cursor, best first.

    :param ends: the score of the line ending at the cursor, or None if nothing suggests that.
    """

    scene: Scene
    options: tuple[Option, ...]
    ends: float | None
    places: Places
    candidates: Candidates
    origins: Origins


class Retrieval:
    """Finds and ranks continuations; keeps what typing in a line leaves alone. For one thread."""

    def __init__(self, forest: Forest | None) -> None:
        self._forest = forest
        self._scenes = SceneCache()
        self._open: OrderedDict[str, Document] = OrderedDict()
        self._sides: dict[str, tuple[str, Side]] = {}
        self._opened: dict[str, list[str]] = {}
        self._earlier: tuple[object, Earlier | None] = (None, None)
        self._memory = Memory()
        self._index: Index | None = None
        self._found: tuple[object, Found] = (None, NOTHING_FOUND)

    def set_index(self, index: "Index | None") -> None:
        """Uses another generation from now on."""
        self._index = index
        self._memory = Memory()
        self._found = (None, NOTHING_FOUND)

    def update(self, document: Document) -> None:
        """A document was opened or changed."""
        if document.uri not in self._opened:
            self._opened[document.uri] = _lines(document.text)
        self._open[document.uri] = document
        self._open.move_to_end(document.uri)

    def close(self, uri: str) -> None:
        """A document was closed: its indexed form counts again."""
        self._open.pop(uri, None)
        self._sides.pop(uri, None)
        self._opened.pop(uri, None)
        self._scenes.forget(uri)

    def rank(self, document: Document, offset: int, cancelled: Callable[[], bool]) -> Ranked | None:
        """The continuations at a cursor; None if there are none, or when cancelled."""
        gathered = self.gather(document, offset, cancelled)
        if gathered is None or cancelled():
            return None
        rows = gathered.candidates.rows
        scores = self._forest.scores(rows) if self._forest else -np.arange(len(rows), dtype=np.float64)
        return _spell(gathered, scores)

    def gather(self, document: Document, offset: int, cancelled: Callable[[], bool]) -> "Gathered | None":
        """The candidates at a cursor with their evidence, not yet ranked; None if there are none, or when cancelled."""
        scene = self._scenes.scene(document, offset)
        others = self._others(document.uri)
        hidden = frozenset(one.path for one in self._open.values() if one.path) | {document.path or ""}
        if cancelled():
            return None
        found = self._look_up(scene, hidden)
        if cancelled():
            return None
        finder = Finder(scene, self._index, found, others, hidden, self._memory, self._gone(scene))
        places = finder.find()
        if cancelled():
            return None
        patterns = rename(scene, places, finder.origins) if places is not None else None
        rests: dict[int, str] = {}
        for made in (patterns, fill(scene)):
            if made is not None:
                rests |= dict(enumerate(made.rests, len(places) if places is not None else 0))
                places = joined(places, made.places) if places is not None else made.places
        if places is None:
            return None
        candidates = gather(scene, places, found.pairs)
        set_paths(candidates, places, document.path or "", finder.origins.paths)
        return Gathered(scene, places, rests, candidates, finder.origins)

    def _others(self, uri: str) -> list[tuple[str, Side]]:
        """The most recently changed other open documents, lexed."""
        recent = [one for one in reversed(self._open.values()) if one.uri != uri][:OPEN_DOCUMENTS]
        for one in recent:
            if one.uri not in self._sides or self._sides[one.uri][0] != one.text:
                self._sides[one.uri] = (one.text, Side(one.text))
        return [(one.path or one.uri.rsplit("/", 1)[-1], self._sides[one.uri][1]) for one in recent]

    def _gone(self, scene: Scene) -> Earlier | None:
        """The lines that the document had when it was opened and has no longer; kept while one types in a line."""
        frame = scene.frame
        if self._earlier[0] is not frame:
            opened = self._opened.get(scene.document.uri)
            self._earlier = (frame, earlier(opened, frame.before.lines, frame.after.lines) if opened else None)
        return self._earlier[1]

    def _look_up(self, scene: Scene, hidden: frozenset[str]) -> Found:
        if self._index is None:
            return NOTHING_FOUND
        key = (scene.frame, self._index.generation, hidden)
        if self._found[0] != key:
            self._found = (key, look_up(scene, self._index, hidden))
        return self._found[1]


def _lines(text: str) -> list[str]:
    lines = lines_of(text)
    return lines[:-1] if lines and not lines[-1] else lines


def load_forest(path: Path = RANKER) -> Forest:
    """The ranker that is shipped, checked against the features that this version computes.

    :raises ValueError: it was fitted for others.
    """
    from lsp_server.retrieval.ranker_features import FEATURES

    forest = Forest.load(path)
    if forest.names != FEATURES:
        raise ValueError(f"{path.name} was fitted for other features; run scripts/fit_ranker.py")
    return forest


def _spell(gathered: Gathered, scores: NDArray[np.float64]) -> Ranked:
    """The best candidates' texts, each once."""
    options: list[Option] = []
    seen: set[str] = set()
    ends: float | None = None
    candidates = gathered.candidates
    for number in np.argsort(-scores, kind="stable")[:SPELLED].tolist():
        text = gathered.text(number)
        score = float(scores[number])
        if text == "":
            ends = score if ends is None else ends
        elif text is not None and text not in seen:
            seen.add(text)
            options.append(Option(text, score, candidates.rows[number], number, int(candidates.best[number])))
            if len(options) == TEXTS:
                break
    return Ranked(gathered.scene, tuple(options), ends, gathered.places, candidates, gathered.origins)
