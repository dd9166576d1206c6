"""The progress bars of a replay, on a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finetune.commits.stages import ProgressReporter


@contextmanager
def progress_bars(quiet: bool, cases: int) -> "Iterator[ProgressReporter]":
    """Show a progress bar on a terminal: the phase, the index, and the number of answered cases."""
    from finetune.commits.stages import ProgressReporter

    if quiet or not sys.stderr.isatty():
        yield ProgressReporter()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("starting", total=100, visible=False)
        asked = bars.add_task("cursors and hunks", total=cases)

        def answered() -> None:
            bars.advance(asked)
            if bars.tasks[asked].completed > (bars.tasks[asked].total or 0):
                bars.update(asked, total=bars.tasks[asked].completed)  # moved lines come on top of the requested cases

        yield ProgressReporter(
            phase=lambda phrase, done, total: bars.update(
                task, description=phrase, completed=0, visible=phrase.startswith("indexing")
            ),
            index_step=lambda step: bars.update(task, completed=step.percent),
            case_answered=answered,
        )
