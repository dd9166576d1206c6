"""When deleted text has to leave the disk: a day after it was deleted, with the next update, whatever else changed."""

from typing import Final

from indexer.storage.generations import Manifest, SegmentRecord

DEAD_SECONDS: Final = 24 * 3600


def is_expired(record: SegmentRecord, now: int) -> bool:
    """Whether a segment holds text that was deleted more than a day ago, or by a clock that was as far ahead.

    :param now: seconds since 1970.
    """
    return bool(record.dead) and abs(now - record.dead_since) > DEAD_SECONDS


def holds_expired(manifest: Manifest, now: int) -> bool:
    """Whether one of a generation's segments does."""
    return any(is_expired(record, now) for record in manifest.segments)
