"""What differs in the work tree since the last update: the files to read, and what is left out.

Every file is looked at once, in a second process where they are many, and git lists its files meanwhile. As long as the
ignore files are the same, the rules are applied only to paths that are new or whose file changed; all others are as the
table says.
"""

import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from indexer.building.second_process import in_second_process
from indexer.config import Settings
from indexer.repository import git, policy, walk
from indexer.repository.listing import Listing, is_read_by_git, read_listing
from indexer.repository.walk import Listed, Rules
from indexer.storage.seen_files import Basis, SeenFiles
from indexer.types import Entry, Skip

_MANY: Final = 20_000
"""Files that are looked at in a second process. In a kernel (78,000) that takes .25 s of the 1.3 s of an update."""

_FEW: Final = 20
"""Paths that are searched in git's answer as it was printed."""


@dataclass(frozen=True, slots=True)
class Survey:
    """The result of a look at the work tree.

    :param entries: files that may be read and of which the table says nothing that still holds, by path.
    :param skips: everything that is left out, and why; without files whose content decides and that must be read.
    :param before: path and blob id of the documents that the table has of these files, and of files that are gone.
    :param size: bytes of all files that may be read, those that are passed over included.
    :param afresh: every file was judged, so nothing is passed over.
    :param rules_changed: there may be other ignore files than before.
    :param basis: of the table that is to be written, but for the generation.
    """

    entries: list[Entry]
    skips: list[Skip]
    before: list[tuple[str, str]]
    size: int
    afresh: bool
    rules_changed: bool
    basis: Basis

    @property
    def is_empty(self) -> bool:
        """Whether the index is as it would be made now."""
        return not (self.entries or self.before or self.afresh or self.rules_changed)


class _Place(NamedTuple):
    """Where is looked, and what is known of it."""

    root: Path
    settings: Settings
    seen: SeenFiles


def survey(
    root: Path, settings: Settings, seen: SeenFiles, meanwhile: Callable[[], object] = lambda: None
) -> Survey | None:
    """Look for what differs from the table ``seen``; None if the rules changed, so that every path must be judged.

    :param meanwhile: is called where many files are looked at, which a second process does then.
    :raises UserError: git refuses.
    """
    walk.check(root)
    place, rules = _Place(root, settings, seen), Rules(root, settings)
    many = len(seen.paths) >= _MANY
    with in_second_process(lambda: seen.differing(root), really=many) as rows, ThreadPoolExecutor(1) as thread:
        asked = thread.submit(_listing, root, seen)
        rules.look(seen.basis.folders)
        if rules.identity != seen.basis.rules:
            return None
        if many:
            meanwhile()
        differing = seen.paths_of(rows())
        listing = asked.result()
    if listing is not None and listing.digest == seen.basis.listing:
        tracked = listing.tracked() if len(differing) > _FEW else None
        files = {path: path in tracked if tracked is not None else listing.tracks(path) for path in differing}
        apart = [Skip(path, policy.SUBMODULE) for path in seen.basis.apart]
        skips = [*(Skip(path, policy.IGNORED) for path in listing.ignored()), *apart]
        return _judged(place, rules, listing, files, [], skips)
    found = _listed(root, rules, listing)
    known = set(seen.paths)
    files = {path: found.files[path] for path in differing if path in found.files}
    files |= {path: tracked for path, tracked in found.files.items() if path not in known}
    gone = [path for path in seen.paths if path not in found.files]
    return _judged(place, rules, listing, files, gone, found.skips)


def survey_afresh(root: Path, settings: Settings, seen: SeenFiles, folders: Iterable[str]) -> Survey:
    """Judge every path; the table then only says what was in files that did not change.

    :param folders: where documents of the index are or were. An ignore file that appears there later may concern
        deleted text that is still on the disk, also where the folder is gone by now.
    :raises UserError: git refuses.
    """
    walk.check(root)
    rules = Rules(root, settings)
    listing = _listing(root, seen)
    found = _listed(root, rules, listing)
    return _judged(_Place(root, settings, seen), rules, listing, found.files, None, found.skips, folders)


def _judged(
    place: _Place,
    rules: Rules,
    listing: Listing | None,
    files: Mapping[str, bool],
    gone: Sequence[str] | None,
    skips: Iterable[Skip],
    folders: Iterable[str] = (),
) -> Survey:
    """Judge some files by their names and a look, and record those that are left out.

    :param files: by path, whether git tracks it.
    :param gone: further rows that do not hold, since there are no such files; all others hold. None: no row holds.
    :param skips: what is left out without a look.
    :param folders: further ones that the table's rules must cover.
    """
    root, settings, seen = place
    left = {skip.path: skip for skip in skips}
    apart = sorted(skip.path for skip in left.values() if skip.reason == policy.SUBMODULE)
    changed = {*files, *(seen.paths if gone is None else gone)}
    seen.forget(gone)
    left |= {skip.path: skip for skip in seen.skips() if skip.path not in changed}
    entries = []
    for path, tracked in files.items():
        entry, reason = walk.look_at(root, path, rules, settings, tracked=tracked)
        if reason is None:
            entries.append(entry)
        else:
            left[path] = Skip(path, reason)
            seen.record_unread(entry, reason)
    left |= {skip.path: skip for skip in rules.problems}
    rules.look(folders)
    return Survey(
        entries=sorted(entries, key=lambda entry: entry.path),
        skips=list(left.values()),
        before=seen.documents(changed),
        size=seen.readable_bytes(but=changed) + sum(entry.size for entry in entries),
        afresh=gone is None,
        rules_changed=gone is None or rules.identity != seen.basis.rules,
        basis=Basis("", listing.digest if listing else "", rules.identity, rules.folders, apart),
    )


def _listing(root: Path, seen: SeenFiles) -> Listing | None:
    """Git's answers; None outside git, and where git would wait for a pipe.

    Where it would have waited last time, the pipe is looked at before git is asked, which takes five seconds.
    """
    if not git.is_repository(root):
        return None
    if not seen.basis.listing and any(_is_pipe(root, path) for path in seen.left_out(policy.SPECIAL)):
        return None
    try:
        return read_listing(root)
    except git.GitWaits:
        return None


def _is_pipe(root: Path, path: str) -> bool:
    """Whether a pipe or a device stands where git reads patterns."""
    try:
        mode = os.lstat(f"{root}/{path}").st_mode
    except OSError:
        return False
    return is_read_by_git(path) and (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode))


def _listed(root: Path, rules: Rules, listing: Listing | None) -> Listed:
    return walk.listed_by_git(listing) if listing is not None else walk.listed_in_folder(root, rules)
