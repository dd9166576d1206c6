"""Reads ``.editorconfig`` files (editorconfig.org) for one question: with what does a file indent?

Only ``indent_style`` and ``indent_size`` are used. A file that cannot be read or understood says nothing. The file is
the repository's, so its size, its sections and the time to match each are bounded.
"""

import re
import stat
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

from indexer.ignore_patterns import final_stars

NAME: Final = ".editorconfig"

LARGEST: Final = 64_000
"""Bytes of the largest file that is read."""

SECTIONS: Final = 100
"""Sections of a file that are read."""

LONGEST: Final = 200
"""Characters of the longest pattern and of the longest path that are compared."""

TRIED: Final = 3
"""Stars of a pattern whose every length is tried: with twelve, a name of 30 letters took more than 20 s (measured)."""

MATCHING_S: Final = 0.05
"""Patterns are compared with a path for so long, at most."""

WIDEST: Final = 16
"""Blanks of the widest level that is believed."""


def unit(root: Path, path: str) -> str | None:
    """Return the blanks of one level in a file, or None where no ``.editorconfig`` says so.

    :param root: the repository. :param path: the file, relative to it (POSIX).
    """
    found: dict[str, str] = {}
    until = time.monotonic() + MATCHING_S
    parts = path.split("/")
    folders = [root.joinpath(*parts[:depth]) for depth in range(len(parts))]
    for folder, depth in zip(reversed(folders), reversed(range(len(parts))), strict=True):
        top, sections = _sections(folder / NAME)
        relative = "/".join(parts[depth:])
        here: dict[str, str] = {}
        for pattern, values in sections:
            if time.monotonic() > until:
                return None
            if _matches(pattern, relative):
                here |= values
        found = here | found
        if top:
            break
    style, size = found.get("indent_style"), found.get("indent_size", "")
    if style == "tab" or (style is None and size == "tab"):
        return "\t"
    if size.isdecimal() and 0 < int(size) <= WIDEST:
        return " " * int(size)
    return None


def _sections(file: Path) -> tuple[bool, list[tuple[str, dict[str, str]]]]:
    try:
        status = file.stat()
        if status.st_size > LARGEST or not stat.S_ISREG(status.st_mode):
            return False, []
        return _parsed(file, status.st_mtime_ns, status.st_size)
    except (OSError, ValueError):
        return False, []


@lru_cache(maxsize=64)
def _parsed(file: Path, changed: int, size: int) -> tuple[bool, list[tuple[str, dict[str, str]]]]:
    """Return whether a file is the topmost one, and its sections; kept while the file does not change."""
    top = False
    sections: list[tuple[str, dict[str, str]]] = []
    values: dict[str, str] = {}
    for line in file.read_text("utf-8", "replace").splitlines():
        body = line.strip()
        if body.startswith(("#", ";")):
            continue
        if body.startswith("[") and body.endswith("]"):
            values = {}
            if len(sections) < SECTIONS:
                sections.append((body[1:-1], values))
        elif "=" in body:
            name, _, value = (part.strip().lower() for part in body.partition("="))
            values[name] = value
            top = top or (not sections and name == "root" and value == "true")
    return top, sections


@lru_cache(maxsize=512)
def _matches(pattern: str, path: str) -> bool:
    """Return whether a section is about a path; a pattern without a slash is about the file's name."""
    if "/" not in pattern:
        path = path.rpartition("/")[2]
    if len(pattern) > LONGEST or len(path) > LONGEST:
        return False
    expression = final_stars("".join(_translated(pattern.removeprefix("/"))))
    if expression.count(".*") + len(_TRIED_STAR.findall(expression)) > TRIED:
        return False
    try:
        return re.fullmatch(expression, path) is not None
    except re.error:
        return False


_TRIED_STAR = re.compile(r"\[\^/\]\*(?!\?)")


def _translated(pattern: str) -> Iterator[str]:
    """Yield the parts of the regular expression of a pattern."""
    at, depth = 0, 0
    while at < len(pattern):
        mark = pattern[at]
        numbers = re.match(r"\{(-?\d+)\.\.(-?\d+)\}", pattern[at:])
        characters = re.match(r"\[([!^]?)([^\]/]+)\]", pattern[at:])
        if pattern.startswith("**", at):
            yield ".*"
            at += len(pattern[at:]) - len(pattern[at:].lstrip("*")) - 1
        elif mark == "*":
            yield "[^/]*"
        elif mark == "?":
            yield "[^/]"
        elif numbers:
            yield r"-?\d+"
            at += numbers.end() - 1
        elif characters:
            inner = characters[2].replace("\\", "\\\\")
            yield f"[{'^' if characters[1] else ''}{inner}]"
            at += characters.end() - 1
        elif mark == "{" and "}" in pattern[at:]:
            depth += 1
            yield "(?:"
        elif mark == "}" and depth:
            depth -= 1
            yield ")"
        elif mark == "," and depth:
            yield "|"
        else:
            yield re.escape(mark)
        at += 1
