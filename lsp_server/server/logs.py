"""Logs without source text: one line a record on standard error."""

import logging
import sys
import traceback
from pathlib import PurePath

from indexer.errors import OndolError
from indexer.text.printable import printable

_OURS = ("lsp_server", "indexer", "finetune", "ondol")


class RedactingFormatter(logging.Formatter):
    """Writes one line per record, without source text.

    Ondol's own records hold none. Of other loggers' records (pygls logs whole requests) only the location is kept, and
    an exception keeps its message only if it is Ondol's.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Format a record; see the class."""
        ours = record.name.split(".")[0] in _OURS
        said = record.getMessage() if ours else f"{record.funcName}:{record.lineno}"
        line = f"{self.formatTime(record)} {record.levelname.lower()} {record.name}: {said}"
        if record.exc_info and record.exc_info[1] is not None:
            line += " | " + describe(record.exc_info[1])
        return printable(line.replace("\n", " "))


def describe(error: BaseException) -> str:
    """Say what was raised and where, without the message, which may quote code (ours never do)."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    where = " < ".join(f"{PurePath(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames))
    what = f"{type(error).__name__}: {error}" if isinstance(error, OndolError) else type(error).__name__
    return f"{what} at {where}" if where else what


def set_up_logs() -> None:
    """Log to stderr through :class:`RedactingFormatter`; pygls only from WARNING on (at INFO it logs every message)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in _OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    logging.getLogger("pygls").setLevel(logging.WARNING)
    logging.getLogger("pygls.protocol.json_rpc").setLevel(logging.ERROR)  # warns of every cancelled finished request
