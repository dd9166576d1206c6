"""How well the edits so far foretold each other: the rules behind a proposal, tried on the lines changed before."""

from collections.abc import Sequence
from typing import Final

from lsp_server.edits.proposals import Evidence, Taught
from lsp_server.edits.rules import KINDS

TRIED_SOURCES: Final = 4
"""Edits that agree on a text and are tried on earlier lines, the newest."""

TRIED_ON: Final = 16
"""Earlier changed lines that an edit is tried on, the newest."""

FORESEEN: Final = 8
"""Changed lines of which the share that older ones foretold is counted, the newest."""

NAMES: Final = ("held", "failed", "failed_narrow", "held_share", "confirmed", "confirmed_share")
"""What :func:`trials` counts."""

_NARROWNESS: Final = {kind: number for number, kind in enumerate(sorted(KINDS, key=lambda kind: kind[-2:]))}


def trials(evidence: Evidence, recent: Sequence[Taught]) -> tuple[float, ...]:
    """Return how often the rules that agree would have been right and wrong about earlier changed lines.

    The first two numbers take the rules of an edit together, the third counts wrong texts of its narrowest one, the
    fourth is the share of right ones. The last two are for the one kind of rule that did best: how often it was
    right, if it was never wrong, and its share of right ones.

    :param recent: the changed lines, the newest first.
    """
    held = failed = failed_narrow = 0
    right_by: dict[str, int] = {}
    wrong_by: dict[str, int] = {}
    for age in sorted(evidence.edits)[:TRIED_SOURCES]:
        source = recent[age]
        kinds = frozenset(kind for kind, edits in evidence.kinds.items() if age in edits)
        narrow = max(kinds, key=_NARROWNESS.__getitem__)
        for other in recent[:TRIED_ON]:
            if other.lesson is source.lesson:
                continue
            all_right, all_wrong = source.lesson.tried(other.lesson.old_text, other.lesson.new_text)
            right, wrong = all_right & kinds, all_wrong & kinds
            held += bool(right)
            failed += bool(wrong) and not right
            failed_narrow += narrow in wrong
            for kind in right:
                right_by[kind] = right_by.get(kind, 0) + 1
            for kind in wrong - right:
                wrong_by[kind] = wrong_by.get(kind, 0) + 1
    confirmed = max((times for kind, times in right_by.items() if kind not in wrong_by), default=0)
    share = max((times / (times + wrong_by.get(kind, 0) + 1) for kind, times in right_by.items()), default=0.0)
    overall = held / (held + failed) if held + failed else -1.0
    return float(held), float(failed), float(failed_narrow), overall, float(confirmed), share


def foreseen(history: Sequence[Taught]) -> float:
    """Return the share of the newest changed lines of which an older one makes exactly what they became.

    :param history: the newest last. :returns: -1 with fewer than two of them.
    """
    recent = list(reversed(history))
    told = [
        any(
            older.lesson.tried(line.lesson.old_text, line.lesson.new_text)[0]
            for older in recent[number + 1 : number + 1 + TRIED_ON]
        )
        for number, line in enumerate(recent[:FORESEEN])
        if number + 1 < len(recent)
    ]
    return sum(told) / len(told) if told else -1.0
