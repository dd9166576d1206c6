"""A demonstration that cannot cheat: the real server, at the places where the last commits went on.

The index is built of the state *before* those commits, in a temporary folder under the data directory, so nothing of
what the author wrote there can be copied. Where there is no history, whole files are held out instead. Places are
taken in order, newest commit first; what was silent and what was wrong is counted and told like what was right.

This module chooses places and asks; ``grey`` prints.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any, Final

from indexer.config import Settings
from indexer.data_layout import settings_inside, work_directory
from indexer.errors import Fault, UserError
from indexer.repository import git, history, policy
from indexer.repository.history import Change, Commit, Hunk
from indexer.types import Source
from lsp_server.commands.lsp_client import Client, edit
from lsp_server.server.index_process import console_script, environment

STEPS: Final = (1, 3, 6, 12, 25, 50, 100)
"""How far back the index may go, in steps along the first parents; as few as give ``ADDED_LINES``."""

ADDED_LINES: Final = 600
COMMITS: Final = 100
"""Commits whose places are asked at, at most."""

TRIES_PER_SHOWN: Final = 30
TRIES_PER_HUNK: Final = 4
SHOWN_PER_FILE: Final = 2
NOT_CODE: Final = frozenset({"text", "markdown", "rst", "json", "yaml", "toml", "html", "css", "xml", "ini"})
"""Places are in source code: how well versions in configuration files are guessed interests nobody."""

HELD_OUT: Final = 10
"""Without history, one file in this many is held out."""

_WORTH_TYPING = re.compile(r"\w.*\w")
_TOKEN_END = re.compile(r"(?<=\w)(?=\W)|(?<=[(.,=\[{ ])(?=\S)")


@dataclass(frozen=True, slots=True)
class Place:
    """A document while its author was typing: text before the cursor, after it, and what the author then wrote."""

    path: str
    before: str
    after: str
    author: str
    language: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One completion that was shown unasked, beside what the author wrote (as many lines of it)."""

    path: str
    line: int
    typed: str
    grey: str
    author: str
    source: str
    milliseconds: float
    right: bool
    partly: bool


@dataclass(slots=True)
class Result:
    """The outcome. ``premise`` says what the index knew; ``silent`` counts the places where nothing was shown."""

    premise: str
    shown: list[Shown] = field(default_factory=list)
    silent: int = 0
    milliseconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)


def run(
    root: Path,
    settings: Settings,
    count: int,
    tell: Callable[[str], None],
    progress: Callable[[Any], None] | None = None,
) -> Result:
    """Demonstrate on a repository until ``count`` completions were shown, or the places end.

    :param tell: is told what is being done. :param progress: is told how far the index is.
    :raises UserError: there is nothing to demonstrate on.
    """
    with work_directory(settings, "demo") as work:
        tree = work / (root.name or "repository")
        tree.mkdir()
        premise, places = _stage(root, tree, settings)
        inner = settings_inside(settings, work)
        _index(tree, inner, tell, progress)
        result = Result(premise)
        _ask(tree, inner, places, count, result, tell)
        return result


# What the index may know, and where to ask


def _stage(root: Path, tree: Path, settings: Settings) -> tuple[str, Iterator[Place]]:
    """Write the earlier state into ``tree``; return what was done, in a sentence, and the places."""
    window = _window(root) if git.is_repository(root) or git.is_bare(root) else None
    if window is None:
        return _hold_out(root, tree, settings)
    base, commits = window
    _check_out(root, base, tree, settings)
    made = int(git.run_git(root, "log", "-1", "--format=%ct", base, "--"))
    count = int(git.run_git(root, "rev-list", "--count", "--no-merges", f"{base}..HEAD", "--"))
    premise = (
        f"{root.name} as it was before its last {count:,} commits (at {base[:10]} of "
        f"{datetime.fromtimestamp(made, UTC):%Y-%m-%d}): the index knows nothing of them, and each place is one where "
        "one of them went on in source code."
    )
    return premise, _places(root, commits, settings)


def _window(root: Path) -> tuple[str, list[Commit]] | None:
    """A commit, and all commits since: as few as give enough added lines. None where there is no such history.

    Since ``base..HEAD`` is what is not reachable from ``base``, nothing of these commits is in the state at ``base``,
    whatever was merged in between.
    """
    found = None
    for steps in STEPS:
        try:
            base = git.run_git(root, "rev-parse", "--verify", "--quiet", f"HEAD~{steps}^{{commit}}").decode().strip()
        except UserError:
            break
        commits = history.commits(root, f"{base}..HEAD", limit=COMMITS)
        if commits:
            found = base, commits
        added = sum(min(change.added, 40) for commit in commits for change in _changes(root, commit))
        if added >= ADDED_LINES:
            break
    return found


def _changes(root: Path, commit: Commit) -> list[Change]:
    """What a commit did; nothing where git has not got all of it, as in clones that fetch blobs when needed."""
    try:
        return history.changes(root, commit)
    except UserError:
        return []


def _check_out(root: Path, commit: str, tree: Path, settings: Settings) -> None:
    """Write a commit's regular files, without git's filters and hooks, and without links."""
    names: dict[str, list[str]] = {}
    for entry in git.ls_tree(root, commit):
        if entry.is_regular and not policy.bad_path(entry.path):
            names.setdefault(entry.blob, []).append(entry.path)
    for blob, data in git.cat_file_batch(root, names, settings.max_file_bytes):
        for path in names[blob] if data is not None else []:
            _write(tree / path, data or b"")


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _hold_out(root: Path, tree: Path, settings: Settings) -> tuple[str, Iterator[Place]]:
    from indexer.repository.walk import walk

    kept: list[Source] = []
    held: list[Source] = []
    for entry in walk(root, settings)[0]:
        found = policy.read_source(root, entry, settings)
        if isinstance(found, Source) and found.language not in NOT_CODE:
            chosen = int(sha256(entry.path.encode("utf-8", "surrogateescape")).hexdigest(), 16) % HELD_OUT == 0
            (held if chosen and found.text.count("\n") > 10 else kept).append(found)
    if not held:
        held, kept = kept[:1], kept[1:]
    if not held:
        raise UserError(f"{root} holds no source files", "name a repository with code in it")
    for source in kept:
        _write(tree / source.path, source.text.encode("utf-8", "surrogatepass"))
    premise = (
        f"{root.name} has no history to go by, so {len(held)} of its {len(held) + len(kept)} files were held out: "
        "the index knows nothing of them, and each place is in one of them."
    )
    return premise, _places_in(held)


def _places_in(held: Sequence[Source]) -> Iterator[Place]:
    for source in held:
        lines = source.text.replace("\r\n", "\n").split("\n")
        step = max(1, len(lines) // 12)
        for number in range(step // 2, len(lines), step):
            yield from _at(source.path, source.language, lines[:number], lines[number:], [], number)


def _places(root: Path, commits: Sequence[Commit], settings: Settings) -> Iterator[Place]:
    for commit in commits:
        for change in _changes(root, commit):
            wanted = [blob for blob in (change.old_blob, change.new_blob) if blob != history.NO_BLOB]
            blobs = dict(git.cat_file_batch(root, wanted, settings.max_file_bytes))
            old = _text(change.path, blobs.get(change.old_blob), settings)
            new = _text(change.path, blobs.get(change.new_blob), settings)
            if new is None or new.language in NOT_CODE:
                continue
            for hunk in change.hunks:
                yield from _places_of(change, hunk, old.text if old else "", new)


def _text(path: str, data: bytes | None, settings: Settings) -> Source | None:
    found = policy.source_from_bytes(path, data, settings) if data is not None else None
    return found if isinstance(found, Source) else None


def _places_of(change: Change, hunk: Hunk, old_text: str, new: Source) -> Iterator[Place]:
    """Lines of one hunk, evenly, as they were typed: over the old lines, from the top."""
    old = old_text.replace("\r\n", "\n").split("\n")
    lines = new.text.replace("\r\n", "\n").split("\n")
    added = lines[hunk.new_start : hunk.new_start + hunk.new_count]
    step = max(1, -(-len(added) // TRIES_PER_HUNK))
    for number in range(0, len(added), step):
        before = old[: hunk.old_start] + added[:number]
        after = old[hunk.old_start + min(number + 1, hunk.old_count) :]
        yield from _at(change.path, new.language, before, added[number:], after, number)


def _at(
    path: str, language: str, before: list[str], author: list[str], after: list[str], number: int
) -> Iterator[Place]:
    """One cursor in the first line of ``author``: after its indentation, after a third or after half of it."""
    line = author[0]
    body = line.strip()
    if not _WORTH_TYPING.search(body) or len(body) < 8:
        return
    indent = len(line) - len(line.lstrip())
    ends = [match.start() for match in _TOKEN_END.finditer(line) if indent < match.start() < len(line.rstrip())]
    column = indent if number % 3 == 0 or not ends else ends[len(ends) // (3 if number % 3 == 1 else 2)]
    start = "\n".join([*before, line[:column]])
    rest = "\n".join([line[column:], *author[1:]])
    yield Place(path, start, "\n" + "\n".join(after) if after else "", rest, language)


# Asking


def _index(tree: Path, settings: Settings, tell: Callable[[str], None], progress: Callable[[Any], None] | None) -> None:
    from indexer.building.build import build

    began = time.monotonic()
    report = build(tree, settings, progress)
    seconds = time.monotonic() - began
    tell(f"Indexed {report.files:,} files ({report.lines:,} lines) in {seconds:.1f} s; starting the language server.")


def _ask(
    tree: Path, settings: Settings, places: Iterator[Place], count: int, result: Result, tell: Callable[[str], None]
) -> None:
    times: list[float] = []
    shown_in: dict[str, int] = {}
    with Client([*console_script(), "serve", "--stdio"], env=environment(settings)) as client:
        client.initialize([tree])
        client.wait_state("ready")
        for place in places:
            if len(result.shown) >= count or len(times) >= count * TRIES_PER_SHOWN:
                break
            if shown_in.get(place.path, 0) >= SHOWN_PER_FILE:
                continue
            items, milliseconds, sources = _complete(client, tree, place)
            times.append(milliseconds)
            if not items:
                result.silent += 1
                continue
            shown_in[place.path] = shown_in.get(place.path, 0) + 1
            result.shown.append(_judge(place, items[0], milliseconds, sources))
    if not times:
        raise UserError("the last commits added no lines of source code", "name another repository")
    result.milliseconds = round(median(times), 2)


def _complete(client: Client, tree: Path, place: Place) -> tuple[list[dict[str, Any]], float, list[str]]:
    """Open the document, move by one edit as typing does, and ask as an editor asks while one types."""
    uri = (tree / place.path).as_uri()
    line = place.before.count("\n")
    column = len(place.before) - place.before.rfind("\n") - 1
    typed = place.before[-column:] if column else ""
    units = len(typed.encode("utf-16-le", "surrogatepass")) // 2
    client.open(uri, place.before[: len(place.before) - column] + place.after, place.language)
    client.change(uri, 2, edit(line, 0, typed))
    began = time.perf_counter()
    reply = client.wait(client.ask(uri, line, units, automatic=True), 60)
    milliseconds = round(1000 * (time.perf_counter() - began), 2)
    if "error" in reply:
        raise Fault(f"the server answered with an error: {reply['error']}")
    items = (reply["result"] or {"items": []})["items"]
    sources = client.command("ondol.sources", items[0]["command"]["arguments"][0]) if items else []
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    return items, milliseconds, sources or []


def _judge(place: Place, item: dict[str, Any], milliseconds: float, sources: list[str]) -> Shown:
    line = place.before.count("\n")
    typed = place.before[place.before.rfind("\n") + 1 :]
    start = item["range"]["start"]["character"]
    whole = str(item["insertText"]).replace("\r\n", "\n")
    grey = whole[len(typed) - min(start, len(typed)) :].rstrip()
    author = "\n".join(line.rstrip() for line in place.author.split("\n")[: grey.count("\n") + 1])
    right = "\n".join(line.rstrip() for line in grey.split("\n")) == author
    partly = grey.split("\n")[0].rstrip() == author.split("\n")[0] or author.startswith(grey)
    source = sources[0] if sources else ""
    return Shown(place.path, line + 1, typed, grey, author, source, milliseconds, right, partly)
