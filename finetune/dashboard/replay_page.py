"""The dashboard's page of replays: what the last ones found, in the words and figures of ``ondol eval``."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from finetune.dashboard.page import Page, Table
from finetune.evaluation import screen
from finetune.evaluation.dated_files import in_order
from finetune.evaluation.verdict import others, verdict

LARGEST: Final = 20_000_000
"""Bytes of a report, at most; one with all systems and languages has some 100,000."""

NONE: Final = "No replay yet: `ondol eval --typing` types your last commits again, and its figures stand here then."


def replay_page(kept: Path, given: Sequence[Path]) -> Page:
    """Return the given reports, and then the kept ones, the newest first.

    :param kept: the folder of this repository's last reports. :param given: reports of ``ondol eval --json``.
    """
    page = Page("Replay")
    for path in (*given, *reversed(in_order(kept))):
        try:
            report = report_in(path)
            sentences, (heads, rows) = verdict(report) + others(report), screen.figures(report)
            title = _title(report)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration):
            page.problems.append(f"{path} is not a report of `ondol eval --json`.")
            continue
        page.tables.append(Table(title, heads, rows, note=" ".join(sentences)))
    if not page.tables:
        page.tables.append(Table("Reports", (), [], NONE))
    else:
        page.notes.append("Brackets: 95 % intervals. `ondol eval --html FILE` writes all figures with a legend.")
    return page


def _title(report: dict[str, Any]) -> str:
    kind = "typed key by key" if "typing" in report else "single cursors" if "systems" in report else "next edits"
    made = str(report["made"])[:19].replace("T", " ")
    return f"{report['repository']}, {kind}, {made} UTC"


def report_in(path: Path) -> dict[str, Any]:
    """Return the report in a file.

    :raises ValueError: it is no report, or no plain file, from which reading might wait for ever.
    """
    if not path.is_file() or path.stat().st_size > LARGEST:
        raise ValueError(f"{path} is no report")
    try:
        report = json.loads(path.read_text("utf-8"))
    except RecursionError:
        raise ValueError(f"{path} is no report") from None
    if not isinstance(report, dict):
        raise ValueError(f"{path} is no report")
    return report
