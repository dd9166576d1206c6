"""The page of adapters: its versions on a time line, two of them compared, and the question before one takes over.

Only :meth:`ModelPages.change` writes: it moves ``current`` of the registry as `ondol models promote` and `rollback` do.
"""

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from finetune.adapters.overview import row_of
from finetune.dashboard.page import Field, Form, Link, Page, Question, Table
from finetune.dashboard.use_page import percent
from finetune.evaluation.svg_plots import Dot, time_plot
from finetune.nightly.promotion import BASE, CURRENT, points, titled
from indexer.config import Settings
from indexer.data_layout import registry_directory
from indexer.errors import OndolError, UserError
from lsp_server.backends.loading import open_base
from lsp_server.weights import adapter_registry_writer
from lsp_server.weights.adapter_registry_writer import Version, versions

PROMOTE: Final = "promote"
ROLL_BACK: Final = "rollback"
ROWS: Final = 200
"""Versions in the table and on the time line, the newest ones."""

_HEADS: Final = (
    "version",
    "",
    "made",
    "base",
    "commits",
    "samples",
    "exact",
    "points over the base (95 % interval)",
    "remarks",
    "",
)


class ModelPages:
    """The adapters of one repository. What was changed last is said on the next page."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self._root, self._settings = root, settings
        self._registry = registry_directory(settings, root)
        self._lock = threading.Lock()
        self._done, self._failed = "", ""

    def page(self, query: Mapping[str, str]) -> Page:
        """Return the page.

        :param query: ``a`` and ``b`` name versions to compare; ``ask`` what the user is asked about ``version``.
        """
        found = versions(self._registry)
        now, problem = adapter_registry_writer.current(self._registry)
        numbers = [str(one.number) for one in reversed(found)]
        first, second = query.get("a", ""), query.get("b", "")
        rival = str(now) if now is not None and [str(now)] != numbers[:1] else "".join(numbers[1:2])
        fields = (
            Field("a", "Version", first or "".join(numbers[:1]), "choice", numbers),
            Field("b", "next to version", second or rival, "choice", numbers),
        )
        form = Form(fields, "Compare")
        page = Page("Models", form if len(found) > 1 else None, self._said(), self._question(query, found, now))
        page.problems.extend([problem] if problem else [])
        if self._failed:
            page.problems.append(self._failed)
            self._failed = ""
        pair = [one for name in (first, second) for one in found if str(one.number) == name]
        if len(pair) == 2:
            page.tables.append(_compared(pair[0], pair[1]))
        page.plots[:] = _time_lines(found[-ROWS:], now)
        rows = [_row(row_of(one, now, {})) for one in reversed(found[-ROWS:])]
        note = f"and {len(found) - ROWS:,} older ones: `ondol models list`" if len(found) > ROWS else ""
        page.tables.append(Table("Adapters", _HEADS, rows, "No adapter yet: `ondol finetune` trains one.", note))
        return page

    def current(self) -> dict[str, Any] | None:
        """Return the row of the current version; None where there is none."""
        now, _ = adapter_registry_writer.current(self._registry)
        return next((row_of(one, now, {}) for one in versions(self._registry) if one.number == now), None)

    def change(self, values: Mapping[str, str]) -> None:
        """Promote or roll back as the user has confirmed; the result is said on the next page.

        :param values: ``do``, ``version``, and ``now``: the version that was current when the question was asked.
        """
        with self._lock:
            try:
                if str(adapter_registry_writer.current(self._registry)[0] or "") != values.get("now", ""):
                    raise UserError(
                        "another version has become current meanwhile, so nothing was changed", "look again"
                    )
                number = self._changed(values)
                self._done = f"Version {number} is current now." if number else "The base serves alone now."
            except OndolError as error:
                self._failed = str(error)

    def _changed(self, values: Mapping[str, str]) -> int | None:
        if values.get("do") == ROLL_BACK:
            return adapter_registry_writer.rollback(self._registry)
        text = values.get("version", "")
        if values.get("do") != PROMOTE or not text.isdecimal() or len(text) > 9:
            raise UserError("the answer names nothing that can be done", "open the page Models again")
        base = open_base(self._settings.base_model)
        adapter_registry_writer.promote(self._registry, int(text), base)
        return int(text)

    def _said(self) -> str:
        said, self._done = self._done, ""
        return said

    def _question(self, query: Mapping[str, str], found: Sequence[Version], now: int | None) -> Question | None:
        at = f"Version {now} is current." if now else "No adapter is current: the base serves alone."
        loads = "Editors load it within seconds, without a restart."
        values = {"now": str(now or "")}
        if query.get("ask") == ROLL_BACK and now is not None:
            served = adapter_registry_writer.served(self._registry)
            before = f"version {served[-2]}" if len(served) > 1 else "the base without an adapter"
            return Question(f"{at} Go back to {before}? {loads}", "Roll back", {"do": ROLL_BACK, **values}, "/models")
        wanted = next((one for one in found if str(one.number) == query.get("version")), None)
        if query.get("ask") != PROMOTE or wanted is None or wanted.number == now:
            return None
        row = row_of(wanted, now, {})
        verdict = f" Its verdict was: {row['verdict']}." if row["verdict"] else ""
        gain = f" It gained {row['gain']} over the base." if row["gain"] else ""
        text = (
            f"{at} Make version {wanted.number} the current one?{verdict}{gain} Its bytes are verified first. {loads}"
        )
        named = {"do": PROMOTE, "version": str(wanted.number), **values}
        return Question(text, f"Promote version {wanted.number}", named, "/models")


def _in_brackets(gain: str) -> str:
    """Return a gain with its interval in the form whose head says what is in the brackets."""
    value, _, interval = gain.partition(", 95 % interval ")
    return f"{value} ({interval})" if interval else value


def _row(row: Mapping[str, Any]) -> tuple[str | Link, ...]:
    number = str(row["version"])
    promote = Link("make it current …", f"/models?ask={PROMOTE}&version={number}")
    change: str | Link = Link("roll back …", f"/models?ask={ROLL_BACK}") if row["current"] else promote
    return (
        number,
        "current" if row["current"] else "",
        _moment(row["made"]),
        str(row["base"] or ""),
        _count(row["commits"]),
        _count(row["samples"]),
        percent(row["exact"]),
        _in_brackets(row["gain"] or ""),
        "; ".join(filter(None, (row["verdict"], row["mark"], row["problem"]))),
        "" if row["problem"] else change,
    )


def _time_lines(found: Sequence[Version], now: int | None) -> list[tuple[str, str]]:
    """Return the gain of each version over its rivals, where a replay has judged it, as a plot."""
    judged = [one for one in found if _estimate(one, "gains", BASE) is not None]
    if not judged:
        return []
    times = [_seconds(one) for one in judged]
    start, span = min(times), max(max(times) - min(times), 1.0)
    ends = [(0.0, _moment(judged[0].field("made"))[:10])]
    ends += [(1.0, _moment(judged[-1].field("made"))[:10])] if len(judged) > 1 else []

    def dots(*keys: str) -> list[Dot]:
        found = []
        for one, at in zip(judged, times, strict=True):
            figure = _estimate(one, *keys)
            if figure is not None:
                name = f"version {one.number}" + (" (current)" if one.number == now else "")
                note = f"{name}, {_moment(one.field('made'))}: {points(figure)}"
                found.append(Dot((at - start) / span, figure["value"], figure["low"], figure["high"], note))
        return found

    rivals = [
        ("over the base", dots("gains", BASE)),
        ("over the adapter before it", dots("gains", CURRENT)),
    ]
    title = "Gain of each version, with its 95 % interval: exact rest of line on commits that it was not trained on"
    return [(title, time_plot([one for one in rivals if one[1]], ends, title=title, up="gain"))]


def _compared(one: Version, other: Version) -> Table:
    """Return the facts of two versions next to each other; those that differ first."""
    facts = [_facts(one), _facts(other)]
    names = list(dict.fromkeys([*facts[0], *facts[1]]))
    rows = [(name, facts[0].get(name, "-"), facts[1].get(name, "-")) for name in names]
    rows = (
        [row for row in rows if row[1] != row[2]]
        + [("the same in both", "", "")]
        + [row for row in rows if row[1] == row[2]]
    )
    note = "Each version was judged on its own commits: compare shares only as far as these are alike."
    heads = ("", f"version {one.number}", f"version {other.number}")
    return Table(f"Version {one.number} and version {other.number}", heads, rows, "", note)


def _facts(one: Version) -> dict[str, str]:
    facts = {"made": _moment(one.field("made")), "verdict": str(one.field("verdict") or "-")}
    for rival in (BASE, CURRENT):
        if (gain := _estimate(one, "gains", rival)) is not None:
            facts[f"gain over: {titled(rival)}"] = points(gain)
    for kind in ("systems", "arms"):  # "arms" is how version 0.1.0 called them
        for system in _keys(one.field("metrics", kind)):
            if (exact := _estimate(one, kind, system, "exact")) is not None:
                facts[f"exact: {titled(system)}"] = percent(exact["value"])
    for language in sorted(_keys(one.field("metrics", "languages", BASE))):
        if (gain := _estimate(one, "languages", BASE, language)) is not None:
            facts[f"gain over the base in {language}"] = points(gain)
    for group in ("base", "commits", "dataset", "training", "hardware"):
        facts |= {f"{group}: {name}": text for name, text in _flat(one.field(group))}
    facts |= {f"setting {name}": text for name, text in _flat(one.field("settings", "training"))}
    return facts


def _flat(values: Any) -> list[tuple[str, str]]:
    """Return the plain values of a part of a manifest as text, with words in place of underscores."""
    if not isinstance(values, dict):
        return []
    plain = ((name, value) for name, value in values.items() if isinstance(value, str | int | float))
    return [
        (str(name).replace("_", " "), f"{value:.4g}" if isinstance(value, float) else str(value))
        for name, value in plain
    ]


def _keys(values: Any) -> list[str]:
    return list(values) if isinstance(values, dict) else []


def _estimate(one: Version, *keys: str) -> dict[str, Any] | None:
    figure = one.field("metrics", *keys)
    if not isinstance(figure, dict) or not isinstance(figure.get("value"), int | float):
        return None
    whole = all(isinstance(figure.get(end), int | float) for end in ("low", "high"))
    return figure if whole else {"value": figure["value"], "low": figure["value"], "high": figure["value"]}


def _seconds(one: Version) -> float:
    """Return when a version was made; its number where the manifest does not say it."""
    try:
        return datetime.fromisoformat(str(one.field("made"))).timestamp()
    except ValueError:
        return float(one.number)


def _moment(made: object) -> str:
    return str(made or "")[:16].replace("T", " ")


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else ""
