"""The history of a repository as edits: commits, the files they changed, the lines they added.

The caller decides which lines are worth predicting or training on. Merges have no edits of their own and are left out.
A file that was moved is compared with its state before the move, so that moved lines do not count as written.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from indexer.repository.git import run_git

_HUNK = re.compile(rb"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_RAW = re.compile(rb"^:(\d+) (\d+) ([0-9a-f]+) ([0-9a-f]+) ([A-Z])\d*\t")
_REGULAR_FILES = (b"100644", b"100755")
NO_BLOB = "0" * 40


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit that is not a merge.

    :param parent: id of the only parent, or None for the first commit of a history (or of a shallow one).
    :param time: committer's time, seconds since 1970.
    :param author: a hash that stands for the author, without name or address.
    """

    id: str
    parent: str | None
    time: int
    author: str


@dataclass(frozen=True, slots=True)
class Hunk:
    """A range of lines that replaced another; starts count from 0, ``old_count`` or ``new_count`` may be 0."""

    old_start: int
    old_count: int
    new_start: int
    new_count: int


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one commit to one regular file that exists after it.

    :param status: git's letter: A added, M modified, R renamed, C copied.
    :param old_blob: blob id before, or ``NO_BLOB``.
    """

    path: str
    old_path: str
    status: str
    old_blob: str
    new_blob: str
    hunks: tuple[Hunk, ...]

    @property
    def added(self) -> int:
        """Lines that the commit added to the file."""
        return sum(hunk.new_count for hunk in self.hunks)


def changed_lately(root: Path, commits: int) -> list[str]:
    """The files that the newest commits changed, the one changed last first; of merges, nothing.

    :param commits: how many commits are asked.
    """
    asked = ("log", f"--max-count={commits}", "--no-merges", "--format=", "--name-only", "-z")
    names = [name.strip(b"\n") for name in run_git(root, *asked).split(b"\0")]
    return list(dict.fromkeys(name.decode("utf-8", "surrogateescape") for name in names if name))


def commits(
    root: Path,
    revisions: str = "HEAD",
    *,
    limit: int | None = None,
    since: str | None = None,
    first_parent: bool = False,
) -> list[Commit]:
    """The commits of a range without merges, newest first: descendants come first, whatever the dates.

    :param revisions: a revision or a range ``A..B``.
    :param since: a date as git understands it.
    """
    arguments = ["log", "--no-merges", "--date-order", "--format=%H%x1f%P%x1f%ct%x1f%aE"]
    arguments += [f"--max-count={limit}"] if limit is not None else []
    arguments += [f"--since={since}"] if since else []
    arguments += ["--first-parent"] if first_parent else []
    found = []
    for line in run_git(root, *arguments, revisions, "--").decode("utf-8", "replace").split("\n"):
        if line:
            name, parents, seconds, author = line.split("\x1f", 3)
            parent = parents.split()[0] if parents else None
            found.append(Commit(name, parent, int(seconds), sha256(author.encode()).hexdigest()[:12]))
    return found


def changes(root: Path, commit: Commit) -> list[Change]:
    """The regular files that a commit added or changed, with their hunks.

    Deletions are left out, and so are links that became files (git prints two patches for one such entry).
    """
    against = [commit.parent] if commit.parent else ["--root"]
    output = run_git(
        root,
        "diff-tree",
        "-r",
        "-M",
        "--no-commit-id",
        "--raw",
        "-p",
        # Without a line of context git leaves out the common end of two files first, and a new function would begin
        # with the end of the one before it.
        "-U1",
        "--indent-heuristic",
        "--full-index",
        "--no-abbrev",
        "--no-ext-diff",
        "--no-textconv",
        "--no-color",
        "--src-prefix=a/",
        "--dst-prefix=b/",
        "--diff-filter=AMRC",
        "--ignore-submodules=all",
        *against,
        commit.id,
        "--",
    )
    raw, _, patch = output.partition(b"\n\n")
    files = [change for line in raw.split(b"\n") if (change := _raw_change(line))]
    hunks = list(_hunks_by_file(patch))
    if len(hunks) < len(files):
        hunks += [()] * (len(files) - len(hunks))
    return [
        Change(f.path, f.old_path, f.status, f.old_blob, f.new_blob, h)
        for f, h in zip(files, hunks, strict=False)
        if f.new_blob != NO_BLOB
    ]


def _raw_change(line: bytes) -> Change | None:
    match = _RAW.match(line)
    if not match:
        return None
    names = [_unquote(name) for name in line[match.end() :].split(b"\t")]
    regular = match[2] in _REGULAR_FILES
    new_blob = match[4].decode() if regular else NO_BLOB
    return Change(names[-1], names[0], match[5].decode(), match[3].decode(), new_blob, ())


def _unquote(name: bytes) -> str:
    """A path as git prints it: C-quoted where it holds control characters or quotes."""
    if name.startswith(b'"') and name.endswith(b'"'):
        body = name[1:-1]
        plain = {b"t": b"\t", b"n": b"\n", b"r": b"\r", b'"': b'"', b"\\": b"\\", b"a": b"\a", b"b": b"\b", b"f": b"\f"}
        plain[b"v"] = b"\v"
        name = re.sub(
            rb"\\([0-7]{3}|.)",
            lambda m: bytes([int(m[1], 8)]) if len(m[1]) == 3 else plain.get(m[1], m[1]),
            body,
        )
    return name.decode("utf-8", "surrogateescape")


def _hunks_by_file(patch: bytes) -> Iterator[tuple[Hunk, ...]]:
    """The hunks of each file of a patch, in the order of the files; a file without any gives an empty tuple."""
    hunks: list[Hunk] | None = None
    lines = patch.split(b"\n")
    place = 0
    while place < len(lines):
        line = lines[place]
        place += 1
        if line.startswith(b"diff --git "):
            if hunks is not None:
                yield tuple(hunks)
            hunks = []
        elif hunks is not None and (match := _HUNK.match(line)):
            found, place = _hunks_of_body(lines, place, match)
            hunks += found
    if hunks is not None:
        yield tuple(hunks)


def _hunks_of_body(lines: list[bytes], place: int, header: re.Match[bytes]) -> tuple[list[Hunk], int]:
    """The hunks below a header, and the place behind them: one for each run of lines that no context line divides.

    The body is read by its line counts, so that added text is never read as a header.
    """
    old_left, new_left = (int(header[group]) if header[group] is not None else 1 for group in (2, 4))
    # A count of 0 names the line before the place; otherwise the first line itself, both from 1.
    old, new = int(header[1]) - (1 if old_left else 0), int(header[3]) - (1 if new_left else 0)
    old_end, new_end = old + old_left, new + new_left
    found = []
    old_start, new_start = old, new
    while place < len(lines) and (old < old_end or new < new_end or lines[place].startswith(b"\\ ")):
        mark = lines[place][:1]
        place += 1
        if mark == b"\\":
            continue
        old += mark != b"+"
        new += mark != b"-"
        if mark not in (b"+", b"-"):  # an empty line of context may have no blank
            found.append(Hunk(old_start, old - 1 - old_start, new_start, new - 1 - new_start))
            old_start, new_start = old, new
    found.append(Hunk(old_start, old - old_start, new_start, new - new_start))
    return [hunk for hunk in found if hunk.old_count or hunk.new_count], place
