"""Replay for a folder without git history: some files are held out, the others are indexed.

A held-out file is replayed as if its author typed it from the top: the document ends at the cursor. The paths and the
seed alone decide which files are held out.
"""

import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from finetune.commits.cases import choose
from finetune.commits.stages import ProgressReporter, ReplayPlan, Stage, index_of
from finetune.commits.windows import PROSE, Edit, SkipReport
from indexer.config import Settings
from indexer.errors import UserError
from indexer.repository.history import NO_BLOB, Change, Commit, Hunk
from indexer.repository.policy import read_source
from indexer.repository.walk import walk
from indexer.text.lines import lines_of
from indexer.types import Source

ONE_IN: Final = 10
"""One in this number of code files is held out."""

FILES_TYPED: Final = 400
"""Number of held-out files that are replayed, at most."""

_NO_COMMIT: Final = Commit("held-out", None, 0, "")


def stage(
    root: Path, settings: Settings, plan: ReplayPlan, folder: Path, skips: SkipReport, reporter: ProgressReporter
) -> Iterator[Stage]:
    """Yield one stage: the index of the other files, and the cases in the held-out files.

    :param folder: a folder for temporary trees and indexes.
    :raises UserError: there is no code file to hold out.
    """
    tree = folder / (root.name or "repository")
    reporter.phase("holding out files", 0, 0)
    held = _divide(root, settings, tree, plan.seed, skips)
    index, about = index_of(tree, settings, folder, reporter)
    cases = choose(map(_typed, held), plan.share(0, 1), plan.seed, every=plan.every, append=plan.append)
    yield Stage(index, cases, {"held_out": len(held), **about, "cases": len(cases)})


def _divide(root: Path, settings: Settings, tree: Path, seed: int, skips: SkipReport) -> list[Source]:
    """Write the files that are not held out below ``tree``, secrets masked; return the held-out ones."""
    entries, skipped = walk(root, settings)
    for reason, count in Counter(skip.reason for skip in skipped).items():
        skips.count(f"file: {reason}", count)
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True, mode=0o700)
    held: list[Source] = []
    kept: list[Source] = []
    chosen = _chooser(seed)
    for entry in entries:
        source = read_source(root, entry, settings)
        if not isinstance(source, Source):
            skips.count(f"file: {source.reason}")
        elif source.language not in PROSE and chosen(source.path) and "\r" not in source.text.replace("\r\n", ""):
            held.append(source)
        else:
            kept.append(source)
    code = [source for source in kept if source.language not in PROSE]
    if not held and len(code) > 1:
        held = [random.Random(seed).choice(code)]
        kept.remove(held[0])
    if not held:
        raise UserError(f"{root} holds fewer than two code files", "name a repository with code in it")
    for source in kept:
        target = tree / source.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.text.encode("utf-8", "surrogatepass"))
    return random.Random(seed).sample(held, FILES_TYPED) if len(held) > FILES_TYPED else held


def _chooser(seed: int) -> Callable[[str], bool]:
    def chosen(path: str) -> bool:
        digest = sha256(f"{seed}:{path}".encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:4], "big") % ONE_IN == 0

    return chosen


def _typed(source: Source) -> Edit:
    """Return the edit that creates a file."""
    lines = len(lines_of(source.text))
    change = Change(source.path, source.path, "A", NO_BLOB, source.blob, (Hunk(0, 0, 0, lines),))
    return Edit(_NO_COMMIT, change, "", source.text)
