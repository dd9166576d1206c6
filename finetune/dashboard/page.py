"""The web page of ``ondol dashboard``: which adapter is current, what it gains, and how suggestions are used.

Streamlit runs this file (see ``finetune.dashboard.command``). The page shows the reports of nightly runs, the registry,
the statistics and given replay reports. It writes nothing.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

import streamlit as st

from finetune.adapters.overview import row_of
from finetune.evaluation.summary import MEASURES
from finetune.evaluation.systems import systems_of
from indexer.config import Settings
from indexer.data_layout import STATS, nightly_reports_directory, registry_directory
from lsp_server.telemetry.feedback import summarize
from lsp_server.telemetry.traces import ring_of
from lsp_server.weights.adapter_registry import current_number
from lsp_server.weights.adapter_registry_writer import versions

SHARES: Final = {
    key: st.column_config.NumberColumn(label, format="percent")
    for key, label in {
        "accepted_share": "share accepted",
        "kept_30": "kept after 30 s",
        "kept_300": "kept after 5 min",
        "similar_30": "similarity after 30 s",
        "similar_300": "similarity after 5 min",
    }.items()
}
"""Columns of the statistics that hold shares, with their headings."""


def nightly_reports(folder: Path) -> list[dict[str, Any]]:
    """Return the reports of nightly runs, the oldest first; an unreadable one as a row with its file's name."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(json.loads(path.read_text("utf-8")))
        except (OSError, ValueError):
            found.append({"made": path.stem, "status": "unreadable", "summary": path.name})
    return found


def percent(value: float | None) -> str:
    """Return a share as text."""
    return "-" if value is None else f"{100 * value:.1f} %"


def show_nightly_runs(reports: list[dict[str, Any]]) -> None:
    """Show the figures of each nightly run, and its decision."""
    st.header("Nightly runs")
    if not reports:
        st.write("There is no nightly run yet. `ondol finetune` makes one.")
        return
    points: dict[str, dict[str, float]] = {}
    for one in reports:
        for name, figures in systems_of(one["replay"]).items() if "replay" in one else ():
            points.setdefault(one["made"], {})[name] = 100 * figures["overall"]["exact"]["value"]
    if points:
        st.subheader("Exact rest of line on commits that were not used for training, in %")
        st.line_chart([{"run": made, **shares} for made, shares in points.items()], x="run", y_label="%")
    st.dataframe(
        [{"run": one["made"], "status": one["status"], "summary": one["summary"]} for one in reversed(reports)],
        hide_index=True,
    )


def show_versions(rows: list[dict[str, Any]]) -> None:
    """Show the versions of the registry."""
    st.header("Adapters")
    if not rows:
        st.write("There is no adapter yet.")
        return
    shown = ("version", "current", "made", "base", "commits", "samples", "gain", "verdict", "mark", "problem")
    st.dataframe(
        [{**{key: one[key] for key in shown}, "exact": percent(one["exact"])} for one in rows], hide_index=True
    )


def show_statistics(records: list[dict[str, Any]]) -> None:
    """Show how suggestions were used."""
    st.header("Use of suggestions")
    rows = summarize(records)
    if not rows:
        st.write("No suggestion has been shown yet.")
        return
    total = rows[-1]
    columns = st.columns(4)
    columns[0].metric("shown", f"{total['shown']:,}")
    columns[1].metric("accepted", percent(total["accepted_share"]))
    columns[2].metric("kept after 5 minutes", percent(total["kept_300"]))
    columns[3].metric("accepted characters", f"{total['characters']:,}")
    st.dataframe(rows, hide_index=True, column_config=SHARES)


def show_evaluation(path: Path) -> None:
    """Show a report of ``ondol eval --json``."""
    st.header(f"Replay: {path.name}")
    try:
        report = json.loads(path.read_text("utf-8"))
        systems = systems_of(report)
        rows = [
            {
                "figure": measure.label,
                **{name: percent(one["overall"][key]["value"]) for name, one in systems.items()},
            }
            for key, measure in MEASURES.items()
            if all(key in one["overall"] for one in systems.values())
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        st.error(f"{path} is not a report of `ondol eval --json`.")
        return
    st.write(f"{report['repository']}: {report['cases']:,} cursors")
    st.dataframe(rows, hide_index=True)


def main(root: Path, data: Path, evaluations: list[Path]) -> None:
    """Show the whole page."""
    settings = Settings(data_dir=data)
    registry = registry_directory(settings, root)
    st.set_page_config(page_title=f"Ondol: {root.name}", layout="wide")
    st.title(root.name)
    now = current_number(registry)
    rows = [row_of(one, now, {}) for one in reversed(versions(registry))]
    current = next((one for one in rows if one["current"]), None)
    columns = st.columns(3)
    columns[0].metric("current adapter", f"version {now}" if now else "none")
    columns[1].metric("exact rest of line, with retrieval", percent(current["exact"] if current else None))
    gain, _, interval = ((current["gain"] if current else None) or "-").partition(", ")
    columns[2].metric(f"gain over the base, in points {interval and f'({interval})'}", gain)
    show_nightly_runs(nightly_reports(nightly_reports_directory(settings, root)))
    show_versions(rows)
    ring = ring_of(settings, root, STATS, 0)
    show_statistics(ring.read() if ring is not None else [])
    for path in evaluations:
        show_evaluation(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), [Path(one) for one in sys.argv[3:]])
