"""Runs one job of a repository at a time, and writes its report however it ends."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from finetune.evaluation.stopping import Stopped
from finetune.nightly.report import Report
from indexer import fsio, lock
from indexer.config import Settings
from indexer.data_layout import nightly_lock_file, nightly_reports_directory, repository_directory
from indexer.errors import OndolError
from indexer.storage.write_errors import explained


def reported_run(root: Path, settings: Settings, work: Callable[[Report], None]) -> dict[str, Any]:
    """Do some work under the lock of the nightly job; return its report, which is also written to disk.

    The report of a run that a signal ended says so and has an ``exit_code``.

    :param work: fills the report.
    :raises OndolError: the work could not be finished; the report says so too.
    """
    with nightly_lock(root, settings) as reports:
        report = Report(root)
        try:
            work(report)
        except Stopped as stop:
            report.stopped(f"{stop}", report.cursors)
            report.add(exit_code=stop.exit_code)
        except OndolError as error:
            report.failed(str(error))
            report.write(reports)
            raise
        except BaseException as error:
            report.failed(type(error).__name__)
            report.write(reports)
            raise
        report.write(reports)
    return report.document


@contextmanager
def nightly_lock(root: Path, settings: Settings) -> Iterator[Path]:
    """Hold the lock of a repository's nightly job; yield the folder of the reports.

    :raises Locked: another process runs the nightly job of this repository.
    """
    folder = repository_directory(settings, root)
    reports = nightly_reports_directory(settings, root)
    with explained(folder, "report of the nightly run"):
        fsio.make_directories(reports)
    with lock.hold(nightly_lock_file(settings, root), "running this repository's nightly job"):
        yield reports
