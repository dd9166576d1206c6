"""Text to a unit vector: a static embedding shipped with Ondol, which needs only numpy and tokenizers.

A text is the bag of its word parts; each part's subwords have one row in a shipped int8 matrix; the vector is their
sum, scaled per column and brought to length 1. Sums of int8 rows are exact in float32, so a text has the same vector,
to the last bit, whatever else is in its batch: an updated index equals a fresh one. ``scripts/train_embedding.py``
makes the two files in ``data/``.
"""

import unicodedata
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]
from tokenizers import Tokenizer

from indexer.text.terms import identifier_parts, words

Floats = npt.NDArray[np.float32]

DATA = Path(__file__).parents[1] / "data"
MATRIX_FILE = "embedding.npz"
TOKENIZER_FILE = "tokenizer.json"
# 64 chunks hold some 2,000 different subwords: count matrix and gathered rows stay in the second-level cache.
_BATCH = 64
# More than this many subwords of one text are not read: keeps sums of int8 exact in float32 (2**24 / 127 = 132,104),
# and one endless line cheap.
_LONGEST_TEXT = 8_192
_LONGEST_WORD = 120
_CACHE_SIZE = 50_000


def units(text: str) -> list[str]:
    """The word parts of a text, lower case, in order: what the subword tokenizer was trained on, one by one."""
    found: list[str] = []
    for word in words(text):
        found.extend(_units_of(word))
    return found


def _units_of(word: bytes) -> list[str]:
    text = word[:_LONGEST_WORD].decode("utf-8", "ignore")
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return [part.lower() for part in identifier_parts(text)]


class _Words(dict[bytes, tuple[int, ...]]):
    """Cache of the subword ids of words, emptied when full."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._parts: dict[str, list[int]] = {}

    def __missing__(self, word: bytes) -> tuple[int, ...]:
        ids: list[int] = []
        for part in _units_of(word):
            known = self._parts.get(part)
            if known is None:
                known = self._parts[part] = self._tokenizer.encode(part, add_special_tokens=False).ids
            ids.extend(known)
        if len(self) >= _CACHE_SIZE:
            self.clear()
            self._parts.clear()
        self[word] = tuple(ids)
        return self[word]


class Encoder:
    """Encodes texts; one instance may be shared by threads."""

    def __init__(self, tokenizer: Any, matrix: npt.NDArray[np.int8], scales: Floats) -> None:
        if matrix.ndim != 2 or matrix.dtype != np.int8 or scales.shape != (matrix.shape[1],):
            raise ValueError("the embedding's matrix and scales do not fit together")
        if tokenizer.get_vocab_size() != matrix.shape[0]:
            raise ValueError("the embedding's tokenizer and matrix do not fit together")
        self._matrix = matrix.astype(np.float32)
        self._scales = scales.astype(np.float32)
        self._words = _Words(tokenizer)

    @classmethod
    def load(cls, directory: Path = DATA) -> "Encoder":
        """Read the shipped matrix and tokenizer.

        :raises OSError, ValueError: the installation is damaged.
        """
        return _load(directory)

    @property
    def width(self) -> int:
        """Numbers per vector."""
        return int(self._matrix.shape[1])

    def encode(self, texts: list[str]) -> Floats:
        """Unit rows, shape ``(len(texts), width)``. A text without a letter or digit gives a row of zeros."""
        rows = np.zeros((len(texts), self.width), dtype=np.float32)
        if len(texts) == 1:
            rows[0] = self._sums([self._ids(texts[0])])[0]
        else:
            # Otherwise OpenBLAS spins on every core: 2,000 to 3,600 chunks/s on a busy machine instead of 30,000.
            with _threads().limit(limits=1, user_api="blas"):
                for start in range(0, len(texts), _BATCH):
                    bags = [self._ids(text) for text in texts[start : start + _BATCH]]
                    rows[start : start + len(bags)] = self._sums(bags)
        rows *= self._scales
        # einsum, not BLAS: the order of this sum must not depend on the number of rows
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, optimize=False))
        lengths[lengths == 0] = 1
        rows /= lengths[:, None]
        return rows

    def _ids(self, text: str) -> list[int]:
        return list(chain.from_iterable(map(self._words.__getitem__, words(text))))[:_LONGEST_TEXT]

    def _sums(self, bags: list[list[int]]) -> Floats:
        """Sums of the matrix' rows for each bag of ids: counts times the rows that occur."""
        sizes = [len(bag) for bag in bags]
        flat = np.fromiter(chain.from_iterable(bags), dtype=np.int64, count=sum(sizes))
        if not len(flat):
            return np.zeros((len(bags), self.width), dtype=np.float32)
        owner = np.repeat(np.arange(len(bags)), sizes)
        column = np.zeros(len(self._matrix), dtype=np.int64)
        column[flat] = 1
        occurring = np.flatnonzero(column)
        column[occurring] = np.arange(len(occurring))
        counts = np.bincount(owner * len(occurring) + column[flat], minlength=len(bags) * len(occurring))
        table = counts.reshape(len(bags), len(occurring)).astype(np.float32)
        return np.asarray(table @ self._matrix[occurring], dtype=np.float32)


@cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()


@cache
def _load(directory: Path) -> Encoder:
    tokenizer = Tokenizer.from_file(str(directory / TOKENIZER_FILE))
    with np.load(directory / MATRIX_FILE, allow_pickle=False) as data:
        return Encoder(tokenizer, data["matrix"], data["scales"])
