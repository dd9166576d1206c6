"""Reads segments of the formats 1 and 2: what they hold, in memory, as the files of today.

An update builds an index of an earlier format again. Until then it is used; what is made here takes four bytes a token
and a quarter of the text.
"""

import io
import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from indexer.search import line_table
from indexer.search.suffix_array import PLAIN, SHORT
from indexer.storage import text_blocks
from indexer.zstd import compress

Files = Mapping[str, memoryview]

_QUICK: Final = 1
_LENGTH: Final = struct.Struct("<I")
_ID_BYTES: Final = 3


def is_earlier(files: Files) -> bool:
    """Whether the files of a segment are of an earlier format."""
    return "documents.json" in files


def converted(files: Files) -> dict[str, memoryview]:
    """The files of a segment as they would be written today, but for its tokens, which are whole ids."""
    numbers = _npy(files["documents.npy"])
    ids, starts, sizes, *others = numbers.T.astype(np.int64)
    records = [_record(files["texts.bin"][start : start + size]) for start, size in zip(starts, sizes, strict=True)]
    blocks, places = text_blocks.join(records, _QUICK)
    columns = np.array([ids, *np.array(places, np.int64).reshape(-1, 3).T, *others], "<i8")
    names = json.loads(bytes(files["documents.json"]))
    made = {
        "documents.zst": compress(json.dumps(names).encode(), _QUICK),
        "numbers.zst": compress(columns.tobytes(), _QUICK),
        "chunks.zst": compress(np.ascontiguousarray(_npy(files["chunks.npy"]).T, "<i4").tobytes(), _QUICK),
        "texts.bin": b"".join(blocks),
        "words.zst": compress(zlib.decompress(files["words.z"]), _QUICK),
        **{f"suffix-{name}": data for name, data in _suffixes(files).items()},
    }
    kept = {name: files[name] for name in ("words.u24", "vectors.faiss") if name in files}
    return {**kept, **{name: memoryview(data) for name, data in made.items()}}


def _suffixes(files: Files) -> dict[str, bytes]:
    ids = np.zeros((len(files["suffix-stream.u24"]) // _ID_BYTES, 4), np.uint8)
    ids[:, 4 - _ID_BYTES :] = np.frombuffer(files["suffix-stream.u24"], np.uint8).reshape(-1, _ID_BYTES)
    order = bytes(files.get("suffix-order.bin", b""))
    if "suffix-order.u32" in files:  # of format 1: four bytes, the lowest first, at any size
        rows = np.frombuffer(files["suffix-order.u32"], "<u4").astype(">u4").view(np.uint8).reshape(-1, 4)
        order = rows[:, 1:].tobytes() if len(ids) < SHORT else rows.tobytes()
    counts = np.frombuffer(files["suffix-counts.u16"], "<u2").astype(np.int64)
    indents = np.frombuffer(files["suffix-indents.u8"], np.uint8)
    return {
        PLAIN: ids.tobytes(),
        "order.bin": order,
        "documents.u32": bytes(files["suffix-documents.u32"]),
        **line_table.build_lines(counts, indents),
    }


def _record(packed: memoryview) -> bytes:
    """A document's record, as :func:`text_blocks.pack_text` makes it."""
    data = zlib.decompress(packed)
    end = _LENGTH.size + _LENGTH.unpack_from(data)[0]
    head, text = data[_LENGTH.size : end], data[end:]
    headers = head.decode("utf-8", "surrogatepass").split("\n")
    return text_blocks.pack_text(text.decode("utf-8", "surrogatepass"), headers)


def _npy(data: memoryview) -> NDArray[Any]:
    found: NDArray[Any] = np.load(io.BytesIO(data), allow_pickle=False)
    return found
