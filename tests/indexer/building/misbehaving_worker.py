"""A worker whose parser does what the first line of a file says: spin, allocate, abort, raise or sleep. For tests."""

import os
import time

from indexer.building import prepare, worker
from indexer.languages import chunking

honest = chunking.chunk


def chunk(text, language, path):
    order = text.split("\n", 1)[0].strip("# ")
    if order == "spin":
        while True:
            pass
    if order == "sleep":
        time.sleep(60)
    if order == "allocate":
        hoard = []
        while True:
            hoard.append(bytearray(50_000_000))
    if order == "abort":
        os.abort()
    if order == "raise":
        raise RuntimeError("a fault in the parser")
    if order == "print":
        os.write(1, b"noise between messages")
        print("more noise")
    return honest(text, language, path)


prepare.chunk = chunk
if __name__ == "__main__":
    worker.main()
