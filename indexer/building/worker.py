"""A worker process: reads jobs from its standard input and writes results to its standard output.

``worker_pool`` starts it with ``python -P -c``, so that no file of the repository can be imported in place of a module.
A message is a JSON header and byte strings; pickle is not used. A file that needs too much time ends the process by its
resource limit; one that needs too much memory fails. Results come in order, so the parent knows which file it was.
"""

import contextlib
import dataclasses
import json
import math
import os
import struct
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from indexer.building.prepare import Preparer
from indexer.config import TABLES, Settings
from indexer.storage.segment import Prepared, suffix_files
from indexer.text.tokens import Lexed
from indexer.types import Entry, Skip

_HEAD = struct.Struct("<II")
_LEXED_TYPES = (("ids", "<u4"), ("counts", "<u2"), ("indents", "u1"))


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """The limits for one file.

    :param cpu_seconds: processor time, whole seconds.
    :param wall_seconds: elapsed time, which includes waiting for a disk or a pipe.
    :param memory_bytes: memory on top of what the idle worker uses.
    """

    cpu_seconds: int = 10
    wall_seconds: float = 60.0
    memory_bytes: int = 512 << 20


def main() -> None:
    """Process jobs until the parent closes the pipe."""
    jobs, results = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # A parser's own output must not mix with the messages.
    message = receive(jobs)
    if message is None:
        return
    header, _ = message
    limits = Limits(**header["limits"])
    preparer = Preparer(Path(header["root"]), _settings(header["settings"]), embed=header["embed"])
    send(results, {"ready": True})
    while (message := receive(jobs)) is not None:
        header, blobs = message
        if header["job"] == "prepare":
            for fields, known in zip(header["entries"], header["known"], strict=True):
                _limit(limits)
                send(results, *encode_outcome(preparer.prepare(Entry(*fields), known)))
        else:
            _limit(None)
            files = suffix_files(decode_lexed(blobs))
            send(results, {"names": list(files)}, list(files.values()))


def _limit(limits: Limits | None) -> None:
    """Set the process's soft limits for the next file; None lifts them."""
    try:
        import resource
    except ImportError:
        return  # Windows: the parent's clock is the only limit.
    with contextlib.suppress(OSError, ValueError):
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        soft = math.ceil(time.process_time()) + limits.cpu_seconds if limits else hard
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
    with contextlib.suppress(OSError, ValueError, IndexError):
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        used = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + limits.memory_bytes if limits else hard, hard))


def send(stream: IO[bytes], header: dict[str, Any], blobs: Sequence[bytes | memoryview] = ()) -> None:
    """Write one message."""
    head = json.dumps({**header, "sizes": [len(blob) for blob in blobs]}).encode()
    stream.write(_HEAD.pack(len(head), sum(len(blob) for blob in blobs)))
    stream.write(head)
    for blob in blobs:
        stream.write(blob)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], list[memoryview]] | None:
    """Read one message; None when the other side has ended, even in the middle of a message."""
    start = stream.read(_HEAD.size)
    if len(start) < _HEAD.size:
        return None
    head_size, body_size = _HEAD.unpack(start)
    head, body = stream.read(head_size), stream.read(body_size)
    if len(head) < head_size or len(body) < body_size:
        return None
    header = json.loads(head)
    view, blobs = memoryview(body), []
    for size in header["sizes"]:
        blobs.append(view[:size])
        view = view[size:]
    return header, blobs


def start_message(root: Path, settings: Settings, limits: Limits, *, embed: bool) -> dict[str, Any]:
    """The first message to a worker."""
    left_out = {"data_dir", *TABLES}
    fields = {
        field.name: getattr(settings, field.name)
        for field in dataclasses.fields(settings)
        if field.name not in left_out
    }
    return {
        "root": str(root),
        "settings": {**fields, "data_dir": str(settings.data_dir)},
        "limits": dataclasses.asdict(limits),
        "embed": embed,
    }


def _settings(fields: dict[str, Any]) -> Settings:
    plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    plain["data_dir"] = Path(fields["data_dir"])
    return Settings(**plain)


def encode_lexed(documents: Sequence[Lexed]) -> list[bytes]:
    """Lexed documents as byte strings, three for each."""
    return [
        np.ascontiguousarray(getattr(lexed, name), kind).tobytes() for lexed in documents for name, kind in _LEXED_TYPES
    ]


def decode_lexed(blobs: Sequence[memoryview]) -> list[Lexed]:
    """The inverse of :func:`encode_lexed`."""
    arrays = [np.frombuffer(blob, _LEXED_TYPES[place % 3][1]) for place, blob in enumerate(blobs)]
    return [Lexed(*arrays[place : place + 3]) for place in range(0, len(arrays), 3)]


def encode_outcome(outcome: Prepared | Skip | str) -> tuple[dict[str, Any], list[bytes]]:
    """The result for one file as a message."""
    if isinstance(outcome, str):
        return {"known": outcome}, []
    if isinstance(outcome, Skip):
        return {"reason": outcome.reason}, []
    fields = {name: getattr(outcome, name) for name in _PLAIN}
    spans, vectors = outcome.spans, outcome.vectors
    texts = [text.encode("utf-8", "surrogatepass") for text in ("\n".join(outcome.terms), outcome.words)]
    blobs = [outcome.packed, spans.tobytes(), vectors.tobytes(), *texts, *encode_lexed([outcome.lexed])]
    return {"fields": fields, "dimensions": vectors.shape[1]}, blobs


_PLAIN = ("path", "blob", "language", "encoding", "masked", "lines", "size")


def decode_outcome(path: str, header: dict[str, Any], blobs: Sequence[memoryview]) -> Prepared | Skip | str:
    """The inverse of :func:`encode_outcome`."""
    if "known" in header:
        return str(header["known"])
    if "reason" in header:
        return Skip(path, header["reason"])
    packed, spans, vectors = blobs[:3]
    terms, words = (bytes(blob).decode("utf-8", "surrogatepass") for blob in blobs[3:5])
    rows = np.frombuffer(spans, np.int32).reshape(-1, 2)
    return Prepared(
        **header["fields"],
        packed=bytes(packed),
        spans=rows,
        vectors=np.frombuffer(vectors, np.float32).reshape(len(rows), header["dimensions"]),
        terms=terms.split("\n") if len(rows) else [],
        words=words,
        lexed=decode_lexed(blobs[5:])[0],
    )
