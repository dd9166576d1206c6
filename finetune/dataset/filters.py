"""What is left out of a set: near-duplicates, secrets, and too much of one author or one directory.

Every refusal has a reason that is counted. Knows drafts; knows no repository, no index and no model.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final

from rensa import RMinHash, RMinHashLSH

from finetune.commits.windows import Edit, SkipReport
from finetune.dataset.samples import DOCUMENT, RawSample
from indexer.secrets.masking import PLACEHOLDER, find
from indexer.text.lines import lines_of

SIMILAR: Final = 0.85
"""Estimated Jaccard similarity of word 5-grams from which on one of two texts is left out."""

PERMUTATIONS: Final = 128
BANDS: Final = 16

NEVER_CAPPED: Final = 200
"""Samples that one author or one directory may have whatever their share is."""

NEAR_DUPLICATE: Final = "near-duplicate of another"
HOLDS_SECRET: Final = "sample: a secret in its lines"  # noqa: S105
DUPLICATE: Final = "sample: the same again"

_WORD = re.compile(r"\w+|[^\w\s]")
_GRAM = 5
_FEW = 16  # words: a short text is like many others, and no less worth learning


class NearDuplicates:
    """Texts seen so far, by MinHash; short ones are always new."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._hashes: list[RMinHash] = []
        self._lookup = RMinHashLSH(threshold=SIMILAR, num_perm=PERMUTATIONS, num_bands=BANDS)

    def seen(self, text: str) -> bool:
        """Whether a text like this one was here before; remembers it if not."""
        words = _WORD.findall(text)
        if len(words) < _FEW:
            return False
        grams = [" ".join(words[at : at + _GRAM]) for at in range(len(words) - _GRAM + 1)]
        made = RMinHash(num_perm=PERMUTATIONS, seed=self._seed)
        made.update(grams)
        if any(made.jaccard(self._hashes[number]) >= SIMILAR for number in self._lookup.query(made)):
            return True
        self._lookup.insert(len(self._hashes), made)
        self._hashes.append(made)
        return False


class Filter:
    """Tells what is new and clean; one for a whole set."""

    def __init__(self, seed: int = 0) -> None:
        self._added, self._files, self._documents = (NearDuplicates(seed) for _ in range(3))
        self._spots: set[bytes] = set()

    def new_edits(self, edits: Iterable[Edit], skips: SkipReport) -> list[Edit]:
        """The edits whose added lines were not added before: no cherry-picks, no copies of a vendored file.

        :param edits: newest first, as a history gives them; the oldest of several like ones is kept.
        """
        kept = []
        for edit in reversed(list(edits)):
            lines = lines_of(edit.new_text)
            added = [line for hunk in edit.change.hunks for line in lines[hunk.new_start :][: hunk.new_count]]
            if not any(line.strip() for line in added):
                skips.count("edit: adds nothing")
            elif self._added.seen("\n".join(added)):
                skips.count(f"edit: {NEAR_DUPLICATE}")
            else:
                kept.append(edit)
        return kept

    def new_file(self, text: str, skips: SkipReport) -> bool:
        """Whether no file like this one was here before."""
        seen = self._files.seen(text)
        if seen:
            skips.count(f"file: {NEAR_DUPLICATE}")
        return not seen

    def refuses(self, draft: RawSample) -> str | None:
        """Why a draft is left out, or None."""
        middle = draft.middle
        if (draft.kind != DOCUMENT and PLACEHOLDER in _lines(draft)) or find(middle, draft.path):
            return HOLDS_SECRET
        if draft.kind == DOCUMENT:
            return f"sample: {NEAR_DUPLICATE}" if self._documents.seen(middle) else None
        before, after = draft.text[max(0, draft.start - 300) : draft.start], draft.text[draft.end : draft.end + 100]
        spot = sha256("\0".join((before, middle, after)).encode("utf-8", "replace"))
        if spot.digest() in self._spots:
            return DUPLICATE
        self._spots.add(spot.digest())
        return None


def _lines(draft: RawSample) -> str:
    """The lines that a middle is part of: what a prompt holds back of them is written as well."""
    low, high = draft.text.rfind("\n", 0, draft.start) + 1, draft.text.find("\n", draft.end)
    return draft.text[low : draft.start] + draft.middle + draft.text[draft.end : high if high >= 0 else None]


def author(draft: RawSample) -> str:
    """Whose sample it is; empty for older code, which is not capped."""
    return draft.author


def directory(draft: RawSample) -> str:
    """The folder of the sample's file."""
    return draft.path.rpartition("/")[0] or "."


def capped(
    drafts: Sequence[RawSample], key: Callable[[RawSample], str], share: float, floor: int = NEVER_CAPPED
) -> tuple[list[RawSample], int]:
    """The drafts of which no key has more than its share, and how many were left out; the order stays.

    With few keys the share is at least an equal one, and ``floor`` drafts of a key are always let through.
    """
    counts = Counter(filter(None, map(key, drafts)))
    if not counts:
        return list(drafts), 0
    limit = max(floor, int(len(drafts) * max(share, 1 / len(counts))))
    kept: list[RawSample] = []
    taken: Counter[str] = Counter()
    for draft in drafts:
        name = key(draft)
        taken[name] += 1
        if not name or taken[name] <= limit:
            kept.append(draft)
    return kept, len(drafts) - len(kept)
