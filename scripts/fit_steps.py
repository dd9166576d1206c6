"""What the scripts that fit ranker and gate share: their two steps, and the replayed windows of a repository."""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from finetune.commits.stages import indexed_windows
from finetune.commits.windows import Edit, SkipReport, edits, windows
from indexer.config import Settings
from indexer.storage.reader import Index


@dataclass(frozen=True)
class Sample:
    """How much of each repository is collected.

    :param windows: of commits; each has its own index. :param amount: of cases or hunks, over all windows.
    """

    commits: int
    windows: int
    amount: int


@dataclass(frozen=True)
class Part:
    """One window of commits, with the index of the tree before it.

    :param number: of the window, from 0. :param count: how many windows there are. :param amount: its share.
    """

    number: int
    count: int
    amount: int
    edits: list[Edit]
    index: Index


def name_of(root: Path) -> str:
    """Return the name of a repository, whose clone may stand in OWNER+NAME/repo."""
    resolved = root.resolve()
    return resolved.parts[-2] if resolved.name == "repo" else resolved.name


def parts_of(root: Path, work: Path, sample: Sample, skips: SkipReport) -> Iterator[Part]:
    """Yield the windows of a repository; the indexes are deleted at the end."""
    settings, plan = replace(Settings(), workers=1), windows(root, sample.commits, sample.windows)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        for number, (window, index) in enumerate(indexed_windows(root, plan, settings, Path(folder))):
            amount = sample.amount * (number + 1) // len(plan) - sample.amount * number // len(plan)
            yield Part(number, len(plan), amount, list(edits(root, window, settings, skips)), index)


def run(
    about: str | None,
    collect: Callable[[Path, Path, Sample], None],
    fit: Callable[[Path, list[str]], None],
    defaults: Sample,
) -> None:
    """Read the command line and take its step.

    :param collect: writes the examples of a repository to a folder. :param fit: fits to all but the named ones.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("collect", "fit"))
    parser.add_argument("repositories", nargs="*", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--commits", type=int, default=defaults.commits)
    parser.add_argument("--windows", type=int, default=defaults.windows)
    parser.add_argument("--amount", type=int, default=defaults.amount, help="cases or hunks of each repository")
    parser.add_argument("--held-out", nargs="*", default=[])
    options = parser.parse_intermixed_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if options.step == "fit":
        fit(options.work, options.held_out)
    for root in options.repositories:
        collect(root, options.work, Sample(options.commits, options.windows, options.amount))
