"""Plots as inline SVG, without script, font or address; the style sheet of the page gives the colours by class.

Each function turns numbers into one ``<svg>`` and escapes all text.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 520, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 26, 14, 46
_LONGEST_NAME = 24  # characters of a name that fit to the left of its row

Point = tuple[float, float]


@dataclass(frozen=True)
class Dot:
    """One value of a series.

    :param at: its place from left to right, from 0 to 1. :param low: the ends of its interval, or None for none.
    :param note: what is said when the pointer rests on it.
    """

    at: float
    value: float
    low: float | None = None
    high: float | None = None
    note: str = ""


def line_plot(
    curves: Sequence[tuple[str, Sequence[Point]]],
    marks: Sequence[Point | None],
    *,
    title: str,
    across: str,
    up: str,
    level: tuple[str, float] | None = None,
    reach: float = 1.0,
) -> str:
    """Plot curves over the unit square, each with a mark, and a dashed level.

    :param curves: name and points with both coordinates from 0 to 1; "" for no name. The names of several stand in a
        corner, the name of one at its end.
    :param marks: a point for each curve, or None. :param reach: where the x axis ends.
    """
    parts = [_axes(across, up, reach)]
    if level is not None:
        y = _y(level[1])
        parts.append(f'<line class="level" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(WIDTH - _RIGHT - 4, y - 6, level[0], "note", "end"))
    for number, (name, points) in enumerate(curves):
        path = " ".join(f"{_x(x, reach):.1f},{_y(y):.1f}" for x, y in points)
        parts.append(f'<polyline class="curve c{number}" points="{path}"><title>{escape(name)}</title></polyline>')
        if name and len(curves) > 1:
            parts += _named(number, name, _LEFT + 12, _TOP + 16 + 16 * number)
        elif name and points:
            x, y = points[-1]
            parts.append(_text(_x(x, reach), _y(y) - 9, name, "label", "end"))
    for number, mark in enumerate(marks):
        if mark is not None:
            x, y = _x(mark[0], reach), _y(mark[1])
            parts.append(f'<circle class="mark c{number}" cx="{x:.1f}" cy="{y:.1f}" r="6"/>')
    return _svg(title, parts)


def calibration_plot(rows: Sequence[tuple[float, float, float, float, int]], *, title: str) -> str:
    """Plot predicted against observed shares with intervals; dots grow with their counts.

    :param rows: (mean probability, share that was right, low, high, count).
    """
    parts = [_axes("probability that the gate gives", "share that was right", 1.0)]
    parts.append(f'<line class="level" x1="{_x(0, 1)}" y1="{_y(0)}" x2="{_x(1, 1)}" y2="{_y(1)}"/>')
    most = max((row[4] for row in rows), default=1)
    for said, happened, low, high, count in rows:
        x = _x(said, 1)
        parts.append(f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{_y(low):.1f}" y2="{_y(high):.1f}"/>')
        radius = 3.5 + 6 * (count / most) ** 0.5
        note = f"probability {said:.0%}, right {happened:.0%}, {count} suggestions"
        parts.append(
            f'<circle class="mark c0" cx="{x:.1f}" cy="{_y(happened):.1f}" r="{radius:.1f}">'
            f"<title>{note}</title></circle>"
        )
    return _svg(title, parts)


def bar_plot(rows: Sequence[tuple[str, float | None, float | None, float | None, str]], *, title: str) -> str:
    """Plot horizontal bars with intervals.

    :param rows: (name, value, low, high, note), shares from 0 to 1.
    """
    left, step, right = 186, 30, 112
    room = WIDTH - left - right
    most = max([high for _, _, _, high, _ in rows if high is not None] + [0.1])
    height = step * len(rows) + 12
    parts = []
    for number, (name, value, low, high, note) in enumerate(rows):
        y = 8 + step * number
        parts.append(_text(left - 10, y + 16, _short(name), "label", "end"))
        if value is None or low is None or high is None:
            parts.append(_text(left, y + 16, "no cases", "note"))
            continue
        scale = room / most
        parts.append(
            f'<rect class="bar" x="{left}" y="{y + 3}" width="{max(1.0, value * scale):.1f}" height="18" rx="3">'
            f"<title>{escape(name)}: {value:.1%}, {escape(note)}</title></rect>"
        )
        parts.append(
            f'<line class="whisker" x1="{left + low * scale:.1f}" x2="{left + high * scale:.1f}"'
            f' y1="{y + 12}" y2="{y + 12}"/>'
        )
        parts.append(_text(WIDTH - 4, y + 16, f"{value:.1%}", "value", "end"))
        parts.append(_text(WIDTH - 58, y + 16, note, "note", "end"))
    return _svg(title, parts, height)


def time_plot(
    series: Sequence[tuple[str, Sequence[Dot]]],
    ticks: Sequence[tuple[float, str]],
    *,
    title: str,
    up: str,
    unit: str = " %",
) -> str:
    """Plot series of values over time, with intervals, and zero as a dashed line where values lie below it.

    :param series: name and dots, from left to right. :param ticks: places from 0 to 1 and what stands below them.
    :param unit: behind the numbers of the upright axis; with ``" %"``, values are shares.
    """
    factor = 100 if unit == " %" else 1
    ends = [
        factor * value
        for _, dots in series
        for dot in dots
        for value in (dot.value, dot.low, dot.high)
        if value is not None
    ]
    step = _step(max([*ends, 0.0]) - min([*ends, 0.0]))
    low = step * math.floor(min([*ends, 0.0]) / step)
    high = max(step * math.ceil(max([*ends, 0.0]) / step), low + step)

    def y(value: float) -> float:
        return _y((factor * value - low) / (high - low))

    parts = []
    for number in range(round((high - low) / step) + 1):
        value = low + number * step
        at = y(value / factor)
        kind = "level" if value == 0 and low < 0 else "grid"
        parts.append(f'<line class="{kind}" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(_text(_LEFT - 8, at + 4, f"{value:,.10g}{unit}", "tick", "end"))
    for place, label in ticks:
        anchor = "start" if place == 0 else "end" if place == 1 else "middle"
        parts.append(_text(_x(place, 1), HEIGHT - _BOTTOM + 18, label, "tick", anchor))
    parts.append(_upright(up))
    for number, (name, dots) in enumerate(series):
        parts += _series(number, name, dots, y)
    return _svg(title, parts, HEIGHT + 18 * ((len(series) + 1) // 2) - 10)


def _series(number: int, name: str, dots: Sequence[Dot], y: Callable[[float], float]) -> list[str]:
    path = " ".join(f"{_x(dot.at, 1):.1f},{y(dot.value):.1f}" for dot in dots)
    parts = [f'<polyline class="curve c{number}" points="{path}"/>']
    for dot in dots:
        x = _x(dot.at, 1)
        if dot.low is not None and dot.high is not None:
            low, high = y(dot.low), y(dot.high)
            parts.append(f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>')
        note = f"<title>{escape(dot.note)}</title>" if dot.note else ""
        parts.append(f'<circle class="mark c{number}" cx="{x:.1f}" cy="{y(dot.value):.1f}" r="4">{note}</circle>')
    return parts + _named(number, name, _LEFT + 4 + 220 * (number % 2), HEIGHT - 4 + 18 * (number // 2))


def _named(number: int, name: str, left: float, top: float) -> list[str]:
    """Return a line of a legend: the mark of a series or curve, and its name."""
    mark = f'<circle class="mark c{number}" cx="{left}" cy="{top - 4}" r="5"/>'
    return [mark, _text(left + 10, top, name, "note")]


def _step(span: float) -> float:
    """Return a round distance between the lines of a grid, so that about five fit a span."""
    if span <= 0:
        return 1.0
    rough = span / 5
    power = 10 ** math.floor(math.log10(rough))
    return float(next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough))


def _axes(across: str, up: str, reach: float) -> str:
    parts = []
    for tenth in range(0, 11, 2):
        y = _y(tenth / 10)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(_LEFT - 8, y + 4, f"{10 * tenth} %", "tick", "end"))
    for part in range(6):
        value = reach * part / 5
        parts.append(_text(_x(value, reach), HEIGHT - _BOTTOM + 18, f"{100 * value:.0f} %", "tick", "middle"))
    parts.append(_text((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 8, across, "axis", "middle"))
    return "".join([*parts, _upright(up)])


def _upright(text: str) -> str:
    middle = (_TOP + HEIGHT - _BOTTOM) / 2
    turned = f'text-anchor="middle" transform="translate(13 {middle:.0f}) rotate(-90)"'
    return f'<text class="axis" {turned}>{escape(text)}</text>'


def _x(value: float, reach: float) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * min(value, reach) / reach


def _y(value: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * value


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else "…" + name[1 - _LONGEST_NAME :]


def _svg(title: str, parts: Sequence[str], height: int = HEIGHT) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )
