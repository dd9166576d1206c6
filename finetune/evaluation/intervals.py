"""Intervals for shares and means, and for differences between systems, by a paired bootstrap over files.

Cursors of one file resemble each other, so the bootstrap draws files and not cursors. It draws the same files for every
system, so that the difficulty of a file cancels out of a difference. With few files the bootstrap underestimates how
much files differ, so the interval of a share is never narrower than Wilson's interval for its count.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

RESAMPLES: Final = 1000
_BINS: Final = 10
_LEVEL: Final = 0.95
_Z: Final = 1.959964

Column = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share or mean with its 95 % interval; all None where nothing was counted.

    :param count: the denominator of the share, or the number of values of the mean.
    """

    value: float | None
    low: float | None
    high: float | None
    count: float

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "value": _rounded(self.value),
            "low": _rounded(self.low),
            "high": _rounded(self.high),
            "count": round(self.count),
        }


class Bootstrap:
    """Draws of files, the same for every figure.

    :param files: the file of each case.
    """

    def __init__(self, files: Sequence[str], seed: int) -> None:
        names, self._file = np.unique(np.array(files, dtype=object).astype(str), return_inverse=True)
        self._count = len(names)
        rng = np.random.default_rng(seed)
        chances = np.full(self._count, 1 / self._count) if self._count else np.zeros(0)
        self._draws = rng.multinomial(self._count, chances, size=RESAMPLES).astype(np.float64)

    def ratio(self, top: Column, bottom: Column, *, share: bool = False) -> Estimate:
        """Estimate the sum of ``top`` divided by the sum of ``bottom``, one value per case each.

        :param share: ``top`` counts some of the things that ``bottom`` counts: the interval is at least Wilson's.
        """
        over = float(bottom.sum())
        if over <= 0:
            return Estimate(None, None, None, 0)
        value = float(top.sum()) / over
        drawn = self._drawn(top, bottom)
        low, high = np.nanquantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]).tolist()
        if share:
            least, most = wilson(float(top.sum()), over)
            low, high = min(low, least), max(high, most)
        return Estimate(value, low, high, over)

    def difference(self, one: tuple[Column, Column], other: tuple[Column, Column]) -> Estimate:
        """Estimate the ratio of ``other`` minus the ratio of ``one``, on the same draws of files."""
        if one[1].sum() <= 0 or other[1].sum() <= 0:
            return Estimate(None, None, None, 0)
        value = float(other[0].sum() / other[1].sum() - one[0].sum() / one[1].sum())
        drawn = self._drawn(*other) - self._drawn(*one)
        low, high = np.nanquantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]).tolist()
        return Estimate(value, low, high, float(one[1].sum()))

    def _drawn(self, top: Column, bottom: Column) -> Column:
        tops = self._draws @ np.bincount(self._file, weights=top, minlength=self._count)
        bottoms = self._draws @ np.bincount(self._file, weights=bottom, minlength=self._count)
        drawn: Column = np.divide(tops, bottoms, out=np.full(len(tops), np.nan), where=bottoms > 0)
        return drawn if not np.isnan(drawn).all() else np.full(len(tops), float(top.sum()) / float(bottom.sum()))


def wilson(hits: float, count: float) -> tuple[float, float]:
    """Return Wilson's 95 % score interval for a share (Wilson, 1927)."""
    share = hits / count
    middle = share + _Z**2 / (2 * count)
    spread = _Z * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    scale = 1 + _Z**2 / count
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def calibration(probability: Column, right: NDArray[np.bool_]) -> tuple[float, list[dict[str, Any]]]:
    """Return the expected calibration error and its bins.

    The error is the mean distance, over all suggestions, between the mean probability of their bin and the share of
    right suggestions in it. Each bin has ``said`` (mean probability), ``happened`` (share), its interval and ``count``.
    """
    if not len(probability):
        return 0.0, []
    place = np.minimum((probability * _BINS).astype(int), _BINS - 1)
    rows, error = [], 0.0
    for number in range(_BINS):
        inside = place == number
        if not inside.any():
            continue
        said, happened, count = float(probability[inside].mean()), float(right[inside].mean()), int(inside.sum())
        error += abs(said - happened) * count / len(probability)
        low, high = wilson(happened * count, count)
        rows.append({"said": said, "happened": happened, "low": low, "high": high, "count": count})
    return error, rows


def trade_off(probability: Column, right: NDArray[np.bool_], cases: int) -> list[tuple[float, float]]:
    """Return coverage and precision for each probability from which on suggestions could be shown.

    :param cases: number of all cases, with and without a suggestion.
    """
    order = np.argsort(-probability, kind="stable")
    hits = np.cumsum(right[order])
    return [((n + 1) / cases, float(hits[n]) / (n + 1)) for n in range(len(order))]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
