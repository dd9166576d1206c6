"""Replay without history: files are held out, the rest is indexed, and the held-out ones are typed from the top.

The text before the cursor is there, nothing stands after it, as in a new file. Which files are held out depends on
their paths and the seed alone. This module takes the place of ``windows`` for a folder that no git keeps.
"""

import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from finetune.commits.cases import choose
from finetune.commits.stages import Plan, Stage, Watch, index_of
from finetune.commits.windows import PROSE, Edit, Passed
from indexer.config import Settings
from indexer.errors import UserError
from indexer.repository.history import NO_BLOB, Change, Commit, Hunk
from indexer.repository.policy import read_source
from indexer.repository.walk import walk
from indexer.text.lines import lines_of
from indexer.types import Source

ONE_IN: Final = 10
"""One file of code in this many is held out."""

FILES_TYPED: Final = 400
"""Held-out files that cursors are put into, at most."""

_NO_COMMIT: Final = Commit("held-out", None, 0, "")


def stage(root: Path, settings: Settings, amount: Plan, folder: Path, passed: Passed, watch: Watch) -> Iterator[Stage]:
    """The one stage: the index of what is not held out, and cursors in what is.

    :raises UserError: there is no file of code to hold out.
    """
    tree = folder / (root.name or "repository")
    watch.say("holding out files")
    held = _divide(root, settings, tree, amount.seed, passed)
    index, about = index_of(tree, settings, folder, watch)
    cases = choose(map(_typed, held), amount.share(0, 1), amount.seed, every=amount.every)
    yield Stage(index, cases, {"held_out": len(held), **about, "cases": len(cases)})


def _divide(root: Path, settings: Settings, tree: Path, seed: int, passed: Passed) -> list[Source]:
    """Writes the files that are kept, secrets masked, below ``tree``; returns the others."""
    entries, skips = walk(root, settings)
    for reason, count in Counter(skip.reason for skip in skips).items():
        passed.reasons[f"file: {reason}"] = passed.reasons.get(f"file: {reason}", 0) + count
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True, mode=0o700)
    held: list[Source] = []
    kept: list[Source] = []
    chosen = _chooser(seed)
    for entry in entries:
        source = read_source(root, entry, settings)
        if not isinstance(source, Source):
            passed.count(f"file: {source.reason}")
        elif source.language not in PROSE and chosen(source.path) and "\r" not in source.text.replace("\r\n", ""):
            held.append(source)
        else:
            kept.append(source)
    code = [source for source in kept if source.language not in PROSE]
    if not held and len(code) > 1:
        held = [random.Random(seed).choice(code)]
        kept.remove(held[0])
    if not held:
        raise UserError(f"{root} holds no two files of code", "name a repository with code in it")
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
    """A file as the edit that made it out of nothing."""
    lines = len(lines_of(source.text))
    change = Change(source.path, source.path, "A", NO_BLOB, source.blob, (Hunk(0, 0, 0, lines),))
    return Edit(_NO_COMMIT, change, "", source.text)
