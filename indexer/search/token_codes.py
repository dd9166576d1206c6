"""Token ids of one segment as units of two bytes: one for a frequent id, two for a rare one.

A segment numbers up to ``FREQUENT`` of its ids, the most frequent ones, in the order of the ids; such an id is written
as its number. Any other id is written as its upper and its lower twelve bits, each in a unit of a range of its own, as
UTF-16 writes characters. So a reader sees at any unit whether a token begins there, in both directions, and ids are
exact. In a segment of 60 MB of C 48 of 1,000 tokens are rare: a token takes 2.1 bytes instead of the three of its id.

The stream of a segment holds its tokens backwards, so the upper half stands first. *Forwards*, as a text is read, the
lower half comes first. Units of two byte strings compare as the tokens' keys do (:meth:`TokenCodes.keys`), since no
unit of one kind is the beginning of another.
"""

import struct
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from indexer.text.tokens import END

Ids = NDArray[np.uint32]
Units = NDArray[np.unsignedinteger]

UNIT: Final = 2
"""Bytes of a unit, big-endian, so that bytes compare as units do."""

FREQUENT: Final = 0xE000
"""How many ids have a number. From here on a unit is the lower half of a rare id, and from ``_UPPER`` on the upper."""

_UPPER: Final = 0xF000
_HALF_BITS: Final = 12
_HALF: Final = (1 << _HALF_BITS) - 1
_ID_RANGE: Final = 1 << 2 * _HALF_BITS
_MANY: Final = 100_000
"""Ids from which on a table of all possible ones, 32 MB, is quicker than a search for each."""


@dataclass(frozen=True, slots=True)
class Coded:
    """A context as the bytes of its units, the nearest token first.

    :param ends: before the first token and behind each, the number of bytes up to there.
    """

    data: bytes
    ends: tuple[int, ...]

    def first(self, tokens: int) -> bytes:
        """The bytes of the first tokens."""
        return self.data[: self.ends[tokens]]

    def whole(self, size: int) -> int:
        """How many tokens the first ``size`` bytes hold in full."""
        return bisect_right(self.ends, size) - 1


class TokenCodes:
    """The numbers of one segment's frequent ids.

    :param frequent: the ids that have a number, sorted; the first one is ``END``.
    """

    kind = ">u2"
    """How a unit is written."""

    def __init__(self, frequent: Ids) -> None:
        self._frequent = frequent
        self.only_frequent = len(frequent) < FREQUENT
        """Whether every id has a number, so that each unit is a token."""

    @classmethod
    def of(cls, ids: Ids) -> "TokenCodes":
        """Number the ids that are frequent among some; of equally frequent ones the least ids."""
        distinct, counts = np.unique(np.append(ids, np.uint32(END)), return_counts=True)
        if len(distinct) >= FREQUENT:
            kept = np.argsort(-counts[1:], kind="stable")[: FREQUENT - 1] + 1
            distinct = np.concatenate((distinct[:1], distinct[np.sort(kept)]))
        return cls(distinct.astype("<u4"))

    @property
    def data(self) -> bytes:
        """The numbered ids as a file of little-endian numbers of four bytes."""
        return self._frequent.tobytes()

    def keys(self, ids: Ids) -> Ids:
        """A number for each id, of which the lesser one stands first where units are compared."""
        rare = np.uint32(_UPPER << _HALF_BITS)
        if len(ids) < _MANY:
            places = np.minimum(np.searchsorted(self._frequent, ids), len(self._frequent) - 1)
            return np.where(self._frequent[places] == ids, places, ids | rare).astype(np.uint32)
        table = np.full(_ID_RANGE, FREQUENT, np.uint16)
        table[self._frequent] = np.arange(len(self._frequent), dtype=np.uint16)
        keys = table[ids].astype(np.uint32)
        others = np.flatnonzero(keys == FREQUENT)
        keys[others] = ids[others] | rare
        return keys

    def units(self, keys: Ids) -> Units:
        """The units of keys, in their order, the upper half of a rare id before the lower one."""
        rare = keys >= FREQUENT
        ends = np.cumsum(rare, dtype=np.int64) + np.arange(1, len(keys) + 1)
        units = np.empty(int(ends[-1]) if len(keys) else 0, np.uint16)
        units[ends[rare] - 1] = FREQUENT | (keys[rare] & _HALF)
        units[ends - 1 - rare] = np.where(rare, _UPPER | (keys >> _HALF_BITS & _HALF), keys)
        return units

    def code(self, ids: Sequence[int]) -> Coded:
        """The bytes of a context, the nearest token first."""
        wanted = np.array(ids, np.uint32)
        places = self._frequent.searchsorted(wanted)
        numbered = self._frequent.take(places, mode="clip") == wanted
        units, ends = [], [0]
        # A loop takes a sixth of the time of arrays for 32 tokens; every key asks each segment.
        for id, place, known in zip(ids, places.tolist(), numbered.tolist(), strict=True):
            if known:
                units.append(place)
            else:
                units += (_UPPER | id >> _HALF_BITS, FREQUENT | id & _HALF)
            ends.append(UNIT * len(units))
        return Coded(struct.pack(f">{len(units)}H", *units), tuple(ends))

    def ahead(self, ids: Sequence[int]) -> tuple[list[int], list[int]]:
        """The units of tokens as a text is read, and where each token ends among them."""
        coded = self.code(ids[::-1])
        units = np.frombuffer(coded.data, ">u2")[::-1].tolist()
        return units, [len(units) - end // UNIT for end in coded.ends[-2::-1]]

    def tokens(self, units: Units) -> Ids:
        """The ids of units in the order of the stream; halves of which the other one is missing are left out."""
        if self.only_frequent:
            return self.known(units)
        ids = self._frequent.take(units, mode="clip")
        upper = units >= _UPPER
        first = np.flatnonzero(upper[:-1])
        ids[first] = rare_ids(units[first], units[first + 1])
        begins = upper | (units < FREQUENT)
        if len(units) and upper[-1]:
            begins[-1] = False
        return ids[begins]

    def around(self, units: Units, before: int, count: int) -> Ids:
        """The tokens around places, shape ``(places, before + count)``.

        :param units: of each place, in the order of the text, twice as many as tokens are asked for: those of
            ``before`` end and those of ``count`` begin at the place. If only_frequent, as many.
        """
        ids = self._frequent.take(units, mode="clip")
        if self.only_frequent:
            return ids
        upper, half = units >= _UPPER, units >= FREQUENT
        row, column = upper[:, 1:].nonzero()
        ids[row, column] = ids[row, column + 1] = rare_ids(units[row, column + 1], units[row, column])
        # Before the place a token counts at its last unit, and behind it at its first one.
        counts = ~upper
        left = 2 * before
        counts[:, :left] = upper[:, :left] | ~half[:, :left]
        number = counts.cumsum(axis=1, dtype=np.int32)
        number += np.int32(before - 1) - number[:, left - 1 : left] if before else np.int32(-1)
        counts &= (number >= 0) & (number < before + count)
        found = np.full((len(units), before + count), END, np.uint32)
        found[counts.nonzero()[0], number[counts]] = ids[counts]
        return found

    def known(self, units: Units) -> Ids:
        """The ids of units that stand for a whole token each."""
        found: Ids = self._frequent[units]
        return found


class PlainCodes(TokenCodes):
    """Ids as units of four bytes: how an index of an earlier format is read."""

    kind = ">u4"

    def __init__(self) -> None:
        super().__init__(np.zeros(1, np.uint32))

    def code(self, ids: Sequence[int]) -> Coded:
        """The bytes of a context, the nearest token first."""
        size = np.dtype(self.kind).itemsize
        return Coded(np.array(ids, self.kind).tobytes(), tuple(range(0, size * len(ids) + 1, size)))

    def ahead(self, ids: Sequence[int]) -> tuple[list[int], list[int]]:
        """The units of tokens as a text is read, and where each token ends among them."""
        return list(ids), list(range(1, len(ids) + 1))

    def around(self, units: Units, before: int, count: int) -> Ids:
        """The tokens around places, shape ``(places, before + count)``."""
        return self.known(units)

    def known(self, units: Units) -> Ids:
        """The ids of units."""
        return units.astype(np.uint32)


def is_half(units: Units) -> NDArray[np.bool_]:
    """Which units are one half of a rare id."""
    halves: NDArray[np.bool_] = units >= FREQUENT
    return halves


def is_second(units: Units) -> NDArray[np.bool_]:
    """Which units are the half of a rare id that comes second as a text is read."""
    second: NDArray[np.bool_] = units >= _UPPER
    return second


def rare_ids(upper: Units, lower: Units) -> Ids:
    """The ids of pairs of halves."""
    return (upper.astype(np.uint32) & np.uint32(_HALF)) << np.uint32(_HALF_BITS) | lower.astype(np.uint32) & np.uint32(
        _HALF
    )
