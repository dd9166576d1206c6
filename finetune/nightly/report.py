"""The report of a nightly run: one line for a mail, Markdown for people, JSON for programs.

A report holds no line of code and no canary.
"""

import json
import math
import time
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from finetune.evaluation.dated_files import next_name
from finetune.nightly.promotion import BASE, CURRENT, called, points, titled
from indexer import fsio
from indexer.text.printable import printable

if TYPE_CHECKING:
    from finetune.dataset.build import Manifest
    from finetune.nightly.commit_split import CommitSplit
    from finetune.nightly.plan import NightPlan, Speeds
    from finetune.nightly.promotion import Decision
    from finetune.nightly.replay import Judged
    from finetune.training.options import TrainingOptions, TrainingResult

PROMOTED: Final = "promoted"
KEPT: Final = "kept"
TOO_FEW: Final = "too few changes"
DATASET: Final = "dataset only"
FAILED: Final = "failed"
STOPPED: Final = "stopped"

_REASONS_SHOWN = 12


class Report:
    """The report of one nightly run, filled step by step.

    :ivar document: plain data, ready for JSON.
    """

    def __init__(self, root: Path) -> None:
        self._started = time.monotonic()
        self.document: dict[str, Any] = {
            "ondol": version("ondol"),
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "repository": root.name,
            "status": FAILED,
            "summary": "",
            "version": None,
            "reasons": [],
            "notes": [],
        }

    def add(self, **values: Any) -> None:
        """Add facts by name."""
        self.document |= values

    def note(self, *sentences: str) -> None:
        """Add sentences for the user; each stands in the report once, whoever says it."""
        self.document["notes"] += [one for one in dict.fromkeys(sentences) if one not in self.document["notes"]]

    def too_few(self, why: str) -> None:
        """Record that there is nothing to train on."""
        self.add(status=TOO_FEW, summary=f"too few changes: {why}; nothing was changed")

    def failed(self, why: str) -> None:
        """Record that the run failed."""
        self.add(status=FAILED, summary=why, reasons=[why])

    def stopped(self, why: str, cursors: int | None) -> None:
        """Record that a signal ended the run.

        :param cursors: that every system had answered; None before the replay.
        """
        at = f" after {cursors:,} cursors, whose figures are partial" if cursors else ""
        known = [name for name in ("dataset", "training") if name in self.document]
        has = f"; it has its {' and its '.join(known).replace('dataset', 'data set')}" if known else ""
        summary = f"{why}{at}{has}; nothing was promoted, and the next run continues"
        self.add(status=STOPPED, summary=summary, reasons=[why])

    @property
    def cursors(self) -> int | None:
        """Number of replayed cursors; None before the replay."""
        replay = self.document.get("replay")
        return int(replay["cases"]) if replay else None

    def planned(self, plan: "NightPlan", speeds: "Speeds | None") -> None:
        """Record the plan and the speeds that it was made by."""
        self.add(plan={**asdict(plan), "speeds": asdict(speeds) if speeds else None})

    def commits(self, split: "CommitSplit") -> None:
        """Record the commits."""
        self.note(*split.notes)
        self.add(
            commits={
                "since": split.since,
                "newest": split.until,
                "head": split.head,
                "new": split.fresh,
                "trained_on": split.training,
                "replayed": split.held_out,
            }
        )

    def dataset(self, made: "Manifest", where: Path, seconds: float) -> None:
        """Record the data set."""
        self.note(*made.notes)
        self.document["commits"]["trained_on"] = made.commits
        self.add(
            status=DATASET,
            summary=f"{made.commits:,} commits, {made.samples:,} samples, {made.tokens:,} tokens in {where}",
            dataset={
                "samples": made.samples,
                "tokens": made.tokens,
                "sha256": made.sha256,
                "kinds": dict(made.kinds),
                "languages": dict(made.languages),
                "left_out": dict(made.left_out),
                "files": len(made.paths),
                "validation": made.validation,
                "seconds": round(seconds, 1),
            },
        )

    def training(self, result: "TrainingResult", options: "TrainingOptions", start: int | None) -> None:
        """Record the training; ``start`` is the version that it started from."""
        self.note(*result.notes)
        self.add(training={**asdict(result), "options": asdict(options), "started_from": start})

    def replay(self, judged: "Judged") -> None:
        """Record the figures of the replay."""
        self.note(*judged.skips.notes)
        self.add(
            replay={
                **judged.summary,
                "stages": judged.stages,
                "engines": judged.about,
                "passed_over": judged.skips.reasons,
            }
        )

    def decided(self, decision: "Decision", *, promoted: bool) -> None:
        """Record whether the adapter was promoted, and why."""
        document = self.document
        minutes = (time.monotonic() - self._started) / 60
        commits, samples = document["commits"]["trained_on"], document["dataset"]["samples"]
        head = f"{commits:,} commits, {samples:,} samples, {minutes:,.0f} min"
        gains = decision.figures.get("gains", {})
        gain = gains.get(CURRENT) or gains.get(BASE)
        rival = called(CURRENT if CURRENT in gains else BASE) if gains else ""
        figure = f"{_signed(gain)} over {rival}" if gain and gain["value"] is not None else ""
        if promoted:
            status, line = PROMOTED, f"promoted: {figure}"
        elif decision.promote:
            status, line = KEPT, f"better, but not promoted (--no-promote): {figure}"
        else:
            status, line = KEPT, f"not promoted: {'; '.join(decision.reasons)}"
        self.add(status=status, summary=f"{head}, {line}", reasons=list(decision.reasons), decision=decision.figures)

    def write(self, folder: Path) -> None:
        """Write both forms, named by the time; ``document["files"]`` holds their paths, none if the disk is full."""
        self.add(seconds=round(time.monotonic() - self._started, 1))
        stem = next_name(folder, datetime.now(UTC).strftime("%Y%m%d-%H%M%S"))
        files = {kind: folder / f"{stem}.{kind}" for kind in ("json", "md")}
        self.add(files={kind: str(path) for kind, path in files.items()})
        self.document = finite(self.document)
        try:
            fsio.replace_file(files["json"], (json.dumps(self.document, indent=1) + "\n").encode())
            fsio.replace_file(files["md"], markdown(self.document).encode())
        except OSError as error:
            self.note(f"The report could not be written: {error.strerror or error}.")
            self.add(files={})


def markdown(document: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    lines = [f"# {document['repository']}: {document['status']}", "", document["summary"] or "-", ""]
    if document["version"]:
        lines += [f"Version {document['version']}, made {document['made']}.", ""]
    lines += _list("Why it was not promoted", document["reasons"] if document["status"] == KEPT else [])
    lines += _list("Notes", document["notes"])
    if "plan" in document:
        lines += ["## Plan", "", f"{document['plan']['sentence']}.", ""]
    if "commits" in document:
        one = document["commits"]
        since = one["since"][:12] if one["since"] else "the beginning"
        lines += ["## Commits", "", f"Trained on {one['trained_on']:,} after {since}, up to {one['newest'][:12]};"]
        lines += [f"replayed {one['replayed']:,} newer ones, up to {one['head'][:12]}.", ""]
    if "dataset" in document:
        lines += _dataset(document["dataset"])
    if "training" in document:
        lines += _training(document["training"])
    if "replay" in document:
        lines += _replay(document["replay"], document.get("decision") or {})
    return printable("\n".join(lines), "\n")


def _dataset(one: dict[str, Any]) -> list[str]:
    left_out = sorted(one["left_out"].items(), key=lambda pair: -pair[1])
    return [
        "## Data set",
        "",
        f"{one['samples']:,} samples, {one['tokens']:,} tokens from {one['files']:,} files in {one['seconds']:,.0f} s.",
        "",
        *_list("Languages", [f"{name}: {count:,}" for name, count in one["languages"].items()]),
        *_list("Left out", [f"{count:,} x {reason}" for reason, count in left_out[:_REASONS_SHOWN]]),
    ]


def _training(one: dict[str, Any]) -> list[str]:
    start = f"version {one['started_from']}" if one["started_from"] else "the base"
    how = "stopped by the time limit" if one["stopped"] == "budget" else "finished"
    return [
        "## Training",
        "",
        f"{one['steps']:,} steps from {start}, {one['tokens']:,} tokens in {one['seconds']:,.0f} s "
        f"({one['tokens_per_second']:,.0f} a second), loss {_figure(one['loss_first'])} to {_figure(one['loss_last'])},"
        f" peak memory {one['peak_bytes'] / 1e9:.1f} GB; {how}.",
        "",
    ]


def _replay(one: dict[str, Any], decision: dict[str, Any]) -> list[str]:
    lines = ["## Replay", "", f"{one['cases']:,} cursors in {one.get('files', 0):,} files.", ""]
    if one["systems"]:
        lines += ["| system | exact rest of line | characters saved | ms at a new line | ms at the next key |"]
        lines += ["|---|---|---|---|---|"]
    for name, system in one["systems"].items():
        overall, latency = system["overall"], system["latency_ms"]
        lines.append(
            f"| {titled(name)} | {_percent(overall['exact'])} | {_percent(overall['saved'])} "
            f"| {_figure(latency['first']['p50'])} | {_figure(latency['again']['p50'])} |"
        )
    lines.append("")
    rows = [
        f"{_signed(gain)} over {called(rival)}" for rival, gain in decision.get("gains", {}).items() if gain["count"]
    ]
    if decision.get("seen"):
        rows.append(f"{_signed(decision['seen'])} in the hybrid engine, over what editors get now")
    for rival, languages in decision.get("languages", {}).items():
        rows += [f"{name}, over {called(rival)}: {_signed(change)}" for name, change in languages.items()]
    return [*lines, *_list("The gate", rows)]


def _list(title: str, rows: list[str]) -> list[str]:
    return [f"{title}:", "", *(f"- {row}" for row in rows), ""] if rows else []


def _signed(gain: dict[str, Any]) -> str:
    value, _, interval = points(gain).partition(",")
    return f"{value} exact match,{interval}"


def _percent(estimate: dict[str, Any]) -> str:
    if estimate["value"] is None:
        return "-"
    return f"{100 * estimate['value']:.1f} % [{100 * estimate['low']:.1f}, {100 * estimate['high']:.1f}]"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def finite(value: Any) -> Any:
    """Replace NaN and infinities by None, because JSON cannot hold them."""
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
