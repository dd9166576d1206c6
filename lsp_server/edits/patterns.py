"""The patterns that the newest edits have in common, put to use: what they make of lines, and where they speak against.

A line that such a pattern fits is one that the user is likely to change too. Where the edits behind a proposal have a
pattern, and the line does not fit it, something is missing that all of them had.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Final

from lsp_server.edits.changed_lines import GONE, is_block
from lsp_server.edits.joint import NEWEST, Joint, joints
from lsp_server.edits.lessons import BELOW, LINE, Lesson
from lsp_server.edits.places import LISTED
from lsp_server.edits.proposals import Evidence, Taught, sound
from lsp_server.edits.token_lines import TokenLine, is_name, is_word, parse
from lsp_server.edits.views import View

NEAREST: Final = 2
"""Places that a pattern of the newest edit fits which are tried, the nearest ones."""

LAID: Final = 8
"""Lines with all tokens of a pattern over which it is laid, the nearest ones."""


class Patterns:
    """The patterns of the newest edits.

    :param history: changed lines, the newest last.
    """

    def __init__(self, history: Sequence[Taught]) -> None:
        self._history = history

    @cached_property
    def _found(self) -> list[tuple[Joint, tuple[int, ...]]]:
        """The patterns with a name in them, with the ages of the edits that they make."""
        found = []
        for side in (LINE, BELOW):
            newest: dict[int, int] = {}
            for age, source in enumerate(reversed(self._history)):
                if source.lesson.side == side and len(newest) < NEWEST:
                    newest.setdefault(source.step, age)
            ages = list(newest.values())
            lessons = tuple(self._history[-1 - age].lesson for age in ages)
            named = [(made, right) for made, right in joints(lessons) if made.named]
            found += [(made, tuple(ages[number] for number in right)) for made, right in named]
        return found

    def add(self, found: dict[str, Evidence], line: str) -> None:
        """Add what the patterns make of a line to its proposals."""
        for pattern, ages in self._found:
            text = pattern.apply(line)
            if text is not None and text != line and sound(line, text, (pattern.first, pattern.second)):
                evidence = found.setdefault(text, Evidence())
                evidence.joint = max(evidence.joint, len(ages))
                for age in ages:
                    if age not in evidence.edits:
                        evidence.add("gone_like" if text == GONE else "analogy", age, 1, pattern.holes)

    def lines(self, view: View, last: int) -> set[int]:
        """Return the lines of a document next to the newest edit that a pattern of it changes.

        :param last: the line of that edit.
        """
        return {line for pattern, ages in self._found if 0 in ages for line in _nearest(view, last, pattern)}

    def every_line(self, view: View) -> set[int]:
        """Return all lines of a document that a pattern of the newest edit changes, for a list; at most ``LISTED``."""
        found: set[int] = set()
        for pattern, ages in self._found:
            if 0 in ages:
                found.update(islice(_fitting(view, pattern, sorted(_holding(view, pattern))), LISTED))
        return found


def _nearest(view: View, last: int, pattern: Joint) -> list[int]:
    nearest = sorted(_holding(view, pattern), key=lambda line: abs(line - last))[:LAID]
    return list(islice(_fitting(view, pattern, nearest), NEAREST))


def _holding(view: View, pattern: Joint) -> set[int]:
    return set(view.all_sites(frozenset(filter(str.strip, pattern.literals)))) - view.edited


def _fitting(view: View, pattern: Joint, lines: Sequence[int]) -> Iterator[int]:
    """Yield those of some lines that a pattern changes."""
    for line in lines:
        text = pattern.apply(view.lines[line])
        if text is not None and text != view.lines[line]:
            yield line


def misfit(line: str, text: str, lessons: tuple[Lesson, ...]) -> int:
    """Return how many edits behind a text have something in common that the line lacks; 0 where it lacks nothing.

    That is a pattern that the line does not fit. Where a text only brings words or lines, it is a name or a ``=`` too:
    where ``public`` came before three ``fun``, or ``#[inline]`` above three ``fn``, a ``return`` lacks that, and so
    does ``end if;`` where ``after 1 ns`` came behind three ``a <= b``. What the newest edits share by chance is nothing
    that those before them have, and does not count.

    :param lessons: of the edits that propose the text, the newest of each, the newest first.
    """
    found = joints(lessons)
    if any(pattern.apply(line) == text for pattern, _ in found):
        return 0
    common = (
        len(right)
        for pattern, right in found
        if all(pattern.apply(one.old_text) == one.new_text for one in lessons[NEWEST:])
    )
    target, lacks = parse(line), 0
    if brings_words(target, text) or (is_block(text) and text != GONE):
        shared = frozenset.intersection(*(one.words for one in lessons))
        lacks = 0 if target.words >= {text for text in shared if _tells(text)} else len(lessons)
    return max(lacks, *common, 0)


def _tells(text: str) -> bool:
    return text == "=" or is_name(text)


def renames_alone(line: str, text: str, lessons: Sequence[Lesson]) -> bool:
    """Whether a text gives names of a line other ones, as some of the edits did to the same names, and nothing else.

    Such names may stand in anything: four imports that were renamed say nothing against their uses. Where all edits
    replaced the same name, what else they have in common may belong to it. At the cursor 11 of 11 texts of both kinds
    were right where a pattern of three edits speaks against the line (role ``edits-before``).
    """
    before, after = parse(line).texts, parse(text).texts
    names = {pair for one in lessons for pair in one.names}
    changed = {pair for pair in zip(before, after, strict=False) if pair[0] != pair[1]}
    if len(before) != len(after) or not changed <= names or {old for old, _ in names} & {*after}:
        return False
    return not all(changed <= {*one.names} for one in lessons)


def brings_words(line: TokenLine, text: str) -> bool:
    """Whether a text leaves all tokens of its line and brings words; lines that are inserted are left out."""
    if is_block(text):
        return False
    before, after = Counter(line.texts), Counter(parse(text).texts)
    return not before - after and any(map(is_word, after - before))
