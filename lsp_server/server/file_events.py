"""What editors say about files on disk: asks for it, and turns it into paths that are gone or changed.

An editor that cannot watch files says nothing; then ``folder_poll`` notices the same a little later. A message may name
a hundred thousand files, so its parameters stay plain dictionaries.
"""

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Protocol

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from lsp_server.server.documents import path_of
from lsp_server.server.tasks import Tasks

log = logging.getLogger(__name__)

METHODS: Final = frozenset(
    {
        types.WORKSPACE_DID_CHANGE_WATCHED_FILES,
        types.WORKSPACE_DID_CREATE_FILES,
        types.WORKSPACE_DID_DELETE_FILES,
        types.WORKSPACE_DID_RENAME_FILES,
    }
)
EVENTS_KEPT: Final = 5_000
"""Of more events at once, the rest is left to the update of the index, which looks at every file."""

_REGISTRATION: Final = "ondol-files"
_DELETED: Final = int(types.FileChangeType.Deleted)


class FilesTaker(Protocol):
    """Who acts on changed files."""

    def files_changed(self, gone: list[str], changed: list[str]) -> None:
        """Take absolute paths of files and folders."""


class FileEvents:
    """The watching of files by one editor. Lives on the loop.

    :ivar watched: whether the editor has agreed to watch files.
    """

    def __init__(self, server: LanguageServer, taker: FilesTaker) -> None:
        self.watched = False
        self._server, self._taker = server, taker
        self._tasks = Tasks()
        self._roots: list[Path] = []
        self._registering = asyncio.Lock()

    def offered(self) -> types.FileOperationOptions:
        """The server's part of ``initialize``: it wants to know of files that the editor makes, moves and deletes."""
        everything = types.FileOperationRegistrationOptions(
            filters=[types.FileOperationFilter(pattern=types.FileOperationPattern(glob="**/*"), scheme="file")]
        )
        return types.FileOperationOptions(did_create=everything, did_rename=everything, did_delete=everything)

    def watch(self, roots: Iterable[Path]) -> None:
        """Ask the editor to watch the files below these folders, where it can."""
        workspace = self._server.client_capabilities.workspace
        able = workspace.did_change_watched_files if workspace is not None else None
        wanted = sorted(set(roots))
        if able is not None and able.dynamic_registration and wanted != self._roots:
            self._roots = wanted
            self._tasks.start(self._register(wanted, relative=bool(able.relative_pattern_support)))

    async def _register(self, roots: list[Path], *, relative: bool) -> None:
        kinds = types.WatchKind.Create | types.WatchKind.Change | types.WatchKind.Delete
        globs: list[Any] = ["**/*"]
        if relative:
            globs = [types.RelativePattern(base_uri=root.as_uri(), pattern="**/*") for root in roots]
        watchers = [types.FileSystemWatcher(glob_pattern=glob, kind=kinds) for glob in globs]
        method = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
        options = types.DidChangeWatchedFilesRegistrationOptions(watchers=watchers)
        server = self._server
        async with self._registering:
            try:
                if self.watched:
                    gone = types.Unregistration(id=_REGISTRATION, method=method)
                    await server.client_unregister_capability_async(types.UnregistrationParams(unregisterations=[gone]))
                made = types.Registration(id=_REGISTRATION, method=method, register_options=options)
                await server.client_register_capability_async(types.RegistrationParams(registrations=[made]))
                self.watched = True
            except Exception as error:
                self.watched = False
                log.info("the editor does not watch files: %s", type(error).__name__)

    def take(self, method: str, params: Any) -> None:
        """Act on one notification; whatever does not fit the protocol is ignored."""
        gone: list[str] = []
        changed: list[str] = []
        if method == types.WORKSPACE_DID_CHANGE_WATCHED_FILES:
            for event in _rows(params, "changes"):
                _add(gone if event.get("type") == _DELETED else changed, event.get("uri"))
        else:
            for event in _rows(params, "files"):
                _add(gone, event.get("oldUri"))
                _add(changed, event.get("newUri"))
                _add(gone if method == types.WORKSPACE_DID_DELETE_FILES else changed, event.get("uri"))
        if gone or changed:
            self._taker.files_changed(gone, changed)


def _rows(params: Any, name: str) -> list[dict[str, Any]]:
    rows = params.get(name) if isinstance(params, dict) else None
    return [row for row in rows[:EVENTS_KEPT] if isinstance(row, dict)] if isinstance(rows, list) else []


def _add(paths: list[str], uri: Any) -> None:
    path = path_of(uri) if isinstance(uri, str) else None
    if path is not None:
        paths.append(path)
