"""When deleted text has to leave the disk: a day after it was deleted, with the next update, whatever else changed."""

from typing import Final

from indexer.storage.generations import Manifest, SegmentRecord

DEAD_SECONDS: Final = 24 * 3600

WORDS: Final = "words_since"
"""Among a manifest's counts: when the first document was deleted whose words the index for search still has; 0 for
none."""

REFILLED: Final = 80_000
"""Chunks, some two million lines, up to which the index for search is made again for the sake of such words. A million
lines take ten seconds of processor time."""


def is_expired(record: SegmentRecord, now: int) -> bool:
    """Whether a segment holds text that was deleted more than a day ago, or by a clock that was as far ahead.

    :param now: seconds since 1970.
    """
    return bool(record.dead) and abs(now - record.dead_since) > DEAD_SECONDS


def holds_expired_words(manifest: Manifest, now: int) -> bool:
    """Whether the index for search holds words of such text, and can be made again for that."""
    since = manifest.counts.get(WORDS, 0)
    return since > 0 and abs(now - since) > DEAD_SECONDS and manifest.counts.get("chunks", 0) <= REFILLED


def holds_expired(manifest: Manifest, now: int) -> bool:
    """Whether anything of a generation is such text."""
    return any(is_expired(record, now) for record in manifest.segments) or holds_expired_words(manifest, now)
