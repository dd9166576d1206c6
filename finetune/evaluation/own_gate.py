"""Finds the gate that was fitted on a repository's own history, if a replay may use it."""

import json
from pathlib import Path

from finetune.commits.windows import beyond
from indexer.config import Settings
from indexer.data_layout import own_gate_file
from indexer.errors import OndolError
from indexer.repository.history import Commit
from lsp_server.retrieval.gate import Gate


def usable(settings: Settings, root: Path, until: str | None) -> Gate | None:
    """Return the repository's own gate if it has seen no commit newer than ``until``, else None.

    :param until: the commit of the oldest index of the replay; None if the gate must not be used.
    """
    path = own_gate_file(settings, root)
    if until is None or not path.is_file():
        return None
    try:
        newest = str(json.loads(path.read_text("utf-8"))["about"]["judged_until"])
        return None if beyond(root, until, [Commit(newest, None, 0, "")]) else Gate.load(path)
    except (OSError, ValueError, KeyError, TypeError, OndolError):
        return None  # The file is of another version, or a rewritten history has lost the commit.


def describe(gate: Gate | None) -> str:
    """Return which gate is in use, for a report."""
    return "shipped" if gate is None else "fitted on this repository"
