"""Patterns in .gitignore syntax, compiled so that nobody can make matching them slow.

pathspec gives the meaning. Its regular expression for ``*a*a*a*b`` tries every way of sharing a name out among the
stars: 26 s for one name of 255 letters and four stars (measured). Within one part of a path the earliest place for what
stands between two stars is always good enough, so that is made final here, and matching takes linear time.
This module knows no files and no settings.
"""

import re
import warnings
from collections.abc import Iterable
from typing import Any

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

_STAR = "[^/]*"
_LONGEST = 500
_MOST_FOLDER_STARS = 4  # `**/` is still tried at every folder, so its number is limited; people write one or two


class _Pattern(GitIgnoreSpecPattern):
    """pathspec's pattern, its stars made final one after the other."""

    @classmethod
    def pattern_to_regex(cls, pattern: Any) -> tuple[Any, bool | None]:
        regex, include = super().pattern_to_regex(pattern)
        return (_final_stars(regex) if isinstance(regex, str) else regex), include


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
    """Whether a line is a pattern that means something here and can be matched quickly (or a remark, or empty)."""
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


def _final_stars(regex: str) -> str:
    """Let each star that another one follows in the same part of the path stop at its first chance, for good."""
    first, *rest = regex.split(_STAR)
    parts = [first]
    for number, text in enumerate(rest, 1):
        another_follows = number < len(rest) and "/" not in text.replace("[^/]", "") and "(" not in text
        parts.append(f"(?>{_STAR}?{text})" if another_follows else _STAR + text)
    return "".join(parts)
