"""Makes the report of a replay, and prints it in the terminal.

The report is what ``--json`` prints and what the HTML page is made from. It holds figures and no code. The figures
come from ``summary``; nothing is computed here.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from finetune.commits.windows import SkipReport
from finetune.evaluation.edit_report import show as show_edits
from finetune.evaluation.figure_text import percent
from finetune.evaluation.gate_fitting import Refit
from finetune.evaluation.machine import machine
from finetune.evaluation.summary import MEASURES
from finetune.evaluation.typing_report import show as show_typing
from indexer.config import Settings
from indexer.text.printable import printable

_GROUP_COLUMNS = ("exact", "coverage", "precision", "dismissed")
_HEADS = {"exact": "exact", "coverage": "shown", "precision": "right", "dismissed": "not usable"}
_GROUPS = {
    "kind": "cursor",
    "place": "kind of text",
    "novelty": "line",
    "language": "language",
    "directory": "directory",
}
_ROWS = 12


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """Facts about a replay that stand in its report with the figures.

    :param asked: the options of the replay. :param engines: what each system consists of.
    """

    repository: str
    head: str | None
    settings: Settings
    asked: dict[str, Any]
    stages: list[dict[str, Any]]
    engines: dict[str, dict[str, Any]]
    passed: SkipReport
    seconds: float


def document(figures: dict[str, Any], facts: ReportFacts) -> dict[str, Any]:
    """Return the whole report as plain data.

    :param figures: as ``summary.summarise`` makes them.
    """
    return {
        "ondol": version("ondol"),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "repository": facts.repository,
        "head": facts.head,
        "asked": facts.asked,
        "settings": {key: getattr(facts.settings, key) for key in ("precision", "multi_line", "max_lines")},
        "stages": facts.stages,
        "engines": facts.engines,
        "machine": machine(),
        "seconds": round(facts.seconds, 1),
        "passed_over": facts.passed.reasons,
        "notes": facts.passed.notes,
        **figures,
    }


def show(report: dict[str, Any], console: Console) -> None:
    """Print a report: the typing replay and the edits first."""
    if "typing" in report:
        show_typing(report["typing"], console)
    if "edits" in report:
        show_edits(report["edits"], console)
    if "systems" not in report:
        for line in remarks(report):
            console.print(Text(line, "dim"))
        return
    systems = report["systems"]
    files, cases = report["files"], report["cases"]
    console.print(
        Text(f"{printable(report['repository'])}: {cases:,} cursors in {files:,} files, {_period(report)}", "bold")
    )
    console.print(_overall(systems))
    for difference in report["differences"]:
        console.print(_difference(difference))
    for by, title in _GROUPS.items():
        for name, one in systems.items():
            rows = one["groups"][by]
            if len(rows) > 1:
                console.print(_group(f"by {title}" + (f", {name}" if len(systems) > 1 else ""), rows))
    for name, one in systems.items():
        console.print(f"{name}: {_speed(one)}")
        if one["moved"]["cases"]:
            console.print(
                f"{name}: {one['moved']['cases']} moved lines, counted apart: exact {percent(one['moved']['exact'])}"
            )
    if "append" in report:
        console.print(_append(report["append"]))
    for line in remarks(report):
        console.print(Text(line, "dim"))


def _append(ratios: dict[str, Any]) -> str:
    """Return the sentence that compares a system with the plain vote at cursors with nothing behind them."""
    parts = []
    for key, where in (("exact_start", "at line starts"), ("exact_within", "within lines")):
        one = ratios[key]
        if one["value"] is not None:
            parts.append(f"{one['value']:.2f} times [{one['low']:.2f}, {one['high']:.2f}] {where}")
    return f"nothing behind the cursor: {ratios['system']} is exact {', '.join(parts)} as often as suffix_vote"


def remarks(report: dict[str, Any]) -> list[str]:
    """Return sentences that a reader of the figures needs."""
    lines = list(report["notes"])
    if report.get("cases") and max(report["files"], 1) < 10:
        lines.append(
            f"All cursors are in {report['files']} file{'s' if report['files'] > 1 else ''}, which is few: "
            "the intervals are computed by file."
        )
    passed = ", ".join(f"{count:,} x {reason}" for reason, count in sorted(report["passed_over"].items()))
    if passed:
        lines.append(f"Skipped: {passed}.")
    lines.append(
        "Brackets: 95 % intervals (paired bootstrap by file, at least Wilson's). right, not usable: of those shown."
    )
    return lines


def _overall(systems: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for name in systems:
        table.add_column(name, justify="right", no_wrap=True)
    for key, measure in MEASURES.items():
        table.add_row(measure.label, *(percent(one["overall"][key]) for one in systems.values()))
    table.add_row("calibration error of the gate", *(f"{one['calibration_error']:.3f}" for one in systems.values()))
    return table


def _difference(row: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, title=f"{row['to']} minus {row['from']}", title_justify="left")
    table.add_column("")
    table.add_column("points", justify="right", no_wrap=True)
    for key, measure in MEASURES.items():
        if row[key]["value"] is not None:
            clear = row[key]["low"] > 0 or row[key]["high"] < 0
            table.add_row(measure.label, Text(percent(row[key], signed=True), "bold" if clear else ""))
    return table


def _group(title: str, rows: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    table.add_column("", min_width=24, no_wrap=True)
    table.add_column("cases", justify="right")
    for key in _GROUP_COLUMNS:
        table.add_column(_HEADS[key], justify="right", no_wrap=True)
    for name, figures in list(rows.items())[:_ROWS]:
        shown = [percent(figures[key], interval=key == "exact") for key in _GROUP_COLUMNS]
        table.add_row(Text(printable(name)), f"{figures['cases']:,}", *shown)
    return table


def _speed(one: dict[str, Any]) -> str:
    first, again = one["latency_ms"]["first"], one["latency_ms"]["again"]
    if first["p50"] is None:
        return "no request was timed"
    return (
        f"{first['p50']:.1f} ms at a new line (p95 {first['p95']:.1f}), {again['p50']:.1f} ms at the next key"
        f" (p95 {again['p95']:.1f})"
    )


def _period(report: dict[str, Any]) -> str:
    stages = report["stages"]
    if not stages or "from" not in stages[0]:
        held = stages[0]["held_out"] if stages else 0
        return f"{held:,} files held out"
    commits = sum(stage["commits"] for stage in stages)
    return f"{commits:,} commits of {stages[0]['from']} to {stages[-1]['to']}"


def show_refit(done: Refit, precision: float, console: Console) -> None:
    """Print the result of fitting the gate."""
    table = Table(box=None, pad_edge=False)
    for head in ("on the newest window", "shipped", "fitted"):
        table.add_column(head, justify="left" if head.startswith("on") else "right")
    for key, label in (
        ("log_loss", "log loss (lower is better)"),
        ("calibration_error", "calibration error"),
        ("coverage", f"shown, at a wanted precision of {precision:.0%}"),
        ("precision", "right, of those shown"),
    ):
        cells = ["-" if side[key] is None else f"{side[key]:.3f}" for side in (done.before, done.after)]
        table.add_row(label, *cells)
    console.print(
        f"Fitted on {done.fitted_on:,} suggestions, judged on {done.judged_on:,} suggestions of newer commits."
    )
    console.print(table)
    gain = f"gain {done.gain:+.4f} log loss per suggestion, standard error {done.noise:.4f}"
    if done.written is None:
        console.print(f"The fitted gate is not clearly better here ({gain}). The shipped gate stays in use.")
    else:
        console.print(
            f"The fitted gate is better ({gain}). It is in use from the next start of the server: {done.written}"
        )
