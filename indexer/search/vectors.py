"""Nearest vectors by inner product: FAISS indexes as plain bytes.

Rows are numbered from 0 in the order given; which chunk a row belongs to is known elsewhere. Everything runs on one
thread: a single query is twice as slow on two, and the bytes stay the same from run to run.
"""

from typing import Any

import faiss as _faiss
import numpy as np
import numpy.typing as npt

# its stubs are those of the C++ classes, without the keyword arguments that its Python layer adds
faiss: Any = _faiss

Floats = npt.NDArray[np.float32]

# Flat; above some 300,000 rows an inverted file.
FLAT_LIMIT = 300_000
_PROBES = 16

# One byte a number, in equal steps of a fixed range: a row that is read and stored again stays the same, so that an
# updated index equals a fresh one. At 33,670 chunks of a million lines no number is above .42; of the twenty nearest
# rows 98.4 % are those of full floats, in the time that half floats take (.8 ms), at half their size.
_RANGE = 0.5


def build_vectors(vectors: Floats) -> bytes:
    """Serialize an index of unit rows, shape ``(n, d)``; the same rows give the same bytes.

    :raises ValueError: not a matrix of finite numbers.
    """
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise ValueError("vectors must be a matrix of finite numbers")
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    faiss.omp_set_num_threads(1)
    count, width = rows.shape
    kind = faiss.ScalarQuantizer.QT_8bit_uniform
    if count <= FLAT_LIMIT:
        index: Any = faiss.IndexScalarQuantizer(width, kind, faiss.METRIC_INNER_PRODUCT)
    else:
        lists = int(4 * np.sqrt(count))
        coarse = faiss.IndexFlatIP(width)
        index = faiss.IndexIVFScalarQuantizer(coarse, width, lists, kind, faiss.METRIC_INNER_PRODUCT)
        index.cp.seed = 1234
        index.cp.max_points_per_centroid = 64
        index.nprobe = _PROBES
        index.by_residual = False
        index.train(rows)
    faiss.copy_array_to_vector(np.array([-_RANGE, 2 * _RANGE], np.float32), index.sq.trained)  # least number and range
    index.is_trained = True
    if count:
        index.add(rows)
    return bytes(faiss.serialize_index(index).data)


class Vectors:
    """A loaded index. Searching is safe from several threads."""

    def __init__(self, index: Any) -> None:
        self._index = index

    @classmethod
    def load(cls, buffer: bytes | memoryview) -> "Vectors":
        """Read what ``build_vectors`` made. FAISS does not notice damage by itself: check the file's hash first.

        :raises RuntimeError: the bytes are no index.
        """
        faiss.omp_set_num_threads(1)
        return cls(faiss.deserialize_index(np.frombuffer(buffer, dtype=np.uint8)))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def width(self) -> int:
        """Numbers per vector."""
        return int(self._index.d)

    def row(self, number: int) -> Floats:
        """One stored vector, as the quantizer kept it."""
        return np.asarray(self._index.reconstruct(number), dtype=np.float32)

    def rows(self) -> Floats:
        """All stored vectors, shape ``(n, d)``, as the quantizer kept them."""
        if not len(self):
            return np.zeros((0, self.width), dtype=np.float32)
        if hasattr(self._index, "make_direct_map"):
            self._index.make_direct_map()
        return np.asarray(self._index.reconstruct_n(0, len(self)), dtype=np.float32)

    def search(
        self, vector: Floats, limit: int, live: npt.NDArray[np.bool_] | None = None
    ) -> tuple[npt.NDArray[np.int64], Floats]:
        """The rows nearest to a vector: numbers and inner products, best first, ties by number.

        :param live: shape ``(n,)``: rows that may be found; all of them by default.
        """
        limit = min(limit, len(self))
        if limit <= 0:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        query = np.ascontiguousarray(vector, dtype=np.float32).reshape(1, -1)
        if live is None:
            scores, ids = self._index.search(query, limit)
        else:
            bits = np.packbits(live, bitorder="little")
            chosen = faiss.IDSelectorBitmap(bits)
            inverted = isinstance(self._index, faiss.IndexIVF)
            params: Any = (
                faiss.SearchParametersIVF(sel=chosen, nprobe=_PROBES)
                if inverted
                else faiss.SearchParameters(sel=chosen)
            )
            scores, ids = self._index.search(query, limit, params=params)
        kept = ids[0] >= 0
        numbers, values = ids[0][kept], scores[0][kept]
        order = np.lexsort((numbers, -values))
        return numbers[order].astype(np.int64), values[order].astype(np.float32)
