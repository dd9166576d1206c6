"""Makes the report of a replay as one HTML page: plots, tables, example cases with their text, and how it was measured.

The page is self-contained: it has no script, font or address, and a policy in its head forbids to load any. Unlike the
JSON report it shows code, so it must stay where the code may be. This module prepares the data; the layout is
``templates/report.html``, which escapes all text.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from finetune.commits.cases import Case
from finetune.evaluation import edit_report, svg_plots, typing_report
from finetune.evaluation.figure_text import percent
from finetune.evaluation.metrics import ScoredAnswer
from finetune.evaluation.replay import ReplayResult
from finetune.evaluation.report import remarks
from finetune.evaluation.summary import MEANINGS, MEASURES
from finetune.evaluation.verdict import verdict
from indexer.text.lines import lines_of
from indexer.text.printable import printable
from lsp_server.figure_words import legend

TEMPLATES: Final = Path(__file__).parent / "templates"

CASES_PER_LIST: Final = 8
"""Number of cases in each list of examples."""

_WORDS: Final = ("shown", "right", "not usable", "saved", "accepted", "typed past", "probability", "interval")
_LINES_ABOVE: Final = 4
_BARS: Final = 14
_LONGEST_LINE: Final = 200
_TILES: Final = {
    "exact_start": "exact at line start",
    "exact_within": "exact within the line",
    "coverage": "shown automatically",
    "precision": "right of those shown",
    "dismissed": "not usable of those shown",
    "saved": "characters saved",
}
_DIRECTORY_COLUMNS: Final = {
    "exact": "exact rest of line",
    "similarity": "edit similarity",
    "coverage": "shown",
    "precision": "right of those",
    "dismissed": "not usable of those",
    "saved": "saved",
}


def page(report: dict[str, Any], result: ReplayResult) -> str:
    """Return the whole page.

    :param report: as ``report.document`` makes it; the plots and examples are those of its first system.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    name = next(iter(report["systems"]))
    system = report["systems"][name]
    text: str = environment.get_template("report.html").render(
        report=report,
        verdict=verdict(report),
        words=legend(_WORDS),
        typing=typing_report.page_part(report["typing"]) if "typing" in report else None,
        edits=edit_report.page_part(report["edits"]) if "edits" in report else None,
        lead=_lead(report),
        tiles=_tiles(system["overall"]),
        plots=_plots(report, system),
        figures=_figures(report),
        differences=_differences(report),
        meanings=MEANINGS,
        directories=_directories(system["groups"]["directory"]),
        case_lists=_case_lists(result, name),
        windows=_windows(report["stages"]),
        facts=_facts(report),
        remarks=remarks(report),
    )
    return printable(text, "\n\t").encode("utf-8", "replace").decode("utf-8")  # names of files need not be valid UTF-8


def _lead(report: dict[str, Any]) -> str:
    stages = report["stages"]
    where = f"{report['cases']:,} cursors in {report['files']:,} files"
    if stages and "from" in stages[0]:
        commits = sum(stage["commits"] for stage in stages)
        when = f"of {commits:,} commits, {stages[0]['from']} to {stages[-1]['to']}"
        return f"{where} {when}. At each cursor the suggestion is compared with what the author then wrote."
    return f"{where} that were held out of the index and replayed from the top."


def _tiles(figures: dict[str, Any]) -> list[dict[str, str]]:
    tiles = []
    for key, label in _TILES.items():
        one = figures[key]
        counted = one["value"] is not None
        value = Markup("{:.1f}<small>%</small>").format(100 * one["value"]) if counted else "–"
        interval = f"{100 * one['low']:.0f} to {100 * one['high']:.0f} %" if counted else ""
        tiles.append({"label": label, "value": value, "interval": interval})
    return tiles


def _plots(report: dict[str, Any], system: dict[str, Any]) -> list[dict[str, str]]:
    """Return title, SVG and note of each plot; ``svg_plots`` escapes the text in the SVG."""
    groups = system["groups"]
    calibration = [
        (row["said"], row["happened"], row["low"], row["high"], int(row["count"])) for row in system["calibration"]
    ]
    sorts = {**groups["kind"], **groups["novelty"], **groups["place"]}
    plots = [
        ("Precision against coverage", _trade_off(report), _trade_off_note(system)),
        (
            "Calibration of the gate",
            svg_plots.calibration_plot(calibration, title="Calibration of the gate"),
            f"Expected calibration error {system['calibration_error']:.3f} over ten bins. Larger dots stand for more "
            "suggestions.",
        ),
        ("Exact rest of line, by language", _bars(groups["language"]), "The number in grey counts the cursors."),
        (
            "Exact rest of line, by cursor and line",
            _bars(sorts),
            "“Stands elsewhere”: another indexed file or another place in the document has the same line.",
        ),
    ]
    return [{"title": title, "svg": svg, "note": note} for title, svg, note in plots]


def _trade_off(report: dict[str, Any]) -> str:
    systems = report["systems"]
    marks: list[tuple[float, float] | None] = []
    for system in systems.values():
        shown, right = (system["overall"][key]["value"] for key in ("coverage", "precision"))
        marks.append(None if right is None else (shown, right))
    return svg_plots.line_plot(
        [(name if len(systems) > 1 else "", system["curve"]) for name, system in systems.items()],
        marks,
        title="Precision against coverage",
        across="share of cursors with a suggestion shown",
        up="share of those that is right",
        level=("wanted precision", report["settings"]["precision"]),
    )


def _trade_off_note(system: dict[str, Any]) -> str:
    at = system["precision_at_coverage"]
    note = (
        "The dot is what is shown automatically with the present settings and display rules. The curve before it is the"
        " most probable part of that: what a larger wanted precision leaves."
    )
    if at["precision"] is None:
        return f"{note} Fewer than 30 % of the cursors had a suggestion on request."
    return (
        f"{note} Of whole lines on request, the most probable for {100 * at['coverage']:.0f} % of the cursors are right"
        f" in {100 * at['precision']:.1f} %."
    )


def _bars(groups: dict[str, Any]) -> str:
    rows = []
    for name, figures in list(groups.items())[:_BARS]:
        one = figures["exact"]
        rows.append((name, one["value"], one["low"], one["high"], f"{figures['cases']:,}"))
    return svg_plots.bar_plot(rows, title="Exact rest of line")


def _figures(report: dict[str, Any]) -> list[list[str]]:
    """Return the table of all figures, one column for each system."""
    systems = report["systems"].values()
    rows = [[measure.label, *(percent(one["overall"][key]) for one in systems)] for key, measure in MEASURES.items()]
    rows.append(["calibration error of the gate", *(f"{one['calibration_error']:.3f}" for one in systems)])
    for which, label in (("first", "ms at a new line, median (p95)"), ("again", "ms at the next key, median (p95)")):
        rows.append([label, *(_milliseconds(one["latency_ms"][which]) for one in systems)])
    if report["moved"]:
        moved = (percent(one["moved"]["exact"]) for one in systems)
        rows.append([f"exact in {report['moved']} moved lines, counted apart", *moved])
    return rows


def _milliseconds(one: dict[str, Any]) -> str:
    return "–" if one["p50"] is None else f"{one['p50']:.1f} ({one['p95']:.1f})"


def _differences(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "title": f"{one['to']} minus {one['from']}",
            "rows": [(measure.label, percent(one[key], signed=True)) for key, measure in MEASURES.items()],
        }
        for one in report["differences"]
    ]


def _directories(groups: dict[str, Any]) -> dict[str, Any]:
    rows = [
        [
            name,
            f"{figures['cases']:,}",
            *(percent(figures[key], interval=key == "exact") for key in _DIRECTORY_COLUMNS),
        ]
        for name, figures in groups.items()
    ]
    return {"heads": ["directory", "cursors", *_DIRECTORY_COLUMNS.values()], "rows": rows}


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of an example: the typed part, then text of a kind, which is also its CSS class."""

    typed: str
    text: str
    kind: str
    label: str = ""


def _case_lists(result: ReplayResult, system: str) -> list[dict[str, Any]]:
    """Return three lists of instructive cases."""
    answers = [one for one in result.systems[system] if not one.moved]
    wrong = sorted((one for one in answers if one.shown and not one.right), key=lambda one: -one.probability)
    missed = sorted(
        (one for one in answers if one.verbatim and not one.among and not one.shown), key=lambda one: -one.characters
    )
    right = sorted((one for one in answers if one.whole), key=lambda one: -(one.saved + one.saved_below))
    lists = {
        "Worst: shown and wrong, by falling probability": wrong,
        "Missed: the line stands elsewhere, and nothing was shown": missed,
        "Best: shown and right in all lines, the longest first": right,
    }
    return [
        {"title": title, "cases": [_example(result.cases[one.case], one) for one in _one_per_file(found)]}
        for title, found in lists.items()
    ]


def _one_per_file(answers: Iterable[ScoredAnswer]) -> list[ScoredAnswer]:
    first: dict[str, ScoredAnswer] = {}
    for one in answers:
        first.setdefault(one.path, one)
    return list(first.values())[:CASES_PER_LIST]


def _example(case: Case, one: ScoredAnswer) -> dict[str, Any]:
    """Return the lines above the cursor, what the author wrote and, if it differs, what was suggested."""
    lines = [_Line("", _short(line), "above") for line in lines_of(case.text)[: case.line][-_LINES_ABOVE:]]
    typed = _short(case.text[case.text.rfind("\n", 0, case.offset) + 1 : case.offset])
    suggested = lines_of(one.shown or one.best)
    author = [case.rest, *case.following[: len(suggested) - 1]]
    lines += _written(typed, author, "author", "the author")
    if not one.whole and suggested == [""]:
        lines.append(_Line("", f"{typed}‸ nothing suggested", "quiet"))
    elif not one.whole:
        lines += _written(typed, suggested, "suggested", "suggested")
    return {
        "place": f"{one.path}:{one.line + 1}",
        "facts": f"{one.kind} · {one.language} · {one.probability:.0%} · {one.commit[:10]}",
        "lines": lines,
    }


def _written(typed: str, lines: Sequence[str], kind: str, label: str) -> list[_Line]:
    first, *below = map(_short, lines)
    return [_Line(typed, first, kind, label), *(_Line("", line, kind, label) for line in below)]


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST_LINE else line[:_LONGEST_LINE] + " …"


def _windows(stages: Iterable[dict[str, Any]]) -> dict[str, Any]:
    rows = [
        [
            stage.get("indexed_commit", "")[:12] or f"{stage.get('held_out', 0)} files held out",
            str(stage.get("commits", "")),
            f"{stage['from']} – {stage['to']}" if "from" in stage else "",
            f"{stage['cases']:,}",
            f"{stage['files']:,}",
            f"{stage['lines']:,}",
            str(stage["generation"]),
            f"{stage['index_seconds']:.1f}",
        ]
        for stage in stages
    ]
    heads = ["indexed commit", "commits", "from – to", "cursors", "files", "lines", "generation", "seconds"]
    return {"heads": heads, "rows": rows}


def _facts(report: dict[str, Any]) -> dict[str, Any]:
    asked, machine = report["asked"], report["machine"]
    systems = (
        f"{name} ({', '.join(f'{key}: {value}' for key, value in about.items())})"
        for name, about in report["engines"].items()
    )
    return {
        "HEAD": report["head"] or "no git",
        "seed": asked["seed"],
        "commits": asked["commits"],
        "since": asked["since"] or "–",
        "wanted precision": report["settings"]["precision"],
        "systems": "; ".join(systems),
        "Ondol": report["ondol"],
        "made": report["made"],
        "time": f"{report['seconds']:.0f} s, with the indexes",
        "machine": f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['system']},"
        f" Python {machine['python']}",
    }
