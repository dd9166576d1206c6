"""Patterns in .gitignore syntax, compiled so that no pattern can make matching slow.

pathspec defines the meaning. Its regular expression for ``*a*a*a*b`` tries every way to divide a name among the stars:
one name of 255 letters and four stars takes 26 s (measured). Within one part of a path the first match of the text
between two stars is always sufficient, so here it is final (an atomic group), and matching takes linear time.
"""

import re
import warnings
from collections.abc import Iterable
from typing import Any

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

_STAR = "[^/]*"
_GROUP = re.compile(r"[(|)]")
_LONGEST = 500
_MOST_FOLDER_STARS = 4  # `**/` is still tried at every folder, so its number is limited


class _Pattern(GitIgnoreSpecPattern):
    """pathspec's pattern with atomic stars."""

    @classmethod
    def pattern_to_regex(cls, pattern: Any) -> tuple[Any, bool | None]:
        regex, include = super().pattern_to_regex(pattern)
        return (final_stars(regex) if isinstance(regex, str) else regex), include


def compile_lines(lines: Iterable[str]) -> tuple[GitIgnoreSpec, list[int]]:
    """The patterns of an ignore file, and the numbers (from 1) of lines that cannot be used."""
    good: list[str] = []
    bad: list[int] = []
    for number, line in enumerate(lines, 1):
        if is_usable(line):
            good.append(line)
        else:
            bad.append(number)
    return GitIgnoreSpec.from_lines(good, pattern_factory=_Pattern, backend="simple"), bad


def is_usable(line: str) -> bool:
    """Whether a line is a valid pattern that can be matched quickly, a comment, or empty."""
    if line.startswith("#") or not line.strip():
        return True
    if len(line) > _LONGEST or line.count("**/") > _MOST_FOLDER_STARS or "[[:" in line:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            _Pattern(line)
    except (ValueError, re.error, Warning):
        return False
    return True


def final_stars(regex: str) -> str:
    """Make each star ``[^/]*`` of a regular expression atomic that another one follows in the same part of the path.

    A star next to a group stays as it is.
    """
    first, *rest = regex.split(_STAR)
    parts = [first]
    for number, text in enumerate(rest, 1):
        another_follows = number < len(rest) and "/" not in text.replace("[^/]", "") and not _GROUP.search(text)
        parts.append(f"(?>{_STAR}?{text})" if another_follows else _STAR + text)
    return "".join(parts)


def usable(given: object) -> tuple[str, ...]:
    """Of patterns with a mistake among them, those that can be used: what they exclude must stay excluded."""
    items = [given] if isinstance(given, str) else given if isinstance(given, list | tuple) else []
    return tuple(item for item in items if isinstance(item, str) and is_usable(item))
