"""The changes of commits one after the other, as somebody would type them, for a replay of next edits.

A hunk whose lines were replaced one for one is as many changes as lines; any other hunk is one change. Files that a
commit adds teach nothing. Commits with very many hunks were not made by hand and are left out.
"""

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import Final

from finetune.commits.windows import Edit, SkipReport
from indexer.languages.grammars import language_of
from indexer.text.lines import lines_of
from lsp_server.edits.changed_lines import changed_blocks, changed_lines
from lsp_server.edits.edit_log import AROUND, Around

HUNKS: Final = 400
"""Commits with more hunks are left out."""

HUNK_LINES: Final = 4
"""Lines of the longest hunk whose lines are judged one by one."""

FILE_LINES: Final = 20_000
"""Longer files are left out."""

JUDGED: Final = 60
"""Lines of a file in one commit that are judged."""

LIKENESS: Final = 0.4
"""Lines that are less alike (difflib's ratio) are new rather than changed; they are not judged."""


@dataclass
class Step:
    """One change.

    :param start: the first line that goes, from 0, in the file before the commit.
    :param judged: whether the change replaces one line and is predicted; other changes only teach.
    :param around: the lines above and below these before the commit.
    """

    file: int
    start: int
    old: list[str]
    new: list[str]
    judged: bool
    around: Around = ((), ())

    @cached_property
    def expected(self) -> dict[int, str]:
        """Which line becomes which text, several lines or ``GONE``."""
        found = {self.start + at: text for at, _, _, text in changed_lines(self.old, self.new)}
        return found | {self.start + at: text for at, _, _, text in _blocks(self)}


@dataclass
class CommitSteps:
    """The changes of one commit in the order in which they are made.

    :param paths: of its files; steps name a file by its number. :param old_paths: the paths before the commit.
    :param texts: the lines of each file before the commit.
    """

    commit: str
    paths: list[str]
    languages: list[str]
    texts: list[list[str]]
    steps: list[Step]
    old_paths: list[str]


def steps_of(edits: Iterable[Edit], skips: SkipReport, seed: int | None = None) -> Iterator[CommitSteps]:
    """Yield the changes of each commit.

    :param edits: of one commit after the other.
    :param seed: with one, the changes of a commit come in random order; else in the order of its files.
    """
    for name, group in itertools.groupby(edits, key=lambda edit: edit.commit.id):
        changed = [edit for edit in group if edit.change.status in "MR"]
        if sum(len(edit.change.hunks) for edit in changed) > HUNKS:
            skips.count(f"commit with more than {HUNKS} hunks (edits)")
            continue
        made = CommitSteps(name, [], [], [], [], [])
        for edit in changed:
            lines = [line.rstrip("\r\n") for line in lines_of(edit.old_text)]
            if len(lines) > FILE_LINES:
                skips.count(f"file of more than {FILE_LINES} lines (edits)")
                continue
            made.steps += _steps(len(made.paths), lines, edit)
            made.paths.append(edit.change.path)
            made.old_paths.append(edit.change.old_path)
            made.languages.append(language_of(edit.change.path))
            made.texts.append(lines)
        if seed is not None:
            random.Random(f"{seed} {name}").shuffle(made.steps)
        if made.steps:
            yield made


def _blocks(step: Step) -> list[tuple[int, int, str, str]]:
    above, below = step.around
    return changed_blocks(step.old, step.new, "".join(above[-1:]), "".join(below[:1]))


def _steps(file: int, old: Sequence[str], edit: Edit) -> list[Step]:
    new = [line.rstrip("\r\n") for line in lines_of(edit.new_text)]
    found: list[Step] = []
    judged = 0
    for hunk in edit.change.hunks:
        start = hunk.old_start
        before = list(old[start : start + hunk.old_count])
        after = new[hunk.new_start : hunk.new_start + hunk.new_count]
        if not before:  # lines are inserted behind the line above, or before the first one
            start = max(0, start - 1)
            before = list(old[start : start + 1])
            after = [*before, *after] if hunk.old_start else [*after, *before]
        if not before or len(before) != len(after):
            if before:
                end = start + len(before)
                around = tuple(old[max(0, start - AROUND) : start]), tuple(old[end : end + AROUND])
                found.append(Step(file, start, before, after, False, around))
            continue
        for at, (one, other) in enumerate(zip(before, after, strict=True)):
            if one != other:
                counts = len(before) <= HUNK_LINES and judged < JUDGED
                counts = counts and SequenceMatcher(None, one, other, autojunk=False).ratio() > LIKENESS
                judged += counts
                line = start + at
                around = tuple(old[max(0, line - AROUND) : line]), tuple(old[line + 1 : line + 1 + AROUND])
                found.append(Step(file, line, [one], [other], counts, around))
    return found
