"""Draws replay cases from the commits of a repository: cursors at which an author continued to type.

A case is a document as it was while its author typed one line of a commit: the file before the commit, the lines of the
same hunk before the cursor, the typed part of the line, and the old text after it. A hunk that replaces old lines
overwrites them line by line: new line n replaces old line n, and later old lines are still there. The document holds
nothing else of the commit. The text that the author wrote next is the reference.
"""

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from finetune.commits.line_kinds import LineKinds
from finetune.commits.moved_lines import MovedLines
from finetune.commits.windows import Edit
from indexer.languages.grammars import language_of
from indexer.repository.history import Hunk
from indexer.text.lines import lines_of
from indexer.text.tokens import TOKEN

KINDS: Final = ("start", "third", "half", "boundary", "inside")
"""Where in its line the cursor is: after the indentation; after a third or half of the tokens; at any boundary between
tokens; inside an identifier."""

LINES_PER_FILE: Final = 20
"""Lines that are drawn from one file of one commit, at most, so that no large commit dominates the result."""

MINIMUM_WORD: Final = 4
"""Minimum length of an identifier that a cursor is put into."""

_WORTH_PREDICTING: Final = re.compile(r"\w")
_NOT_BLANK: Final = re.compile(r"\S")


@dataclass(frozen=True, slots=True)
class Case:
    """One cursor of a past edit.

    :param kind: one of ``KINDS``.
    :param text: the document while the author typed; ``offset`` is the cursor in code points.
    :param rest: the text from the cursor to the end of the line that the author wrote, without trailing blanks.
    :param following: the lines that the author added right after this one in the same hunk.
    :param moved: whether the line was moved rather than written, see ``moved_lines``.
    :param line_kind: ``code``, ``comment`` or ``text``, see ``line_kinds``.
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
    line_kind: str = "code"
    opened: str = ""


def choose(
    edits: Iterable[Edit], per_kind: dict[str, int], seed: int, *, every: bool = False, append: bool = False
) -> list[Case]:
    """Draw cases from edits.

    :param per_kind: kind -> number of cases, at most. Moved lines are counted separately, so there may be as many of
        them in addition.
    :param seed: the same edits and seed give the same cases.
    :param every: also draw lines without a letter or digit, and draw moved lines as if they were written.
    :param append: the documents end at the cursor, and of new files the first lines are drawn.
    """
    edits = list(edits)
    rng = random.Random(seed)
    lines = _added_lines(edits, _NOT_BLANK if every else _WORTH_PREDICTING, rng, append)
    rng.shuffle(lines)
    moved = set() if every else moved_lines(edits)
    missing = dict(per_kind)
    missing_moved = dict(per_kind)
    line_kinds: dict[int, LineKinds] = {}
    cases = []
    for at, hunk, number, line in lines:
        if not any(count > 0 for count in missing.values()):
            break
        edit = edits[at]
        is_moved = (at, number) in moved
        left = missing_moved if is_moved else missing
        # The kind with the largest missing share goes first, so that all kinds get a fair part of the lines.
        open_kinds = [kind for kind in KINDS if left.get(kind, 0) > 0]
        for kind in sorted(open_kinds, key=lambda k: -left[k] / per_kind[k]):
            column = _column(line, kind, rng)
            if column is not None:
                left[kind] -= 1
                if at not in line_kinds:
                    line_kinds[at] = LineKinds(edit.new_text, language_of(edit.change.path))
                case = _case(edit, hunk, number, kind, column, line_kinds[at].of(number), is_moved)
                cases.append(_ended(case, edit, hunk) if append else case)
                break
    return cases


_AddedLine = tuple[int, Hunk, int, str]
"""Position of the edit in the list, hunk, number of the line in the new text, and the line."""


def _added_lines(
    edits: Sequence[Edit], pattern: re.Pattern[str], rng: random.Random, from_first: bool
) -> list[_AddedLine]:
    """Return the added lines that match a pattern, at most ``LINES_PER_FILE`` of each edit.

    :param from_first: of a new file, these are its first lines.
    """
    found: list[_AddedLine] = []
    for at, edit in enumerate(edits):
        lines = lines_of(edit.new_text)
        here = [
            (at, hunk, number, lines[number])
            for hunk in edit.change.hunks
            for number in range(hunk.new_start, min(hunk.new_start + hunk.new_count, len(lines)))
            if pattern.search(lines[number])
        ]
        if len(here) > LINES_PER_FILE:
            new = from_first and not edit.old_text
            here = here[:LINES_PER_FILE] if new else sorted(rng.sample(here, LINES_PER_FILE), key=lambda one: one[2])
        found += here
    return found


def moved_lines(edits: Sequence[Edit]) -> set[tuple[int, int]]:
    """Return the added lines that were moved, as (position of the edit, number of the line)."""
    runs: dict[str, list[list[str]]] = defaultdict(list)
    gone: dict[str, frozenset[str]] = defaultdict(frozenset)
    for edit in edits:
        old = lines_of(edit.old_text)
        runs[edit.commit.id] += [old[h.old_start : h.old_start + h.old_count] for h in edit.change.hunks]
        gone[edit.commit.id] |= edit.gone
    finders = {commit: MovedLines([*found, *([line] for line in gone[commit])]) for commit, found in runs.items()}
    moved = set()
    for at, edit in enumerate(edits):
        new = lines_of(edit.new_text)
        for hunk in edit.change.hunks:
            flags = finders[edit.commit.id].moved(new[hunk.new_start : hunk.new_start + hunk.new_count])
            moved |= {(at, hunk.new_start + row) for row, flag in enumerate(flags) if flag}
    return moved


def _column(line: str, kind: str, rng: random.Random) -> int | None:
    """Draw the column of a cursor of a kind; None if the line has no position of this kind."""
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
    """Move the column behind a following blank in half of the cases: people pause on either side of it."""
    if body[column : column + 1] == " " and rng.random() < 0.5:
        return column + 1
    return column


def _ended(case: Case, edit: Edit, hunk: Hunk) -> Case:
    """Return a case whose document ends at the cursor; it was opened without what the author had not written yet."""
    opened = "".join(line + "\n" for line in lines_of(edit.old_text)[: hunk.old_start])
    return replace(case, text=case.text[: case.offset], opened=opened)


def _case(edit: Edit, hunk: Hunk, number: int, kind: str, column: int, line_kind: str, moved: bool) -> Case:
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
        line_kind=line_kind,
        moved=moved,
        opened=edit.old_text,
    )
