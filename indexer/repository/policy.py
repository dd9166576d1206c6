"""Which files Ondol reads, and why it leaves the others out.

The cheapest checks come first: name, size, the first bytes, all bytes, the text. Every file that is left out becomes a
:class:`~indexer.types.Skip` with one of the reasons below, so that a report can count them. Files are opened in a way
that reads neither links nor special files. ``walk`` handles git, ignore files and folders.
"""

import errno
import os
import re
import stat
from functools import lru_cache
from pathlib import Path

import pathspec

from indexer.config import Settings
from indexer.ignore_patterns import compile_lines
from indexer.languages.grammars import language_of_text
from indexer.repository.encodings import decode, wide_encoding
from indexer.repository.git import blob_id
from indexer.types import Entry, Skip, Source

# Reasons, as the report shows them.
EXCLUDED = "excluded by settings"
IGNORED = "ignored by git"
ONDOLIGNORED = "ignored by .ondolignore"
BAD_PATTERN = "pattern that cannot be used"
LINK = "link"
SUBMODULE = "submodule or nested repository"
SPECIAL = "not a regular file"
VANISHED = "vanished"
ABSENT = "not in the work tree"
UNREADABLE = "unreadable"
BAD_PATH = "path that leads out"
OWN_DATA = "Ondol's own data"
VERSION_CONTROL = "version control data"
TOO_LARGE = "too large"
LONG_LINES = "lines too long"
BINARY = "binary"
UNDECODABLE = "not text in a known encoding"
GENERATED = "generated"
MINIFIED = "minified"
VENDORED = "vendored"
LOCK_FILE = "lock file"
KEY_FILE = "key or credentials file"
DATA = "data"
LFS_POINTER = "Git LFS pointer"

REASONS = (
    EXCLUDED,
    IGNORED,
    ONDOLIGNORED,
    BAD_PATTERN,
    LINK,
    SUBMODULE,
    SPECIAL,
    VANISHED,
    ABSENT,
    UNREADABLE,
    BAD_PATH,
    OWN_DATA,
    VERSION_CONTROL,
    TOO_LARGE,
    LONG_LINES,
    BINARY,
    UNDECODABLE,
    GENERATED,
    MINIFIED,
    VENDORED,
    LOCK_FILE,
    KEY_FILE,
    DATA,
    LFS_POINTER,
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Vendored code. `external`, `deps` and `lib` are not listed: companies keep their own code there.
VENDORED_FOLDERS = _words(
    """node_modules bower_components jspm_packages vendor vendored third_party third-party thirdparty 3rdparty
    site-packages dist-packages godeps pods carthage .venv venv .tox .nox .eggs .yarn .pnpm-store"""
)
# What git opens in an editor; with `git init --separate-git-dir` its folder has any name.
_GIT_MESSAGES = frozenset(
    {
        *("commit_editmsg", "merge_msg", "squash_msg", "tag_editmsg", "notes_editmsg", "edit_description"),
        *("git-rebase-todo", "addp-hunk-edit.diff", "add_edit.patch"),
    }
)
_VERSION_CONTROL_FOLDERS = frozenset({".git", ".hg", ".svn", ".jj", "cvs"})
_CACHE_FOLDERS = frozenset({"__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".gradle"})

_LOCK_FILES = _words(
    """package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lock bun.lockb deno.lock poetry.lock pdm.lock
    uv.lock pipfile.lock cargo.lock go.sum composer.lock gemfile.lock flake.lock mix.lock pubspec.lock podfile.lock
    package.resolved packages.lock.json gradle.lockfile module.bazel.lock conan.lock .terraform.lock.hcl"""
)
_KEY_FILES = _words(
    """id_rsa id_dsa id_ecdsa id_ed25519 .netrc _netrc .pgpass .htpasswd .npmrc .pypirc .git-credentials .dockercfg
    .env .envrc credentials .s3cfg .boto kubeconfig terraform.tfstate shadow .vault-token"""
)
_KEY_SUFFIXES = _words(
    ".pem .key .p12 .pfx .p8 .jks .keystore .kdbx .ppk .asc .gpg .pgp .crt .cer .der .tfstate .tfvars .ovpn"
)
_ENV_EXAMPLES = frozenset({"example", "sample", "template", "dist", "defaults", "schema", "tpl"})
_BINARY_SUFFIXES = _words(
    """.png .jpg .jpeg .gif .bmp .ico .webp .tif .tiff .psd .pdf .zip .gz .bz2 .xz .zst .7z .rar .tar .tgz .jar .war
    .class .pyc .pyo .so .dll .dylib .exe .o .a .lib .obj .bin .dat .wasm .woff .woff2 .ttf .otf .eot .mp3 .mp4 .wav
    .ogg .flac .avi .mov .mkv .webm .db .sqlite .sqlite3 .npy .npz .pkl .pickle .pt .pth .onnx .safetensors .gguf
    .h5 .parquet .arrow .xls .xlsx .doc .docx .ppt .pptx .odt .ods .fst .vcd .vpd .fsdb .shm .ucdb .dcp .bit .gds .mo"""
)
_DATA_SUFFIXES = _words(".csv .tsv .jsonl .ndjson .svg .ipynb .log .map .snap .hex .mem .srec .geojson")
_GENERATED_NAMES = re.compile(
    r"(?:_pb2(?:_grpc)?\.pyi?|\.pb\.(?:go|cc|h|swift)|\.pb\.gw\.go|_grpc\.pb\.go|\.g\.dart|\.freezed\.dart"
    r"|\.designer\.cs|\.g\.cs|\.g\.i\.cs|_string\.go|\.generated\.[a-z]+)$"
)
_MINIFIED_NAMES = re.compile(r"[.-]min\.(?:js|css|mjs|cjs)$|\.bundle\.js$")
_SCRIPT_SUFFIXES = frozenset({".js", ".mjs", ".cjs", ".css", ".html", ".htm", ".json", ".xml"})

# The comments at the head of a file. Later comments are about other code that is generated.
_HEADER = re.compile(r"(?:[ \t]*(?:(?:#|//|/\*|\*|--|<!--|;|%|\'|REM\b)[^\n]*)?(?:\n|\Z))*+", re.IGNORECASE)
_GENERATED_TEXT = re.compile(
    r"@generated\b|<auto-?generated|\b(?:auto-?|automatically |machine[- ])generated\b"
    r"|\bthis (?:file|code|module|class) (?:is|was|has been) (?:\w+ )?(?:generated|created by a (?:tool|script))\b"
    r"|(?:^|[.!] |(?:#|//|/?\*|--|;|%)[ \t]*)(?:code )?generated (?:by|from|with|using)\b|\bdo not (?:edit|modify)\b"
    r"|\b(?:parser|scanner|lexer|code),? (?:made|produced|generated) by\b",  # Bison, flex, gperf
    re.IGNORECASE | re.MULTILINE,
)
_GENERATED_HEAD = 3000
_SNIFF = 65_536
# Control characters that do not occur in text; tab, line feed, vertical tab, form feed, return and escape it may.
_CONTROL = bytes(code for code in range(32) if code not in (9, 10, 11, 12, 13, 27)) + b"\x7f"
# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md: a pointer has less than 1,024 bytes.
# Earlier versions wrote other addresses, and editors add a byte order mark.
_LFS_START = re.compile(
    rb"(?:\xef\xbb\xbf)?version https?://(?:(?:git-lfs|hawser)\.github\.com/spec/|git-media\.io/v/)", re.ASCII
)
_LFS_LIMIT = 1024
_LINE_LENGTH_MEANT_BY_PEOPLE = 1000
_SCRIPT_LINE_LENGTH_MEANT_BY_PEOPLE = 250


def accepts_path(path: str, settings: Settings) -> str | None:
    """Why a file of this name is left out, or None."""
    folder, slash, name = path.rpartition("/")
    above = _reason_of_folder(folder, settings.include_vendored) if slash else None
    if above == BAD_PATH or bad_path(name):
        return BAD_PATH
    if settings.exclude and _excluder(settings.exclude).match_file(path):
        return EXCLUDED
    if above is not None:
        return above
    name = name.lower()
    if name in _GIT_MESSAGES:
        return VERSION_CONTROL
    if is_key_file(name):
        return KEY_FILE
    if name in _LOCK_FILES:
        return LOCK_FILE
    suffix = _suffix(name)
    if suffix in _BINARY_SUFFIXES:
        return BINARY
    if suffix in _DATA_SUFFIXES:
        return DATA
    if _MINIFIED_NAMES.search(name):
        return MINIFIED
    if not settings.include_generated and _GENERATED_NAMES.search(name):
        return GENERATED
    return None


@lru_cache(maxsize=4096)
def _reason_of_folder(folder: str, include_vendored: bool) -> str | None:
    """Why all files in a folder are left out, or None. Kept, since the kernel has 79,000 files in 5,000 folders."""
    if bad_path(folder):
        return BAD_PATH
    for part in folder.lower().split("/"):
        if part in _VERSION_CONTROL_FOLDERS:
            return VERSION_CONTROL
        if part in VENDORED_FOLDERS and not include_vendored:
            return VENDORED
        if part in _CACHE_FOLDERS:
            return GENERATED
    return None


def is_version_control(path: str) -> bool:
    """Whether a path, relative or not, is of version control's own data: commit messages that are being written too."""
    *folders, name = path.lower().replace("\\", "/").split("/")
    return name == ".git" or name in _GIT_MESSAGES or not _VERSION_CONTROL_FOLDERS.isdisjoint(folders)


def is_key_file(name: str) -> bool:
    """Whether a file of this name (lower case, no folder) is likely to be nothing but secrets."""
    if name in _KEY_FILES or _suffix(name) in _KEY_SUFFIXES:
        return True
    if name.startswith(".env.") or name.endswith(".env"):
        return not _ENV_EXAMPLES & set(name.split("."))
    return False


def bad_path(path: str) -> bool:
    """Whether a relative POSIX path could lead out of the root or into git's own directory."""
    if not path or path.startswith("/") or "\0" in path or (os.name == "nt" and ("\\" in path or ":" in path)):
        return True
    return any(part in ("", ".", "..") or part.lower() in (".git", "git~1") for part in path.split("/"))


def read_source(root: Path, entry: Entry, settings: Settings) -> Source | Skip:
    """Read one file of the walk: opened without following links, checked, decoded, secrets masked. Never raises."""
    reason = accepts_path(entry.path, settings)
    if reason is None and entry.size > settings.max_file_bytes:
        reason = TOO_LARGE
    if reason is not None:
        return Skip(entry.path, reason)
    data = read_bytes(root, entry.path, settings.max_file_bytes)
    if isinstance(data, str):
        return Skip(entry.path, data)
    return _judge(entry.path, data, settings)


def source_from_bytes(path: str, data: bytes, settings: Settings) -> Source | Skip:
    """Apply the same checks to bytes from elsewhere: git history, open documents. Never raises."""
    reason = accepts_path(path, settings)
    if reason is None and len(data) > settings.max_file_bytes:
        reason = TOO_LARGE
    return Skip(path, reason) if reason is not None else _judge(path, data, settings)


def read_bytes(root: Path, path: str, limit: int) -> bytes | str:
    """The bytes of ``root/path``, or the reason why they cannot be read. No component of ``path`` may be a link."""
    try:
        descriptor = _open_beneath(root, path)
    except OSError as error:
        return _reason_of(error)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return SPECIAL
        if status.st_size > limit:
            return TOO_LARGE
        with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as file:
            data = file.read(limit + 1)
        return TOO_LARGE if len(data) > limit else data
    except OSError as error:
        return _reason_of(error)
    finally:
        os.close(descriptor)


def _open_beneath(root: Path, path: str) -> int:
    """Open ``path`` for reading, component by component from ``root``, so that no link is ever followed.

    Non-blocking, so that a pipe put in the file's place cannot hold the indexer up.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    if os.open not in os.supports_dir_fd:
        place = root
        for part in path.split("/"):
            place = place / part
            if place.is_symlink():
                raise OSError(errno.ELOOP, "link")
        return os.open(place, flags)
    *folders, name = path.split("/")
    directory_flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in folders:
            inner = os.open(part, directory_flags, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(name, flags, dir_fd=folder)
    finally:
        os.close(folder)


def _reason_of(error: OSError) -> str:
    if error.errno in (errno.ENOENT, errno.ESTALE):
        return VANISHED
    if error.errno == errno.ELOOP:
        return LINK
    if error.errno == errno.ENOTDIR:
        return LINK  # a folder on the way was replaced by a link or a file
    if error.errno in (errno.ENXIO, errno.EISDIR, errno.ENODEV):
        return SPECIAL
    return UNREADABLE


def _judge(path: str, data: bytes, settings: Settings) -> Source | Skip:
    """The checks of a file's bytes, cheapest first."""
    if _is_binary(data):
        return Skip(path, BINARY)
    if len(data) < _LFS_LIMIT and _LFS_START.match(data):
        return Skip(path, LFS_POINTER)
    text, encoding = decode(data)
    if "\0" in text:
        return Skip(path, BINARY)
    reason = _reason_in_text(path, text, encoding, settings)
    if reason is not None:
        return Skip(path, reason)
    from indexer.secrets.masking import mask  # .2 s, which an update that reads no file does not need

    masked, count = mask(text, path)
    return Source(path, blob_id(data), language_of_text(path, text), masked, encoding, count)


def _is_binary(data: bytes) -> bool:
    """A zero byte outside UTF-16 and UTF-32, or more than 1 % control characters, in the first 64 KiB."""
    head = data[:_SNIFF]
    if b"\0" in head:
        return not head.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")) and wide_encoding(data) is None
    return len(head) - len(head.translate(None, _CONTROL)) > len(head) // 100 + 2


def _reason_in_text(path: str, text: str, encoding: str, settings: Settings) -> str | None:
    lines = text.count("\n") + text.count("\r") - text.count("\r\n") + 1
    if len(text) > settings.max_line_chars and _has_long_line(text, settings.max_line_chars):
        return LONG_LINES
    suffix = _suffix(path.lower())
    usual = _SCRIPT_LINE_LENGTH_MEANT_BY_PEOPLE if suffix in _SCRIPT_SUFFIXES else _LINE_LENGTH_MEANT_BY_PEOPLE
    if len(text) > 5000 and len(text) / lines > usual:
        return MINIFIED
    if encoding == "latin-1" and sum(1 for character in text if "\x80" <= character <= "\x9f") > len(text) // 50:
        return UNDECODABLE
    if not settings.include_generated and _says_it_is_generated(text):
        return GENERATED
    return None


def _says_it_is_generated(text: str) -> bool:
    """Whether the comments at the head of a file, 3,000 characters at most, say that it was generated."""
    head = text[:_GENERATED_HEAD]
    lowered = head.lower()
    if lowered.startswith("#line "):  # only a program begins a file by naming another one
        return True
    if not any(word in lowered for word in ("generated", "do not edit", "do not modify", "made by", "produced by")):
        return False
    header = _HEADER.match(head)
    return header is not None and _GENERATED_TEXT.search(header.group(0)) is not None


def _suffix(name: str) -> str:
    """The ending of a file name with its dot; empty for none. Three times as fast as pathlib's."""
    return os.path.splitext(name)[1]  # noqa: PTH122


def _has_long_line(text: str, limit: int) -> bool:
    """Whether a line is longer than ``limit``; jumps from line end to line end, so cheap on ordinary text."""
    position = 0
    while position + limit < len(text):
        end = max(text.rfind("\n", position, position + limit + 1), text.rfind("\r", position, position + limit + 1))
        if end < 0:
            return True
        position = end + 1
    return False


@lru_cache(maxsize=16)
def _excluder(patterns: tuple[str, ...]) -> pathspec.GitIgnoreSpec:
    return compile_lines(patterns)[0]
