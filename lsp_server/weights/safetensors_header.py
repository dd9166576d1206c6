"""Reads and checks the headers of safetensors files, before any library maps them.

The format is data only: eight bytes of length, a JSON header, then the numbers. The library ``safetensors`` is not used
here: it reports no byte offsets, numpy cannot read its bfloat16, and it has one error for an incomplete download and a
forged header. Knows nothing of models.
"""

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path

from lsp_server.errors import BackendProblem

_MAX_HEADER = 25_000_000  # a model of 100,000 tensors has a header of about 15 MB
_SIZES = {
    "F64": 8,
    "I64": 8,
    "F32": 4,
    "I32": 4,
    "BF16": 2,
    "F16": 2,
    "I16": 2,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
}


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """Type and shape of a tensor, and the offsets of its first byte and of its end, from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_header(path: Path) -> dict[str, TensorInfo]:
    """The tensors of a safetensors file.

    :raises BackendProblem: the file is missing, truncated, no safetensors file, or its tensors overlap.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else -1
            if not 2 <= length <= _MAX_HEADER or length + 8 > size:
                raise _wrong(path, "its header is not that of a safetensors file")
            raw = json.loads(file.read(length))
    except FileNotFoundError:
        raise BackendProblem(f"{path} is missing", "fetch the whole model folder") from None
    except (OSError, ValueError, RecursionError) as error:
        raise _wrong(path, f"its header cannot be read ({type(error).__name__})") from error
    if not isinstance(raw, dict):
        raise _wrong(path, "its header is not that of a safetensors file")
    raw.pop("__metadata__", None)
    tensors = {str(name): _info(path, str(name), value) for name, value in raw.items()}
    _check_extents(path, tensors, size - 8 - length)
    return tensors


def _info(path: Path, name: str, value: object) -> TensorInfo:
    try:
        assert isinstance(value, dict)
        dtype, shape, (begin, end) = (
            str(value["dtype"]),
            tuple(map(int, value["shape"])),
            map(int, value["data_offsets"]),
        )
        expected = _SIZES[dtype] * math.prod(shape)
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise _wrong(path, f"tensor {name[:80]!r} is not described") from error
    if begin < 0 or end - begin != expected or any(n < 0 for n in shape):
        raise _wrong(path, f"tensor {name[:80]!r} has another size than its shape")
    return TensorInfo(dtype, shape, begin, end)


def _check_extents(path: Path, tensors: dict[str, TensorInfo], data: int) -> None:
    at = 0
    for info in sorted(tensors.values(), key=lambda t: (t.begin, t.end)):
        if info.begin != at:
            raise _wrong(path, "its tensors overlap or leave gaps")
        at = info.end
    if at > data:
        raise BackendProblem(f"{path} is incomplete: {data} of {at} bytes of weights are there", "fetch it again")
    if at != data:
        raise _wrong(path, "it holds more than its header describes")


def _wrong(path: Path, why: str) -> BackendProblem:
    return BackendProblem(f"{path} is refused: {why}", "fetch it again, as safetensors")
