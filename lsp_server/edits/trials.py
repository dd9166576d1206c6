"""How well the edits so far foretold each other: the rules behind a proposal, tried on the lines changed before."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from lsp_server.edits.changed_lines import is_block
from lsp_server.edits.proposals import Evidence, Taught, once
from lsp_server.edits.rules import KINDS

TRIED_SOURCES: Final = 4
"""Edits that agree on a text and are tried on earlier lines, the newest."""

TRIED_ON: Final = 16
"""Earlier changed lines that an edit is tried on, the newest."""

FORESEEN: Final = 8
"""Changed lines of which the share that older ones foretold is counted, the newest."""

NAMES: Final = ("held", "failed", "failed_narrow", "held_share", "confirmed", "confirmed_share")
"""What :meth:`Trials.of` counts."""

_Source = tuple[int, frozenset[str]]
"""An edit by its age, and the kinds of its rules that agree."""

_NARROWNESS: Final = {kind: number for number, kind in enumerate(sorted(KINDS, key=lambda kind: kind[-2:]))}


class Trials:
    """The rules of the edits so far, tried on the lines that other edits changed.

    :ivar recent: the changed lines, the newest first.
    """

    def __init__(self, history: Sequence[Taught]) -> None:
        self.recent = list(reversed(history))
        self._known: dict[_Source, _Trial] = {}
        self._of: dict[tuple[_Source, ...], tuple[float, ...]] = {}

    def of(self, evidence: Evidence) -> tuple[float, ...]:
        """Return how often the rules that agree would have been right and wrong about earlier changed lines.

        The first two numbers take the rules of an edit together, the third counts wrong texts of its narrowest one,
        the fourth is the share of right ones. The last two are for the one kind of rule that did best: how often it
        was right, if it was never wrong, and its share of right ones.
        """
        sources = tuple(
            (age, frozenset(kind for kind, edits in evidence.kinds.items() if age in edits))
            for age in sorted(evidence.edits)[:TRIED_SOURCES]
        )
        found = self._of.get(sources)
        if found is None:
            found = self._of[sources] = self._together(sources)
        return found

    def _together(self, sources: Sequence["_Source"]) -> tuple[float, ...]:
        held = failed = failed_narrow = 0
        right_by: Counter[str] = Counter()
        wrong_by: Counter[str] = Counter()
        for age, kinds in sources:
            trial = self._known.get((age, kinds))
            if trial is None:
                trial = self._known[age, kinds] = self._tried(self.recent[age], kinds)
            held += trial.held
            failed += trial.failed
            failed_narrow += trial.failed_narrow
            right_by.update(trial.right_by)
            wrong_by.update(trial.wrong_by)
        confirmed = max((times for kind, times in right_by.items() if kind not in wrong_by), default=0)
        share = max((times / (times + wrong_by[kind] + 1) for kind, times in right_by.items()), default=0.0)
        overall = held / (held + failed) if held + failed else -1.0
        return float(held), float(failed), float(failed_narrow), overall, float(confirmed), share

    def _tried(self, source: Taught, kinds: frozenset[str]) -> "_Trial":
        """Try the rules of an edit, of these kinds, on the newest lines."""
        narrow = max(kinds, key=_NARROWNESS.__getitem__)
        found = _Trial()
        for other in self.recent[:TRIED_ON]:
            told = source.lesson.comparable(other.lesson, kinds)
            if not told or (other.lesson is source.lesson and not _twins(source, other)):
                continue
            all_right, all_wrong = source.lesson.tried(other.lesson.old_text, other.lesson.new_text)
            right, wrong = all_right & told, all_wrong & told
            found.held += bool(right)
            found.failed += bool(wrong) and not right
            found.failed_narrow += narrow in wrong
            for kind in right:
                found.right_by[kind] += 1
            for kind in wrong - right:
                found.wrong_by[kind] += 1
        return found


def _twins(one: Taught, other: Taught) -> bool:
    """Whether two edits that made the same of the same line are two of inserted or deleted lines.

    Such lines often stand next to the same line, so nothing else could show that the two edits agree. Replaced lines
    are left out, as in the evidence that the trees were fitted on: with them fewer offers were right.
    """
    return is_block(one.lesson.new_text) and one.step != other.step


@dataclass(slots=True)
class _Trial:
    """How the rules of one edit did."""

    held: int = 0
    failed: int = 0
    failed_narrow: int = 0
    right_by: Counter[str] = field(default_factory=Counter)
    wrong_by: Counter[str] = field(default_factory=Counter)


def foreseen(history: Sequence[Taught]) -> float:
    """Return the share of the newest changed lines of which an older one makes exactly what they became.

    :param history: the newest last. :returns: -1 with fewer than two of them.
    """
    recent = once(history)[::-1]
    told = [
        any(
            older.lesson.tried(line.lesson.old_text, line.lesson.new_text)[0]
            for older in recent[number + 1 : number + 1 + TRIED_ON]
        )
        for number, line in enumerate(recent[:FORESEEN])
        if number + 1 < len(recent)
    ]
    return sum(told) / len(told) if told else -1.0
