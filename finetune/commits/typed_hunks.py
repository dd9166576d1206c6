"""Draws hunks of added lines from commits, for a typist who types them again key by key.

A hunk is up to ``LINES`` lines that a commit added in one place. Its author works from the top of the file down: the
document above it is the file after the commit, the document below it is the file before. The lines that the hunk
replaces stand there until its author begins to type. Nothing else of the commit is known. Lines that were moved rather
than written end a hunk. A file in which a commit adds more than ``FILE_LINES`` lines was generated or copied, and is
left out.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from finetune.commits.cases import moved_lines
from finetune.commits.windows import Edit, SkipReport
from indexer.languages.grammars import language_of
from indexer.repository.history import Hunk
from indexer.text.lines import lines_of

LINES: Final = 12
FILE_LINES: Final = 300

CHARACTERS: Final = 12
"""Characters of the shortest hunk, blanks at both ends of its lines not counted."""

REFERENCE_LINES: Final = 12
"""Lines behind a hunk that the author added too: a suggestion of several lines is compared with them."""


@dataclass(frozen=True, slots=True)
class TypedHunk:
    """Lines that are typed, and the document around them.

    :param before: the document before the lines, with its last line end.
    :param lines: the typed lines, without blanks at their ends.
    :param further: lines that the author added right behind them, which are not typed.
    :param after: the document's lines below.
    :param replaced: the lines between both when the document is opened, which are deleted before the typing.
    """

    commit: str
    path: str
    language: str
    before: str
    lines: tuple[str, ...]
    further: tuple[str, ...]
    after: tuple[str, ...]
    replaced: tuple[str, ...] = ()


def draw(edits: Sequence[Edit], count: int, seed: int, skips: SkipReport) -> list[TypedHunk]:
    """Draw up to ``count`` hunks; the same edits and seed give the same hunks."""
    moved: dict[int, set[int]] = defaultdict(set)
    for at, row in moved_lines(edits):
        moved[at].add(row)
    places = []
    for at, edit in enumerate(edits):
        if sum(hunk.new_count for hunk in edit.change.hunks) > FILE_LINES:
            skips.count(f"file to which one commit adds more than {FILE_LINES} lines (typing)")
            continue
        new = lines_of(edit.new_text)
        for hunk in edit.change.hunks:
            run = _written(hunk, new, moved[at])
            if run is not None:
                places.append((edit, hunk, run))
    random.Random(seed).shuffle(places)
    return [_hunk(*place) for place in places[:count]]


def _written(hunk: Hunk, new: Sequence[str], moved: set[int]) -> range | None:
    """Return the rows of the first run of a hunk's lines that was written, not moved, and is long enough."""
    start, stop = hunk.new_start, min(hunk.new_start + hunk.new_count, len(new))
    while start < stop:
        end = next((row for row in range(start, stop) if row in moved), stop)
        if sum(len(line.strip()) for line in new[start : min(end, start + LINES)]) >= CHARACTERS:
            return range(next(row for row in range(start, end) if new[row].strip()), end)
        start = end + 1
    return None


def _hunk(edit: Edit, hunk: Hunk, run: range) -> TypedHunk:
    old, new = lines_of(edit.old_text), lines_of(edit.new_text)
    lines = [new[row].rstrip() for row in run]
    return TypedHunk(
        commit=edit.commit.id,
        path=edit.change.path,
        language=language_of(edit.change.path),
        before="".join(line + "\n" for line in new[: run.start]),
        lines=tuple(lines[:LINES]),
        further=tuple(lines[LINES : LINES + REFERENCE_LINES]),
        after=tuple(old[hunk.old_start + hunk.old_count :]),
        replaced=tuple(old[hunk.old_start : hunk.old_start + hunk.old_count]),
    )
