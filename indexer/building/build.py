"""Builds or updates an index with one function: an update is a build that finds most documents already there.

    open the generation before -> look for what differs -> nothing: done
                                                        -> else: ``renewal``, which is imported only then

Importing what prepares documents takes half a second of processor time, most of an update where nothing changed. In a
large repository it is done while another process looks at the files.
"""

import importlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from indexer import fsio
from indexer.building import budget
from indexer.building.report import COUNTS, BuildProgress, BuildReport
from indexer.building.survey import survey
from indexer.config import Settings
from indexer.data_layout import (
    build_report_file,
    index_directory,
    remove_abandoned,
    repository_directory,
    seen_files_file,
)
from indexer.errors import IndexDamaged, IndexMissing, IndexTooNew
from indexer.storage import adoption, cache_files, fingerprint
from indexer.storage.expiry import holds_expired
from indexer.storage.generations import Manifest, Store
from indexer.storage.seen_files import SeenFiles
from indexer.storage.write_errors import dispensable

if TYPE_CHECKING:
    from indexer.building.worker import Limits


def build(
    root: Path,
    settings: Settings,
    progress: Callable[[BuildProgress], None] | None = None,
    *,
    full: bool = False,
    limits: "Limits | None" = None,
    command: Sequence[str] | None = None,
) -> BuildReport:
    """Update the index of ``root``, or build it.

    :param progress: called for every step.
    :param full: rebuild everything from scratch.
    :param command: the command line of a worker process.
    :raises Locked: another process is writing. :raises IndexTooNew: a later version of Ondol wrote the index.
    :raises UserError: the repository cannot be read, or no space is left; the index is as it was.
    """
    started, now = time.monotonic(), fsio.now_ns() // 1_000_000_000
    repository_directory(settings, root)
    remove_abandoned(settings, root)
    target = Store(index_directory(settings, root))
    report = BuildReport(str(root), str(target.directory), full=full, notes=adoption.adopt(settings, root))
    progress = progress or (lambda _: None)
    with target.writing():
        shape, choice = fingerprint.shape(), fingerprint.settings(settings)
        base = _base(target, report, shape)
        target.remove_unlisted(lambda before: holds_expired(before, now))
        seen = SeenFiles(seen_files_file(target.directory), fingerprint.outcome(settings))
        progress(BuildProgress("walk", 0, 0, 0))
        found = None
        if base is not None and base.settings == choice and seen.basis.generation == base.digest:
            found = survey(root, settings, seen, _load_ahead)
        if found is not None and budget.is_over(found.size, settings):
            found = None
        same = base is not None and base.root == str(root) and not holds_expired(base, now)
        if found is not None and base is not None and found.is_empty and same and target.names(base):
            report.count(*(base.counts[name] for name in COUNTS))
            report.skips += found.skips
            with dispensable(report.notes):
                seen.save(replace(found.basis, generation=base.digest))
            manifest, workers = base, 0
        else:
            from indexer.building.renewal import Renewal

            renewal = Renewal(root, settings, target, report, progress, limits, command)
            manifest = renewal.run(base, seen, found)
            workers = renewal.workers
            target.keep_checked(manifest)
        with dispensable(report.notes):
            _describe(report, target, manifest, workers, now)
        progress(BuildProgress("done", report.files, report.files, 100))
        with dispensable(report.notes):
            adoption.remember(settings, root)
    report.seconds = time.monotonic() - started
    return report


def _load_ahead() -> None:
    """Load what an update of a few files needs, .4 s, while this process would wait for a look at many."""
    for name in ("building.renewal", "search.bm25", "search.vectors", "secrets.masking"):
        importlib.import_module(f"indexer.{name}")
    from indexer.storage.segment import has_encoder

    if has_encoder():
        from indexer.search.embedding import Encoder

        Encoder.load()


def _base(target: Store, report: BuildReport, shape: str) -> Manifest | None:
    """The generation to start from, or None for a build of everything."""
    try:
        opened = target.open()
    except IndexMissing:
        report.full = True
        return None
    except IndexTooNew:
        if not report.full:
            raise
        return None
    except IndexDamaged as error:
        report.full = True
        report.notes.append(f"{error.what}; it is rebuilt.")
        return None
    if opened.problem:
        report.notes.append(opened.problem)
    if report.full:
        return None
    if opened.manifest.shape != shape:
        report.full = True
        report.notes.append("the index was built by another version of Ondol; it is rebuilt.")
        return None
    return opened.manifest


def _describe(report: BuildReport, target: Store, manifest: Manifest, workers: int, now: int) -> None:
    """Complete the report, and keep it for ``ondol doctor``."""
    report.skips.sort(key=lambda skip: (skip.path, skip.reason))
    report.generation = manifest.generation
    report.memory_bytes = budget.memory_used(workers)
    report.index_bytes = target.size(manifest)
    skips = [[skip.path, skip.reason] for skip in report.skips]
    cache_files.write_cache(build_report_file(target.directory), {**report.as_dict(), "when": now, "skips": skips})
