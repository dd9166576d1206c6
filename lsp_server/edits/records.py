"""How a proposal compares with the edits so far, and how the kinds of evidence did among them.

Each of the newest edits is tried on those made after it: a kind of evidence that was right about these is likely to be
right again. An edit that made the same of another line, token by token, says more than a rule that only applies.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Final

from lsp_server.edits.changed_lines import GONE
from lsp_server.edits.lessons import Lesson
from lsp_server.edits.token_lines import parse

COMPARED: Final = 40
"""Changed lines that a proposal is compared with, the newest."""

TRIED: Final = 12
"""Changed lines that older ones are tried on, and older ones that are tried on each."""

OLDEST: Final = 24
"""Changed lines that are looked at for that, the newest."""

NEVER: Final = 99.0

NAMES: Final = ("same", "same_age", "same_of_gone", "kinds_right", "kinds_wrong", "kind_best", "kind_worst")
"""What :meth:`Records.of` counts."""

_Change = tuple[frozenset[tuple[str, int]], frozenset[tuple[str, int]]]
"""How often each token goes and comes."""


class Records:
    """Counts for one search.

    :param lessons: of the changed lines, the newest first.
    """

    def __init__(self, lessons: Sequence[Lesson]) -> None:
        changes = [_change(one.old_text, one.new_text) for one in lessons[:COMPARED]]
        self._ages: dict[_Change, list[int]] = {}
        for age, change in enumerate(changes):
            self._ages.setdefault(change, []).append(age)
        self._gone = Counter(gone for gone, _ in changes)
        self._right: Counter[str] = Counter()
        self._wrong: Counter[str] = Counter()
        known = lessons[:OLDEST]
        for number, line in enumerate(known[:TRIED], 1):
            for older in known[number : number + TRIED]:
                if older is not line:
                    right, wrong = older.tried(line.old_text, line.new_text)
                    for kind in right:
                        self._right[kind] += 1
                    for kind in wrong - right:
                        self._wrong[kind] += 1

    def of(self, line: str, text: str, kinds: Collection[str]) -> tuple[float, ...]:
        """Return the numbers of a proposal.

        These are: edits that made the same of a line, token by token; the age of the newest of them; their share of the
        edits that took the same tokens away; how often the kinds of its evidence were right, and wrong, about earlier
        changed lines; the shares of right ones of the best kind and of the worst.
        """
        change = _change(line, text)
        ages = self._ages.get(change, [])
        shares = [(self._right[kind] + 0.5) / (self._right[kind] + self._wrong[kind] + 1) for kind in kinds]
        return (
            float(len(ages)),
            float(ages[0]) if ages else NEVER,
            len(ages) / max(1, self._gone[change[0]]),
            float(sum(self._right[kind] for kind in kinds)),
            float(sum(self._wrong[kind] for kind in kinds)),
            max(shares, default=0.0),
            min(shares, default=0.0),
        )


@lru_cache(4_096)
def _change(old: str, new: str) -> _Change:
    before, after = Counter(parse(old).texts), Counter(parse("" if new == GONE else new).texts)
    return frozenset((before - after).items()), frozenset((after - before).items())
