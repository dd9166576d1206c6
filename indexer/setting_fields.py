"""Declares one setting: its default, its help, who may set it, and the check of its value."""

import dataclasses
import re
from collections.abc import Callable
from typing import Any, Final, Literal

Trust = Literal["user", "narrow"]
"""``user``: only the user may set it. ``narrow``: a repository may tighten the user's value."""

LARGEST: Final = 10**12

Check = Callable[[Any], str | None]
"""Returns what is wrong with a value of the right type, or None."""


def setting(
    default: Any,
    help: str,
    *,
    narrow: Callable[[Any, Any], Any] | None = None,
    check: Check | None = None,
    remark: Check | None = None,
    shown: str | None = None,
) -> Any:
    """Declare one setting. With ``narrow`` a repository may tighten it; without, only the user may set it.

    :param narrow: joins the user's value and the repository's into the tighter one.
    :param remark: returns what is odd about a value that is used nevertheless, or None.
    :param shown: the default as documentation shows it, if the value alone would not say it.
    """
    trust: Trust = "narrow" if narrow else "user"
    metadata = {"trust": trust, "help": help, "narrow": narrow, "check": check, "remark": remark, "shown": shown}
    if callable(default):
        return dataclasses.field(default_factory=default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def positive(value: Any) -> str | None:
    """Check that a number is more than 0."""
    return _usable(value) if value > 0 else "must be more than 0"


def not_negative(value: Any) -> str | None:
    """Check that a number is at least 0."""
    return _usable(value) if value >= 0 else "must not be negative"


def _usable(value: float) -> str | None:
    """Check that a number is not so large that it must be a mistake; infinity is."""
    return None if value <= LARGEST else f"must be at most {LARGEST:,}"


def absolute(value: Any) -> str | None:
    """Check that a path is absolute."""
    return None if value.is_absolute() else "must be an absolute path (~ is allowed)"


def address(value: Any) -> str | None:
    """Check that a text is empty or the address of a web server."""
    if not value or re.match(r"https?://[^\s/]+", value):
        return None
    return "must be empty or start with http:// or https://"


def share(value: Any) -> str | None:
    """Check that a number lies between 0 and 1."""
    return None if 0.0 <= value <= 1.0 else "must lie between 0 and 1"


def at_least(low: int) -> Check:
    """Return a check that a number is not below a bound."""
    return lambda value: _usable(value) if value >= low else f"must be at least {low}"


def between(low: int, high: int) -> Check:
    """Return a check that a number lies between two bounds, both included."""
    return lambda value: None if low <= value <= high else f"must lie between {low} and {high}"


def one_of(*values: str | int) -> Check:
    """Return a check that a value is one of some."""
    return lambda value: None if value in values else f"must be one of {', '.join(map(str, values))}"


def unknown_languages(value: Any) -> str | None:
    """Name a language that Ondol does not know. It is used nevertheless: an editor may call its documents so."""
    from indexer.languages.table import LANGUAGES

    names = (*LANGUAGES, "text")
    known = {name.lower() for name in names} | {i.lower() for kind in LANGUAGES.values() for i in kind.editor_ids}
    odd = [name for name in value if name.lower() not in known | {"plaintext"}]
    if not odd:
        return None
    return (
        f'names "{odd[0]}", which is no language that Ondol knows, so it holds only where an editor says that name; '
        f"known are {', '.join(sorted(names))}"
    )
