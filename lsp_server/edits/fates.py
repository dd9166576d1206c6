"""What became of each token in the lines that were changed: whether edits took it away, left it or brought it.

A text that leaves a token which every edit so far took away is seldom the whole change of its line, and one that
takes away a token which edits left is seldom a change that was meant.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from lsp_server.edits.lessons import Lesson
from lsp_server.edits.token_lines import is_word

COUNTED: Final = 40
"""Changed lines whose tokens are counted, the newest."""

LATELY: Final = 6
"""Changed lines of which the tokens that went are counted once more, the newest."""

NAMES: Final = ("stale", "stale_gone", "stale_lately", "spared", "gone_least", "come_least")
"""What :meth:`Fates.of` counts."""


class Fates:
    """Counts the fates of tokens.

    :param lessons: of the changed lines, the newest first.
    """

    def __init__(self, lessons: Sequence[Lesson]) -> None:
        self._removed: Counter[str] = Counter()
        self._kept: Counter[str] = Counter()
        self._came: Counter[str] = Counter()
        self._lately: set[str] = set()
        for age, lesson in enumerate(lessons[:COUNTED]):
            old, new = lesson.old.words, lesson.new.words
            self._removed.update(old - new)
            self._kept.update(old & new)
            self._came.update(new - old)
            if age < LATELY:
                self._lately |= old - new

    def of(self, before: frozenset[str], after: frozenset[str]) -> tuple[float, ...]:
        """Return the numbers of a proposal from the tokens of its line before and after.

        These are: words left that most edits with them took away; the share of such words of the line that go (-1
        without any); words left that one of the newest edits took away; the edits that left a token which goes, the
        most of any; the edits that took away a token which goes and those that brought one which comes, the fewest of
        any (-1 without any).
        """
        gone, come = before - after, after - before
        stale = {token for token in before if self._removed[token] > self._kept[token] and is_word(token)}
        left = stale & after
        return (
            float(len(left)),
            (len(stale) - len(left)) / len(stale) if stale else -1.0,
            float(sum(map(is_word, self._lately & before & after))),
            float(max((self._kept[token] for token in gone), default=0)),
            float(min((self._removed[token] for token in gone), default=-1)),
            float(min((self._came[token] for token in come), default=-1)),
        )
