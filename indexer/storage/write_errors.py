"""Explains why a folder of Ondol's cannot be written."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from indexer.errors import UserError

_MAY_NOT = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


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
        if error.errno not in _NO_SPACE:
            raise
        raise UserError(
            f"no space is left for the {what} in {directory} ({error.strerror}); the {what} before is untouched",
            "free some space, or choose another disk with --data-dir",
        ) from error
