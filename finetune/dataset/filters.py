"""Decides what a data set leaves out: near-duplicates, secrets, and too many samples of one author or directory.

Every refusal has a reason, and the data set counts the reasons.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final

from rensa import RMinHash, RMinHashLSH

from finetune.commits.windows import Edit, SkipReport
from finetune.dataset.samples import DOCUMENT, RawSample
from indexer.secrets.cover import PLACEHOLDER
from indexer.secrets.masking import find
from indexer.text.lines import lines_of

SIMILAR: Final = 0.85
"""Of two texts with this estimated Jaccard similarity of word 5-grams, or more, one is left out."""

PERMUTATIONS: Final = 128
BANDS: Final = 16

NEVER_CAPPED: Final = 200
"""One author or one directory may always have this number of samples."""

NEAR_DUPLICATE: Final = "near-duplicate of another"
HOLDS_SECRET: Final = "sample: a secret in its lines"  # noqa: S105
DUPLICATE: Final = "sample: exact duplicate"

_WORD = re.compile(r"\w+|[^\w\s]")
_GRAM = 5
_FEW = 16  # words; short texts resemble each other and are still worth learning


class NearDuplicates:
    """Remembers texts by MinHash and finds near-duplicates; a short text is never one."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._hashes: list[RMinHash] = []
        self._lookup = RMinHashLSH(threshold=SIMILAR, num_perm=PERMUTATIONS, num_bands=BANDS)

    def seen(self, text: str) -> bool:
        """Return whether a similar text was seen before; remember this one if not."""
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
    """Refuses duplicates and secrets; one filter serves a whole data set."""

    def __init__(self, seed: int = 0) -> None:
        self._added, self._files, self._documents = (NearDuplicates(seed) for _ in range(3))
        self._spots: set[bytes] = set()

    def new_edits(self, edits: Iterable[Edit], skips: SkipReport) -> list[Edit]:
        """Return the edits whose added lines are new: no cherry-picks, no copies of a vendored file.

        :param edits: the newest first; of several similar edits the oldest is kept.
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
        """Return whether no similar file was seen before."""
        seen = self._files.seen(text)
        if seen:
            skips.count(f"file: {NEAR_DUPLICATE}")
        return not seen

    def refuses(self, sample: RawSample) -> str | None:
        """Return why a sample is left out, or None."""
        middle = sample.middle
        if (sample.kind != DOCUMENT and PLACEHOLDER in _lines(sample)) or find(middle, sample.path):
            return HOLDS_SECRET
        if sample.kind == DOCUMENT:
            return f"sample: {NEAR_DUPLICATE}" if self._documents.seen(middle) else None
        before, after = (
            sample.text[max(0, sample.start - 300) : sample.start],
            sample.text[sample.end : sample.end + 100],
        )
        spot = sha256("\0".join((before, middle, after)).encode("utf-8", "replace"))
        if spot.digest() in self._spots:
            return DUPLICATE
        self._spots.add(spot.digest())
        return None


def _lines(sample: RawSample) -> str:
    """Return the whole lines around a middle: token healing can move a part of them from the prompt to the middle."""
    low, high = sample.text.rfind("\n", 0, sample.start) + 1, sample.text.find("\n", sample.end)
    return sample.text[low : sample.start] + sample.middle + sample.text[sample.end : high if high >= 0 else None]


def author(sample: RawSample) -> str:
    """Return the author's key; empty for older code, which has no limit."""
    return sample.author


def directory(sample: RawSample) -> str:
    """Return the folder of the sample's file."""
    return sample.path.rpartition("/")[0] or "."


def capped(
    samples: Sequence[RawSample], key: Callable[[RawSample], str], share: float, floor: int = NEVER_CAPPED
) -> tuple[list[RawSample], int]:
    """Limit the share of each key; return the kept samples in their order, and how many were left out.

    With few keys the share is at least an equal one, and ``floor`` samples of each key are always kept.
    """
    counts = Counter(filter(None, map(key, samples)))
    if not counts:
        return list(samples), 0
    limit = max(floor, int(len(samples) * max(share, 1 / len(counts))))
    kept: list[RawSample] = []
    taken: Counter[str] = Counter()
    for sample in samples:
        name = key(sample)
        taken[name] += 1
        if not name or taken[name] <= limit:
            kept.append(sample)
    return kept, len(samples) - len(kept)
