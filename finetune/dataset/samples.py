"""Cuts raw samples, without prompts, from commits and from older code.

There are four sources: typed cursors, as the replay draws them, where the middle is what the author wrote; spans within
the lines that a commit added; spans in the files of an index; and documents, which are read from left to right.
"""

import random
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING, Final

from finetune.commits.cases import Case, choose
from finetune.commits.stages import ReplayPlan
from finetune.commits.windows import Edit, is_code
from finetune.dataset.spans import LONGEST, Spans
from indexer.languages.grammars import language_of
from indexer.repository.history import Hunk
from indexer.text.lines import columns, leading_blanks, unify_line_ends

if TYPE_CHECKING:
    from indexer.storage.reader import Index
    from indexer.storage.segment import IndexedDocument

DOCUMENT: Final = "document"
TYPED: Final = "typed"

LINES_PER_SPAN: Final = 4
"""One span is cut for this number of added lines."""

SPANS_PER_FILE: Final = 20

_CLOSING = re.compile(r"[ \t]*(?:[)\]}]|end\b)")


@dataclass(frozen=True, slots=True)
class RawSample:
    """A sample without its prompt: a text, a cursor in it, and the middle to write there.

    Samples of one file share its text, because a window of commits has thousands of them.

    :param kind: ``typed``, a kind of ``spans.Span``, or ``document``, which consists of a middle only.
    :param start, end: the characters of ``text`` that the middle is, or that it replaces.
    :param written: the middle if it is not in the text.
    :param whole: of documents: the file ends where the middle ends.
    :param commit, author: empty for older code; the author is a key, see ``indexer.repository.history``.
    """

    kind: str
    path: str
    text: str
    start: int
    end: int
    written: str | None = None
    commit: str = ""
    author: str = ""
    whole: bool = False

    @property
    def prefix(self) -> str:
        """The text before the cursor."""
        return "" if self.kind == DOCUMENT else self.text[: self.start]

    @property
    def suffix(self) -> str:
        """The text after the middle."""
        return "" if self.kind == DOCUMENT else self.text[self.end :]

    @property
    def middle(self) -> str:
        """What is to be learnt; no longer than ``spans.LONGEST`` except in documents."""
        return self.text[self.start : self.end] if self.written is None else self.written

    @property
    def language(self) -> str:
        """By the file's name."""
        return language_of(self.path)


def typed(edits: Sequence[Edit], count: int, seed: int) -> Iterator[RawSample]:
    """Yield the cursors at which authors typed, as the replay draws them, without moved lines.

    The middle is the rest of the line. If the line opens a block that replaces no old lines, the block is included.
    """
    amount = ReplayPlan(count - count // 2, count // 2, seed).share(0, 1)
    by_place = {(edit.commit.id, edit.change.path): edit for edit in edits}
    for case in choose(edits, amount, seed):
        edit = by_place[case.commit, case.path]
        if not case.moved:
            at, middle = case.offset, _written(case, edit)
            yield RawSample(TYPED, case.path, case.text, at, at, middle, case.commit, edit.commit.author)


def _written(case: Case, edit: Edit) -> str:
    """Return the rest of the line and the deeper lines after it, up to the line that closes them."""
    line = case.text[case.text.rfind("\n", 0, case.offset) + 1 : case.offset] + case.rest
    hunk = next((one for one in edit.change.hunks if one.new_start <= case.line < one.new_start + one.new_count), None)
    if not case.following or hunk is None or case.line - hunk.new_start + 1 < hunk.old_count:
        return case.rest
    depth = _depth(line)
    block = list(takewhile(lambda row: not row.strip() or _depth(row) > depth, case.following))
    while block and not block[-1].strip():
        block.pop()
    closing = case.following[len(block) : len(block) + 1]
    if block and closing and _depth(closing[0]) == depth and _CLOSING.match(closing[0]):
        block.append(closing[0].rstrip())
    middle = "\n".join([case.rest, *block])
    return middle if len(middle) <= LONGEST else case.rest


def _depth(line: str) -> int:
    return columns(leading_blanks(line))


def added_spans(edits: Iterable[Edit], seed: int) -> Iterator[RawSample]:
    """Yield spans within the lines that commits added, in the file as it was after the commit."""
    for edit in edits:
        text = unify_line_ends(edit.new_text)
        starts = _line_starts(text)
        spans = Spans(text, language_of(edit.change.path))
        rng = random.Random(f"{seed}:{edit.commit.id}:{edit.change.path}")
        wanted = min(SPANS_PER_FILE, -(-edit.change.added // LINES_PER_SPAN))
        for hunk in rng.choices(edit.change.hunks, [hunk.new_count for hunk in edit.change.hunks], k=wanted):
            low, high = _stretch(starts, hunk)
            span = spans.draw(rng, low, high)
            if span is not None:
                change, commit = edit.change, edit.commit
                yield RawSample(span.kind, change.path, text, span.start, span.end, None, commit.id, commit.author)


def added_documents(edits: Iterable[Edit], characters: int) -> Iterator[RawSample]:
    """Yield documents that begin a little before added lines; neighbouring hunks share one."""
    for edit in edits:
        text = unify_line_ends(edit.new_text)
        starts = _line_starts(text)
        covered = 0
        for hunk in edit.change.hunks:
            low, high = _stretch(starts, hunk)
            if hunk.new_count and high > covered:
                begin = max(covered, low - characters // 4, 0)
                begin = starts[bisect_right(starts, begin) - 1]
                covered = min(len(text), begin + characters)
                yield _document(edit.change.path, text, begin, covered, edit.commit.id, edit.commit.author)


def older(
    index: "Index", spans: int, documents: int, characters: int, seed: int, new: Callable[[str], bool]
) -> Iterator[RawSample]:
    """Yield spans and documents from the files of an index, in proportion to the size of each file.

    :param spans, documents: how many of each.
    :param characters: length of a document.
    :param new: returns whether a file's text is not a near-duplicate.
    """
    rng = random.Random(f"{seed}:older")
    files = [document for document in index.documents.values() if is_code(document.path) and document.size]
    rng.shuffle(files)
    known: dict[str, bool] = {}
    for name, count in (("spans", spans), (DOCUMENT, documents)):
        for document, times in _shared_out(files, count):
            text = unify_line_ends(index.text(document))
            if document.path not in known:
                known[document.path] = new(text)
            if not known[document.path]:
                continue
            if name == DOCUMENT:
                yield from _stretches(document.path, text, characters, times, rng)
                continue
            cutter = Spans(text, document.language)
            for span in (cutter.draw(rng, 0, len(text)) for _ in range(times)):
                if span is not None:
                    yield RawSample(span.kind, document.path, text, span.start, span.end)


def _shared_out(files: Sequence["IndexedDocument"], count: int) -> Iterator[tuple["IndexedDocument", int]]:
    """Yield each file with its share of ``count`` by size, at most ``SPANS_PER_FILE``."""
    total = sum(document.size for document in files)
    bounds = [round(count * reached / total) for reached in accumulate(document.size for document in files)]
    for document, low, high in zip(files, [0, *bounds], bounds, strict=False):
        if high > low:
            yield document, min(high - low, SPANS_PER_FILE)


def _stretches(path: str, text: str, characters: int, count: int, rng: random.Random) -> Iterator[RawSample]:
    """Yield some of the consecutive documents that a text can be divided into."""
    starts = _line_starts(text)
    begins = [starts[bisect_right(starts, at) - 1] for at in range(0, len(text), max(1, characters))]
    for begin in sorted(rng.sample(begins, min(count, len(begins)))):
        yield _document(path, text, begin, min(len(text), begin + characters))


def _document(path: str, text: str, begin: int, end: int, commit: str = "", author: str = "") -> RawSample:
    return RawSample(DOCUMENT, path, text, begin, end, None, commit, author, end == len(text))


def _line_starts(text: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer("\n", text))]


def _stretch(starts: Sequence[int], hunk: Hunk) -> tuple[int, int]:
    """Return the range of characters of a hunk's new lines, without the last line end."""
    last = min(hunk.new_start + hunk.new_count, len(starts))
    begin = starts[min(hunk.new_start, len(starts) - 1)]
    end = starts[last] - 1 if last < len(starts) else starts[-1]
    return begin, max(begin, end)
