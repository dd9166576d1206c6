"""Finds the gate that was fitted on a repository's own history, if it may be used."""

import json
from pathlib import Path

from finetune.commits.windows import beyond
from indexer.config import Settings
from indexer.data_layout import repository_path
from indexer.errors import OndolError
from indexer.repository.history import Commit
from lsp_server.retrieval.engine import OWN_GATE
from lsp_server.retrieval.gate import Gate


def usable(settings: Settings, root: Path, until: str | None) -> Gate | None:
    """The repository's own gate, if it saw no commit but ``until`` and what lies before it; else None.

    :param until: the commit that the oldest index is made of; None if the gate must not be used.
    """
    path = repository_path(settings, root) / OWN_GATE
    if until is None or not path.is_file():
        return None
    try:
        newest = str(json.loads(path.read_text("utf-8"))["about"]["judged_until"])
        return None if beyond(root, until, [Commit(newest, None, 0, "")]) else Gate.load(path)
    except (OSError, ValueError, KeyError, TypeError, OndolError):
        return None  # Of another version, or fitted on commits that a rewritten history no longer has.
