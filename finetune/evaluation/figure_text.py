"""Figures as text: an estimate with its interval, for the terminal and for pages."""

from typing import Any


def percent(estimate: dict[str, Any], *, interval: bool = True, signed: bool = False) -> str:
    """Return an estimate as text, e.g. ``31.0 % [27, 35]``; a difference, ``signed``, in points: ``+3.1 [+1, +5]``."""
    value, low, high = estimate["value"], estimate["low"], estimate["high"]
    if value is None:
        return "-"
    sign, unit = ("+", "") if signed else ("", " %")
    text = f"{100 * value:{sign}.1f}{unit}"
    return f"{text} [{100 * low:{sign}.0f}, {100 * high:{sign}.0f}]" if interval else text
