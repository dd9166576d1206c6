"""The web page: does it help us, which version serves, since when. Streamlit runs it (``finetune.dashboard.command``).

Shows what the nights, the registry, the statistics and given replays hold; computes and writes nothing.
"""

import json
import sys
from pathlib import Path
from typing import Any

import streamlit as st

from finetune.adapters.overview import row_of
from finetune.evaluation.systems import systems_of
from finetune.nightly.promotion import CANDIDATE
from indexer.config import Settings
from indexer.data_layout import STATS, nightly_reports_directory, registry_directory
from lsp_server.telemetry.feedback import summarize
from lsp_server.telemetry.traces import ring_of
from lsp_server.weights.adapter_registry import current_number
from lsp_server.weights.adapter_registry_writer import versions


def nights(folder: Path) -> list[dict[str, Any]]:
    """The reports of the nights, the oldest first; one that cannot be read is left out and counted by its name."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(json.loads(path.read_text("utf-8")))
        except (OSError, ValueError):
            found.append({"made": path.stem, "status": "unreadable", "summary": path.name})
    return found


def percent(value: float | None) -> str:
    """A share as text."""
    return "-" if value is None else f"{100 * value:.1f} %"


def show_nights(reports: list[dict[str, Any]]) -> None:
    """How the systems did night by night, and what was decided."""
    st.header("Nights")
    if not reports:
        st.write("No night yet: `ondol finetune` makes one.")
        return
    points: dict[str, dict[str, float]] = {}
    for one in reports:
        for name, figures in systems_of(one["replay"]).items() if "replay" in one else ():
            points.setdefault(one["made"], {})[name] = 100 * figures["overall"]["exact"]["value"]
    if points:
        st.subheader("Exact rest of line on commits kept out of training, %")
        st.line_chart([{"night": made, **shares} for made, shares in points.items()], x="night")
    st.dataframe(
        [{"night": one["made"], "status": one["status"], "what": one["summary"]} for one in reversed(reports)],
        hide_index=True,
    )


def show_versions(rows: list[dict[str, Any]]) -> None:
    """The registry."""
    st.header("Adapters")
    if not rows:
        st.write("No adapter yet.")
        return
    shown = ("version", "current", "made", "base", "commits", "samples", "gain", "verdict", "mark", "problem")
    st.dataframe(
        [{**{key: one[key] for key in shown}, "exact": percent(one["exact"])} for one in rows], hide_index=True
    )


def show_statistics(records: list[dict[str, Any]]) -> None:
    """What became of suggestions."""
    st.header("What became of suggestions")
    rows = summarize(records)
    if not rows:
        st.write("Nothing was shown yet.")
        return
    total = rows[-1]
    columns = st.columns(4)
    columns[0].metric("shown", f"{total['shown']:,}")
    columns[1].metric("accepted", percent(total["accepted_share"]))
    columns[2].metric("kept after 5 min", percent(total["kept_300"]))
    columns[3].metric("characters taken", f"{total['characters']:,}")
    st.dataframe(rows, hide_index=True)


def show_evaluation(path: Path) -> None:
    """A replay that was asked for by hand."""
    st.header(f"Replay: {path.name}")
    try:
        report = json.loads(path.read_text("utf-8"))
        rows = [
            {
                "system": name,
                **{key: percent(one["value"]) for key, one in figures["overall"].items() if key != "cases"},
            }
            for name, figures in systems_of(report).items()
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        st.error(f"{path} is no report of `ondol eval --json`.")
        return
    st.write(f"{report['repository']}: {report['cases']:,} cursors")
    st.dataframe(rows, hide_index=True)


def main(root: Path, data: Path, evaluations: list[Path]) -> None:
    """The page."""
    settings = Settings(data_dir=data)
    registry = registry_directory(settings, root)
    st.set_page_config(page_title=f"Ondol: {root.name}", layout="wide")
    st.title(root.name)
    now = current_number(registry)
    rows = [row_of(one, now, {}) for one in reversed(versions(registry))]
    serving = next((one for one in rows if one["current"]), None)
    columns = st.columns(3)
    columns[0].metric("serves", f"version {now}" if now else "no adapter")
    columns[1].metric(f"exact, {CANDIDATE}", percent(serving["exact"] if serving else None))
    columns[2].metric("over the base", (serving["gain"] or "-") if serving else "-")
    show_nights(nights(nightly_reports_directory(settings, root)))
    show_versions(rows)
    ring = ring_of(settings, root, STATS, 0)
    show_statistics(ring.read() if ring is not None else [])
    for path in evaluations:
        show_evaluation(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), [Path(one) for one in sys.argv[3:]])
