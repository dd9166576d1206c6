"""Runs git; no other module starts it.

Opening a repository must not run its code, but git's configuration inside ``.git`` can name programs (file system
monitors, hooks, text converters, pagers, transports, signature checkers). Every call therefore goes through
:func:`run_git` or :func:`cat_file_batch`. They remove git's variables from the environment, override these keys on the
command line, which takes precedence over the repository's file, and forbid every transport. Commands that write to the
repository or contact another one are refused.
"""

import contextlib
import hashlib
import os
import shutil
import stat
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

from indexer.errors import UserError
from indexer.repository.git_folder import git_folder

TIMEOUT = 120.0
SUSPICIOUS_S = 5.0
"""After this time it is checked whether git waits for a pipe; if not, it gets all of ``TIMEOUT``."""

_OWN_FILES = ("HEAD", "config", "config.worktree", "index", "info/exclude", "info/attributes", "packed-refs", "shallow")

# The commands that Ondol needs; all of them only read. Before adding one, check which programs it can start.
_COMMANDS = frozenset(
    {
        "cat-file",
        "config",
        "diff-tree",
        "for-each-ref",
        "log",
        "ls-files",
        "ls-tree",
        "merge-base",
        "rev-list",
        "rev-parse",
        "show",
        "symbolic-ref",
        "version",
    }
)
# These print patches, so they run diff drivers named by .gitattributes unless an option forbids it.
_PATCHING = frozenset({"diff-tree", "log", "show"})

_OVERRIDES = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.quotePath": "false",
    "core.pager": "cat",
    "core.sshCommand": "false",
    "core.gitProxy": "",
    "core.askPass": "",
    "core.alternateRefsCommand": "",
    "core.untrackedCache": "false",
    "core.attributesFile": os.devnull,
    "credential.helper": "",
    "diff.external": "",
    "diff.trustExitCode": "false",
    "i18n.logOutputEncoding": "UTF-8",
    "log.showSignature": "false",
    "gpg.program": "false",
    "gpg.openpgp.program": "false",
    "gpg.x509.program": "false",
    "gpg.ssh.program": "false",
    "protocol.allow": "never",
    "submodule.recurse": "false",
    "color.ui": "false",
    "column.ui": "never",
}


def find_root(path: Path) -> Path:
    """The repository's root around ``path``, or the folder itself (a file's own folder) if there is none.

    :raises UserError: there is no such path.
    """
    try:
        resolved = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise UserError(f"there is no folder {path}", "name an existing file or folder") from error
    start = resolved if resolved.is_dir() else resolved.parent
    for folder in (start, *start.parents):
        if is_repository(folder) or is_bare(folder):
            return folder
    return start


def is_too_wide(root: Path) -> bool:
    """Whether a folder is the file system's root or the user's home, and no repository."""
    try:
        home = Path.home()
    except RuntimeError:  # there is none
        home = None
    return root in (Path(root.anchor), home) and not is_repository(root)


def is_repository(root: Path) -> bool:
    """Whether ``root`` is the top of a git work tree: it has a ``.git`` that is a repository or points to one."""
    dot_git = root / ".git"
    try:
        return dot_git.is_file() or _looks_like_git_directory(dot_git)
    except OSError:  # a path that is too long, for example
        return False


def is_bare(root: Path) -> bool:
    """Whether ``root`` is a git directory itself, with no files checked out."""
    return _looks_like_git_directory(root) and root.name != ".git"


def head(root: Path) -> str | None:
    """The commit that is checked out, or None if there are no commits yet."""
    return _optional(root, "rev-parse", "--verify", "--quiet", "--end-of-options", "HEAD^{commit}")


def has_commit(root: Path, commit: str) -> bool:
    """Whether the repository has this commit, given by its full id."""
    return _optional(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}") is not None


def branch(root: Path) -> str | None:
    """The branch that is checked out, or None where HEAD is detached."""
    return _optional(root, "symbolic-ref", "--short", "--quiet", "HEAD")


def is_shallow(root: Path) -> bool:
    """Whether the history was cut off when the repository was cloned."""
    return _optional(root, "rev-parse", "--is-shallow-repository") == "true"


def is_partial(root: Path) -> bool:
    """Whether a filter held back objects when the repository was cloned, which git would fetch when they are read."""
    return _optional(root, "config", "--get-regexp", r"^remote\..*\.promisor$") is not None


def blob_id(data: bytes) -> str:
    """Git's blob id of these bytes (SHA-1, 40 hexadecimal digits); also used for content outside git."""
    digest = hashlib.sha1(b"blob %d\0" % len(data), usedforsecurity=False)
    digest.update(data)
    return digest.hexdigest()


def pipe_in_the_way(root: Path) -> str | None:
    """A file that git would wait for: a pipe, a socket or a device in the place of one of its own files; or None."""
    for folder in {git_folder(root) or root / ".git", root}:
        for name in _OWN_FILES if folder != root else (".gitignore", ".gitattributes", ".gitmodules"):
            with contextlib.suppress(OSError):
                mode = (folder / name).stat().st_mode
                if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                    return str(folder / name)
    return None


def listed(root: Path, paths: Sequence[str]) -> list[str]:
    """Of some files and the files below some folders, those that are tracked or untracked.

    :param paths: POSIX, relative to ``root``. Names of the result that end in ``/`` are repositories of their own.
    """
    line = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--")
    return list(dict.fromkeys(_text(name) for name in _split(run_git(root, *line, *paths, timeout=SUSPICIOUS_S))))


class GitWaits(UserError):
    """Git would wait for a pipe."""


class TreeEntry(NamedTuple):
    """A file, link or submodule in the tree of a commit.

    :param mode: git's mode as text, e.g. ``100644``, ``120000`` (link), ``160000`` (submodule).
    :param blob: the id of its content; of a submodule, the id of a commit elsewhere.
    :param path: POSIX, relative to the top of the tree, decoded with ``surrogateescape``.
    """

    mode: str
    blob: str
    path: str

    @property
    def is_regular(self) -> bool:
        """Whether it is a plain file, executable or not."""
        return self.mode in ("100644", "100755")


def ls_tree(root: Path, commit: str) -> list[TreeEntry]:
    """Everything in the tree of a commit but its folders, in git's order.

    :raises UserError: there is no such commit, or git cannot read all of its tree.
    """
    entries = []
    for record in _split(run_git(root, "ls-tree", "-r", "-z", "--full-tree", "--end-of-options", commit)):
        info, _, name = record.partition(b"\t")
        mode, _, blob = info.decode("ascii").split(maxsplit=2)
        entries.append(TreeEntry(mode, blob, _text(name)))
    return entries


def run_git(root: Path, *args: str, stdin: bytes | None = None, timeout: float = TIMEOUT) -> bytes:
    """Run a reading git command in ``root`` and return what it printed.

    :param args: the command and its arguments; put ``--`` or ``--end-of-options`` before names that come from data.
    :param stdin: bytes for its standard input; None closes it.
    :param timeout: seconds after which git is killed.
    :raises UserError: git is missing, refuses, or does not answer in time.
    """
    try:
        done = subprocess.run(
            command(root, *args),
            input=stdin if stdin is not None else b"",
            capture_output=True,
            env=environment(root),
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"git {args[0]} in {root} did not answer within {timeout:.0f} s",
            "check the disk, or exclude the folder that is slow",
        ) from error
    except OSError as error:
        raise UserError(f"git could not be started ({error.strerror or error})", "install git") from error
    if done.returncode:
        raise _refusal(root, args[0], done.stderr)
    return done.stdout


def cat_file_batch(root: Path, ids: Iterable[str], max_bytes: int | None = None) -> Iterator[tuple[str, bytes | None]]:
    """Stream the contents of objects from one git process, in the order of ``ids``.

    :param ids: object ids, or ``commit:path``; a name with a line break yields None.
    :param max_bytes: larger objects are skipped and yielded as None, so memory stays bounded.
    :returns: (id, bytes), or (id, None) if there is no such object or it is too large.
    """
    process = subprocess.Popen(
        command(root, "cat-file", "--batch"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(root),
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        names = iter(ids)
        # 32 requests stay far below a pipe's 64 KiB, so the write cannot block while git waits for a read.
        while batch := list(islice(names, 32)):
            valid = [name for name in batch if _is_one_line(name)]
            process.stdin.write(b"".join(os.fsencode(name) + b"\n" for name in valid))
            process.stdin.flush()
            for name in batch:
                yield name, _content(root, name, process.stdout, max_bytes) if _is_one_line(name) else None
    except BrokenPipeError as error:
        ended = UserError(f"git stopped while reading {root}", "run git fsck there")
        raise (_partial(root) if is_partial(root) else ended) from error  # where it may not fetch, old git ends
    finally:
        process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.kill()
        process.wait()


def command(root: Path, *args: str) -> list[str]:
    """The hardened argument list for ``git args``; for a caller that must stream, together with :func:`environment`."""
    if not args or args[0] not in _COMMANDS:
        raise ValueError(f"git {args[0] if args else ''} is not one of the reading commands")
    if (pipe := pipe_in_the_way(root)) is not None:
        raise GitWaits(f"{pipe} is not a regular file, so git would wait for it", "remove it")
    line = [_executable(), "--no-pager", "--literal-pathspecs", "--no-replace-objects", "-C", str(root)]
    if not is_bare(root):
        # A repository's core.worktree could point anywhere; the option wins over it.
        line.append(f"--work-tree={root.absolute()}")  # git reads a relative one from where -C has led
    for key, value in _OVERRIDES.items():
        line += ["-c", f"{key}={value}"]
    line.append(args[0])
    if args[0] in _PATCHING:
        line += ["--no-ext-diff", "--no-textconv"]
    return [*line, *args[1:]]


def environment(root: Path, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for git: this process's without git's variables, with transports and programs switched off."""
    source = os.environ if base is None else base
    kept = {name: value for name, value in source.items() if not name.upper().startswith("GIT_")}
    return kept | {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_PAGER": "cat",
        "GIT_EDITOR": "false",
        # Git looks no further up than the root it was given.
        "GIT_CEILING_DIRECTORIES": str(root.parent),
        "LC_ALL": "C",
    }


def _executable() -> str:
    """The absolute path of git, never one in the working directory."""
    folders = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if Path(folder).is_absolute()]
    found = shutil.which("git", path=os.pathsep.join(folders))
    if found is None:
        raise UserError("git is not installed", "install git and try again")
    return found


def _looks_like_git_directory(path: Path) -> bool:
    """Whether a folder has the three entries that git requires of a git directory."""
    try:
        return (path / "HEAD").is_file() and (path / "objects").is_dir() and (path / "refs").is_dir()
    except OSError:
        return False


def _optional(root: Path, *args: str) -> str | None:
    """The one line that a query prints, or None if it has no answer."""
    done = subprocess.run(
        command(root, *args),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(root),
        check=False,
        timeout=TIMEOUT,
    )
    if done.returncode == 128 and b"dubious ownership" in done.stderr:
        raise _refusal(root, args[0], done.stderr)
    return _text(done.stdout).strip() or None if done.returncode == 0 else None


def _refusal(root: Path, name: str, stderr: bytes) -> UserError:
    said = _text(stderr).strip().splitlines()
    if b"dubious ownership" in stderr:
        return UserError(
            f"git refuses {root} because another user owns it",
            f"run: git config --global --add safe.directory {root}",
        )
    if b"promisor" in stderr:
        return _partial(root)
    if b"not a git repository" in stderr:
        return UserError(f"{root} is not a usable git repository", "run git fsck there, or remove its .git")
    return UserError(f"git {name} failed in {root} ({said[0] if said else 'no message'})", "run git fsck there")


def _is_one_line(name: str) -> bool:
    return bool(name) and "\n" not in name and "\0" not in name


def _content(root: Path, name: str, stream: IO[bytes], max_bytes: int | None) -> bytes | None:
    try:
        return _read_object(stream, max_bytes)
    except LookupError:
        if ":" not in name and is_partial(root):
            raise _partial(root) from None
        return None


def _partial(root: Path) -> UserError:
    return UserError(
        f"{root} is a partial clone, which lacks some of its history, and nothing is fetched",
        "run git fetch --refetch --no-filter there",
    )


def _read_object(stream: IO[bytes], max_bytes: int | None) -> bytes | None:
    """Read one answer of ``cat-file --batch``: a header line, the bytes, a line feed.

    :raises LookupError: there is no such object.
    """
    header = stream.readline()
    if not header:
        raise BrokenPipeError
    fields = header.split()
    if fields[-1:] == [b"missing"]:
        raise LookupError
    if len(fields) < 3 or not fields[-1].isdigit() or fields[-2] not in (b"blob", b"tree", b"commit", b"tag"):
        return None
    size = int(fields[-1])
    if max_bytes is None or size <= max_bytes:
        data = stream.read(size)
        stream.read(1)
        return data
    left = size + 1
    while left > 0 and (block := stream.read(min(left, 1 << 20))):
        left -= len(block)
    return None


def _split(output: bytes) -> list[bytes]:
    return [record for record in output.split(b"\0") if record]


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
