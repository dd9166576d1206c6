"""What a build reports: its steps while it runs, and its result."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from indexer.types import Skip

COUNTS: Final = ("files", "chunks", "lines", "text_bytes", "masked")
"""Figures of an index that are sums over its documents."""


@dataclass(frozen=True, slots=True)
class BuildProgress:
    """The progress of a build.

    :param phase: ``walk``, ``read``, ``compact`` or ``done``.
    :param done, total: files; segments in the phase ``compact``.
    """

    phase: str
    done: int
    total: int
    percent: int


@dataclass(slots=True)
class BuildReport:
    """The result of a build and the figures of the index after it.

    :param changed: False if everything was up to date and no generation was committed.
    :param skips: every file that was left out, and why; ``skipped`` counts them by reason.
    :param notes: sentences for the user, for example that a damaged index was rebuilt.
    :param text_bytes: indexed text, UTF-8. :param index_bytes: the generation on disk.
    :param memory_bytes: what all processes of the build had in memory at most; 0 where the system does not say it.
    """

    root: str
    directory: str
    generation: int = 0
    full: bool = False
    changed: bool = False
    files: int = 0
    chunks: int = 0
    lines: int = 0
    text_bytes: int = 0
    index_bytes: int = 0
    masked: int = 0
    added: int = 0
    removed: int = 0
    revived: int = 0
    seconds: float = 0.0
    memory_bytes: int = 0
    skips: list[Skip] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def count(self, files: int, *more: int) -> None:
        """Count documents, in the order of ``COUNTS``; of one that is gone ``files`` is -1, the others as they were."""
        sign = -1 if files < 0 else 1
        for name, number in zip(COUNTS, (files, *(sign * one for one in more)), strict=True):
            setattr(self, name, getattr(self, name) + number)

    @property
    def skipped(self) -> dict[str, int]:
        """Files left out, counted by reason, the most frequent first."""
        return dict(Counter(skip.reason for skip in self.skips).most_common())

    def as_dict(self) -> dict[str, Any]:
        """The report for ``--json``, with counts by reason instead of the list of files."""
        fields = {name: getattr(self, name) for name in self.__slots__ if name != "skips"}
        return {**fields, "seconds": round(self.seconds, 3), "skipped": self.skipped}
