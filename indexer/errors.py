"""The errors people read: one sentence that says what happened and what to do about it.

    OndolError                  anything Ondol raises on purpose
    ├── UserError      exit 1   the user can cure it; the message names the cure
    │   ├── IndexMissing        no index has been built yet
    │   ├── IndexDamaged        files do not match their recorded hashes
    │   ├── IndexTooNew         written by a later version of Ondol
    │   └── Locked     exit 75  another process is writing; the same command works later
    └── Fault          exit 3   our mistake, or lost framing on the wire

This module knows no paths, no commands and no settings: callers put those into the sentence.
"""


class OndolError(Exception):
    """Base of every error that Ondol raises on purpose."""

    exit_code = 3


class UserError(OndolError):
    """Something the user can cure.

    :param what: what happened, without a final full stop.
    :param cure: what to do about it, as an imperative.
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
    """A fault of ours, or a peer that lost the framing of the protocol."""
