"""Runs builds that end, or fail, at the n-th operation of the store, each in a fork of this process; used by the tests.

    python crash_driver.py exit|error|limit ROOT DATA WORK

For every n it copies the data folder, runs the build, and prints what a reader then finds as one JSON line: the number, the
exit code of the build, and the paths with their blob ids.
"""

import errno
import json
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from indexer import fsio
from indexer.building.build import build
from indexer.data_layout import index_directory
from indexer.errors import IndexMissing, OndolError
from indexer.search.hybrid import search
from indexer.storage import fingerprint
from indexer.storage.reader import Index
from tests.support import indexes

READS = ("read",)


class Faults:
    """Counts the operations of ``fsio`` and strikes at one of them, before it is done."""

    def __init__(self, at: int, strike) -> None:
        self.count, self.at = 0, at
        for name in fsio.OPERATIONS:
            if name not in READS:
                setattr(fsio, name, self._wrapped(getattr(fsio, name), at, strike))

    def _wrapped(self, operation, at, strike):
        def counted(*args, **values):
            self.count += 1
            if self.count == at:
                strike()
            return operation(*args, **values)

        return counted


def fail() -> None:
    raise OSError(errno.EIO, "Input/output error")


def attempt(mode: str, number: int, root: Path, data: Path) -> None:
    """Builds in this (forked) process; ends with 0 when it got through, 9 when it was struck, 3 when it survived that."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)
    faults = None
    try:
        if mode == "limit":
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (number, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        else:
            faults = Faults(number, (lambda: os._exit(9)) if mode == "exit" else fail)
        build(root, indexes.settings(data))
    except OndolError as error:
        os._exit(7 if "no space is left" in str(error) else 8)
    except OSError:
        os._exit(9)
    except BaseException:
        os._exit(10)
    os._exit(3 if faults is not None and faults.count >= faults.at else 0)


def state(root: Path, data: Path) -> dict | None:
    try:
        index = Index.open(index_directory(indexes.settings(data), root), verify=True)
    except IndexMissing:
        return None
    for document in index.documents.values():
        index.text(document)
        index.chunks(document)
    word = "feed_walrus"
    found = any(word in hit.chunk.text for hit in search(index, word, 3))
    return {
        "documents": {path: document.blob for path, document in index.documents.items()},
        "found": found,
        "problem": index.problem,
    }


def main(mode: str, root: Path, data: Path, work: Path) -> None:
    numbers = (
        [int(2**power) for power in range(24)] if mode == "limit" else range(1, 1000, 3 if not data.exists() else 1)
    )
    fingerprint.shape()  # Known to every fork: whether its cache is written must not change the number of operations.
    for number in numbers:
        copy = work / str(number)
        if data.exists():
            shutil.copytree(data, copy)
        child = os.fork()
        if child == 0:
            attempt(mode, number, root, copy)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        found = state(root, copy)
        again = 0
        if code and number % 7 == 0:
            build(root, indexes.settings(copy))
            again = len(state(root, copy)["documents"])
            left = [path.name for path in copy.rglob("*.tmp")]
            assert not left, left
        print(json.dumps({"number": number, "code": code, "state": found, "again": again}), flush=True)
        shutil.rmtree(copy, ignore_errors=True)
        if code == 0:
            break


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:]))
