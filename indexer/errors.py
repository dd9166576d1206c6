"""The errors that users read: one sentence with what happened and what to do about it.

    OndolError                  anything Ondol raises on purpose
    ├── UserError      exit 1   the user can fix it; the message says how
    │   ├── IndexMissing        no index has been built yet
    │   ├── IndexDamaged        files do not match their recorded hashes
    │   ├── IndexTooNew         written by a later version of Ondol
    │   └── Locked     exit 75  another process is writing; the same command works later
    └── Fault          exit 3   a fault of Ondol, or a protocol stream that lost its framing

Callers put paths, commands and settings into the sentence.
"""


class OndolError(Exception):
    """Base of every error that Ondol raises on purpose."""

    exit_code = 3


class UserError(OndolError):
    """An error that the user can fix.

    :param what: what happened, without a final full stop.
    :param cure: what to do about it, in the imperative.
    """

    exit_code = 1

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(f"{what}; {cure}.")
        self.what = what
        self.cure = cure


class IndexMissing(UserError):
    """There is no index for this repository yet."""


class IndexDamaged(UserError):
    """A file of the index does not match the size or hash in its manifest."""


class IndexTooNew(UserError):
    """The index was written by a later version of Ondol."""


class Locked(UserError):
    """Another process holds the writer's lock; 75 is ``EX_TEMPFAIL`` of ``sysexits.h``, "try again later"."""

    exit_code = 75


class Fault(OndolError):
    """A fault of Ondol, or a peer that broke the framing of the protocol."""
