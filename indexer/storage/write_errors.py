"""Explains why a folder of Ondol's, or a file in it, cannot be written."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from indexer.errors import UserError

_MAY_NOT = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_WRITTEN = "the index is up to date, but not every table next to it could be written"


@contextlib.contextmanager
def explained(directory: Path, what: str = "index") -> Iterator[None]:
    """Turn "no space left" and "may not write" into a sentence with a cure.

    :param what: what is written there, for the sentence.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _MAY_NOT and str(error.filename).startswith(str(directory)):
            raise UserError(
                f"{error.filename} cannot be written ({error.strerror})",
                f"make {directory} writable, or choose another place with --data-dir",
            ) from error
        if not is_full(error):
            raise
        raise UserError(
            f"no space is left for the {what} in {directory} ({error.strerror}); the {what} before is untouched",
            "free some space, or choose another disk with --data-dir",
        ) from error


def cure_of(error: OSError) -> str:
    """What to do about an error of the system that nothing else explains, in the imperative."""
    if is_full(error):
        return "free some space, or choose another disk with --data-dir"
    if error.errno in _MAY_NOT:
        return "check that you may read and write it"
    return "check that it exists and may be read"


def is_full(error: OSError) -> bool:
    """Whether no space is left."""
    return error.errno in _NO_SPACE


@contextlib.contextmanager
def dispensable(notes: list[str]) -> Iterator[None]:
    """Turn a failure to write what only saves time into a sentence, one for all of them: the update itself is done.

    :param notes: takes the sentence, unless it has one.
    """
    try:
        yield
    except OSError as error:
        if not any(note.startswith(_WRITTEN) for note in notes):
            notes.append(f"{_WRITTEN} ({error.strerror or error}), so the next update takes longer.")
