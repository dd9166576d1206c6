"""Replay cases: the cursors at which authors went on, taken from the commits of a repository.

A case is a document as it stood while its author was typing one line of a commit: the file before the commit, the lines
of the same hunk that come before the cursor, the typed part of the line, and the old text after it. A hunk that takes
the place of old lines is typed over them, line by line: the new line number n stands where the old line number n was,
so the old form of the line itself is gone and later old lines are still there. Nothing else of the commit is in it.
What the author then wrote is the reference.

This module chooses; it neither completes nor scores, and it knows no index.
"""

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from finetune.commits.line_kinds import Natures
from finetune.commits.moved_lines import Moves
from finetune.commits.windows import Edit
from indexer.languages.grammars import language_of
from indexer.repository.history import Hunk
from indexer.text.lines import lines_of
from indexer.text.tokens import TOKEN

KINDS: Final = ("start", "third", "half", "boundary", "inside")
"""Where in a line the cursor stands: after the indentation; after a third or half of the tokens; at any border of two
tokens; within an identifier."""

LINES_PER_FILE: Final = 20
"""Lines at most from one file of one commit, so that one big commit does not decide the result."""

MINIMUM_WORD: Final = 4
"""Letters that an identifier must have for a cursor to be put within it."""

_WORTH_PREDICTING: Final = re.compile(r"\w")
_NOT_BLANK: Final = re.compile(r"\S")


@dataclass(frozen=True, slots=True)
class Case:
    """One cursor of the past.

    :param text: the document while the author typed; ``offset`` is the cursor in code points.
    :param rest: what the author wrote from the cursor to the end of the line, without blanks at its end.
    :param following: the lines that the author added right after this one in the same hunk.
    :param nature: of the line: code, comment or text; see ``nature``.
    :param moved: whether the line belongs to a block that was moved rather than written; see ``moves``.
    :param opened: the document before the commit, as the author's editor had opened it.
    """

    commit: str
    path: str
    kind: str
    line: int
    text: str
    offset: int
    rest: str
    following: tuple[str, ...]
    moved: bool
    nature: str = "code"
    opened: str = ""


def choose(edits: Iterable[Edit], per_kind: dict[str, int], seed: int, *, every: bool = False) -> list[Case]:
    """Draws cases from edits.

    :param per_kind: how many cases of each of ``KINDS`` at most; moved lines are counted apart, so there may be as
        many of them on top.
    :param seed: of the draw; the same edits and seed give the same cases.
    :param every: whatever a commit adds: lines without a letter or digit too, and moved lines as if they were written.
    """
    edits = list(edits)
    asked = _NOT_BLANK if every else _WORTH_PREDICTING
    rng = random.Random(seed)
    spots: list[tuple[int, Hunk, int, str]] = []
    for place, edit in enumerate(edits):
        lines = lines_of(edit.new_text)
        here = [
            (place, hunk, number, lines[number])
            for hunk in edit.change.hunks
            for number in range(hunk.new_start, min(hunk.new_start + hunk.new_count, len(lines)))
            if asked.search(lines[number])
        ]
        if len(here) > LINES_PER_FILE:
            here = sorted(rng.sample(here, LINES_PER_FILE), key=lambda spot: spot[2])
        spots += here
    rng.shuffle(spots)
    moved_lines = set() if every else _moved_lines(edits)
    wanted = dict(per_kind)
    wanted_moved = dict(per_kind)
    natures: dict[int, Natures] = {}
    cases = []
    for place, hunk, number, line in spots:
        if not any(count > 0 for count in wanted.values()):
            break
        edit = edits[place]
        moved = (place, number) in moved_lines
        open_to = wanted_moved if moved else wanted
        # The kind that is furthest behind its number goes first, so that the kinds share the lines evenly.
        open_kinds = [kind for kind in KINDS if open_to.get(kind, 0) > 0]
        for kind in sorted(open_kinds, key=lambda k: -open_to[k] / per_kind[k]):
            column = _column(line, kind, rng)
            if column is not None:
                open_to[kind] -= 1
                if place not in natures:
                    natures[place] = Natures(edit.new_text, language_of(edit.change.path))
                cases.append(_case(edit, hunk, number, kind, column, natures[place].of(number), moved))
                break
    return cases


def _moved_lines(edits: Sequence[Edit]) -> set[tuple[int, int]]:
    """The added lines that were moved rather than written, as the edit's place in the list and the line's number."""
    runs: dict[str, list[list[str]]] = defaultdict(list)
    gone: dict[str, frozenset[str]] = defaultdict(frozenset)
    for edit in edits:
        old = lines_of(edit.old_text)
        runs[edit.commit.id] += [old[h.old_start : h.old_start + h.old_count] for h in edit.change.hunks]
        gone[edit.commit.id] |= edit.gone
    moves = {commit: Moves([*found, *([line] for line in gone[commit])]) for commit, found in runs.items()}
    moved = set()
    for place, edit in enumerate(edits):
        new = lines_of(edit.new_text)
        for hunk in edit.change.hunks:
            lines = new[hunk.new_start : hunk.new_start + hunk.new_count]
            told = moves[edit.commit.id].moved(lines)
            moved |= {(place, hunk.new_start + row) for row, one in enumerate(told) if one}
    return moved


def _column(line: str, kind: str, rng: random.Random) -> int | None:
    """Where a cursor of a kind stands in a line, or None if the line has no such place."""
    body = line.rstrip()
    start = len(body) - len(body.lstrip())
    if kind == "start":
        return start
    ends = [match.end() for match in TOKEN.finditer(body)]
    if kind == "inside":
        words = [m for m in re.finditer(r"[^\W\d]\w*", body) if m.end() - m.start() >= MINIMUM_WORD]
        if not words:
            return None
        word = rng.choice(words)
        return rng.randrange(word.start() + 1, word.end())
    if len(ends) < 3:
        return None
    if kind == "boundary":
        return rng.choice(ends[:-1])
    part = 3 if kind == "third" else 2
    column = ends[max(1, round(len(ends) / part)) - 1]
    return _past_blank(body, column, rng)


def _past_blank(body: str, column: int, rng: random.Random) -> int:
    """Half of the time behind the blank that follows: people pause on either side of it."""
    if body[column : column + 1] == " " and rng.random() < 0.5:
        return column + 1
    return column


def _case(edit: Edit, hunk: Hunk, number: int, kind: str, column: int, nature: str, moved: bool) -> Case:
    old = lines_of(edit.old_text)
    new = lines_of(edit.new_text)
    line = new[number]
    before = old[: hunk.old_start] + new[hunk.new_start : number]
    typed_over = min(number - hunk.new_start + 1, hunk.old_count)
    after = old[hunk.old_start + typed_over :]
    head = "".join(text + "\n" for text in before) + line[:column]
    text = head + "\n" + "\n".join(after)
    return Case(
        commit=edit.commit.id,
        path=edit.change.path,
        kind=kind,
        line=len(before),
        text=text,
        offset=len(head),
        rest=line[column:].rstrip(),
        following=tuple(new[number + 1 : hunk.new_start + hunk.new_count]),
        nature=nature,
        moved=moved,
        opened=edit.old_text,
    )
