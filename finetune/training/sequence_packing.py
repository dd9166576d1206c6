"""Sequence packing: rows hold several whole samples, none of which attends to another.

Positions begin at 0 with each sample. Given no other mask, transformers derives the block-diagonal mask, or the lengths
for a varlen kernel, from the positions.
"""

import random
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

PADDING: Final = 0


@dataclass(frozen=True)
class Samples:
    """All samples in two flat arrays.

    :param ids, weights: token ids and loss weights, of shape (tokens,).
    :param bounds: sample n is ``[bounds[n], bounds[n + 1])`` of both, of shape (samples + 1,).
    :param too_long: number of samples that were left out because they are longer than a row.
    """

    ids: NDArray[np.uint32]
    weights: NDArray[np.float32]
    bounds: NDArray[np.int64]
    too_long: int

    @classmethod
    def gather(cls, found: Iterable[dict[str, Any]], max_length: int, prompt_loss_weight: float) -> "Samples":
        """Collect samples as ``dataset.shards.read`` yields them; weight 0 becomes ``prompt_loss_weight``."""
        ids: list[NDArray[np.uint32]] = []
        weights: list[NDArray[np.float32]] = []
        too_long = 0
        for sample in found:
            if len(sample["ids"]) > max_length:
                too_long += 1
                continue
            counts, values = zip(*sample["weights"], strict=True)
            run = np.repeat(np.array(values, np.float32), counts)
            ids.append(np.array(sample["ids"], np.uint32))
            weights.append(np.where(run > 0, run, np.float32(prompt_loss_weight)))
        bounds = np.cumsum([0, *map(len, ids)])
        empty = [np.zeros(0)]
        return cls(
            np.concatenate(ids or empty).astype(np.uint32),
            np.concatenate(weights or empty).astype(np.float32),
            bounds,
            too_long,
        )

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def length(self, number: int) -> int:
        """Return the number of tokens of one sample."""
        return int(self.bounds[number + 1] - self.bounds[number])


Row = tuple[int, ...]
"""Numbers of the samples in a row; an empty row is all padding."""


def pack(samples: Samples, max_length: int) -> list[Row]:
    """Put every sample into a row, the longest first, each into the fullest row that has room (best fit)."""
    rows: list[list[int]] = []
    room: list[tuple[int, int]] = []  # (room, row), sorted
    order = sorted(range(len(samples)), key=lambda number: (-samples.length(number), number))
    for number in order:
        length = samples.length(number)
        at = bisect_left(room, (length, -1))
        if at < len(room):
            left, row = room.pop(at)
            rows[row].append(number)
        else:
            left, row = max_length, len(rows)
            rows.append([number])
        insort(room, (left - length, row))
    return [tuple(row) for row in rows]


def schedule(rows: Sequence[Row], epochs: float, seed: int) -> list[Row]:
    """Return the rows in the order of training: all rows once in each epoch, shuffled."""
    total = max(1, round(len(rows) * epochs))
    ordered: list[Row] = []
    for epoch in range(-(-total // max(1, len(rows)))):
        shuffled = list(rows)
        random.Random(f"{seed}:{epoch}").shuffle(shuffled)
        ordered += shuffled
    return ordered[:total]


class Rows(torch.utils.data.Dataset[Row]):
    """Rows as a torch data set."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> Row:
        return self._rows[number]


class Collator:
    """Turns rows into tensors of shape (rows, longest row): ``input_ids``, ``position_ids``, ``targets``, ``weights``.

    ``targets[r, i]`` is the token after ``input_ids[r, i]``. Its weight is 0 at the end of a sample and in the padding.

    :param length: of every row, so that compiled layers see one shape; None for the longest row of a batch.
    """

    def __init__(self, samples: Samples, length: int | None = None) -> None:
        self._samples = samples
        self._length = length

    def __call__(self, rows: Sequence[Row]) -> dict[str, torch.Tensor]:
        """Return the batch of some rows."""
        length = self._length or max(1, *(sum(self._samples.length(number) for number in row) for row in rows))
        shape = (len(rows), length)
        ids, positions = np.full(shape, PADDING, np.int64), np.zeros(shape, np.int64)
        targets, weights = np.full(shape, PADDING, np.int64), np.zeros(shape, np.float32)
        for place, row in enumerate(rows):
            at = 0
            for number in row:
                low, high = self._samples.bounds[number], self._samples.bounds[number + 1]
                end = at + int(high - low)
                ids[place, at:end] = self._samples.ids[low:high]
                positions[place, at:end] = np.arange(end - at)
                targets[place, at : end - 1] = self._samples.ids[low + 1 : high]
                weights[place, at : end - 1] = self._samples.weights[low + 1 : high]
                at = end
            positions[place, at:] = np.arange(length - at)  # the padding is one more sample, of weight 0
        return {
            "input_ids": torch.from_numpy(ids),
            "position_ids": torch.from_numpy(positions),
            "targets": torch.from_numpy(targets),
            "weights": torch.from_numpy(weights),
        }
