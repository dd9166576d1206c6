"""Replays commits of public repositories with the retrieval engine.

    python benchmarks/bench_replay.py --clones DIR [--only NAME ...]
    python benchmarks/bench_replay.py --clones DIR --baseline           compares the targets with an n-gram model, at
                                                                        lines that were written and at all added lines

``repositories.json`` gives each repository a role: the shipped ranker and gate were fitted on those of role ``fit``;
targets are set for those of role ``target``; those of role ``unseen`` are reported too. Nothing was fitted on the last
two. The script runs ``ondol eval`` on each of them, with its history up to the commit in that file. It looks for clones
with full history in DIR, as OWNER+NAME/repo, OWNER+NAME, OWNER/NAME or NAME, and reports those that are missing.

Results go to ``results/replay.json`` after each repository, so ``--only`` can continue an interrupted run, and as a
table into ``docs/evaluation.md``. They hold figures and no code. Those of ``--baseline`` go to
``results/baseline.json``.
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from clones import evaluated, find, put_into

from finetune.evaluation.systems import systems_of

HERE = Path(__file__).parent
REPOSITORIES = HERE / "repositories.json"
RESULTS = HERE / "results" / "replay.json"
BASELINE = HERE / "results" / "baseline.json"
PAGE = HERE.parent / "docs" / "evaluation.md"
BEGIN = "<!-- table: benchmarks/bench_replay.py -->"
BEGIN_BASELINE = "<!-- table: benchmarks/bench_replay.py --baseline -->"
ONDOL = Path(sys.executable).with_name("ondol")

COMMITS, WINDOWS, CASES, SEED = 300, 4, 800, 20261121
"""For each repository; half of the cases at line starts. Moved lines come on top and are counted apart."""

MEASURES = ("exact_start", "exact_within", "among_three", "similarity", "coverage", "precision", "dismissed", "saved")
ROLES = ("target", "unseen")


def replay(
    repository: dict[str, str], clone: Path, cases: int, more: dict[str, object] | None = None
) -> dict[str, Any]:
    """Return the report of ``ondol eval`` on one repository at the named commit."""
    amounts = {"commits": COMMITS, "windows": WINDOWS, "cases": cases, "seed": SEED}
    report = evaluated(ONDOL, repository, clone, amounts | (more or {}))
    report.update(repository=repository["name"], role=repository["role"], load_average=round(os.getloadavg()[0], 1))
    for system in report["systems"].values():
        del system["groups"]["directory"], system["curve"]  # only the HTML page needs them
    return report


def row(report: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of one repository that the tables show."""
    retrieval = systems_of(report)["retrieval"]
    places = retrieval["groups"]["place"]
    code = {
        key: places.get(f"code, {label}", {}).get("exact", {}).get("value")
        for key, label in (("code_start", "line start"), ("code_within", "within the line"))
    }
    return {
        "repository": report["repository"],
        "role": report["role"],
        "cases": report["cases"],
        "start_cases": retrieval["overall"]["exact_start"]["count"],
        "within_cases": retrieval["overall"]["exact_within"]["count"],
        **{key: retrieval["overall"][key]["value"] for key in MEASURES},
        **code,
        "precision_at_30": retrieval["precision_at_coverage"]["precision"],
        "calibration_error": retrieval["calibration_error"],
        "first_p95_ms": retrieval["latency_ms"]["first"]["p95"],
        "again_p95_ms": retrieval["latency_ms"]["again"]["p95"],
        "seconds": report["seconds"],
    }


def means(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the mean over the repositories of each role, with equal weights."""
    found = {}
    for role in ROLES:
        inside = [one for one in rows if one["role"] == role]
        if inside:
            keys = [key for key, value in inside[0].items() if isinstance(value, float)]
            found[role] = {
                key: round(statistics.fmean(one[key] for one in inside if one[key] is not None), 4) for key in keys
            }
            found[role]["repositories"] = len(inside)
    return found


def table(rows: list[dict[str, Any]], averaged: dict[str, dict[str, float]]) -> str:
    """Return the figures as a Markdown table."""
    columns = {
        "exact_start": "line start",
        "exact_within": "within",
        "code_start": "line start, code",
        "code_within": "within, code",
        "coverage": "shown",
        "precision": "right of those",
        "precision_at_30": "right at 30 %",
        "saved": "characters saved",
        "calibration_error": "calibration error",
        "again_p95_ms": "p95 ms",
    }
    lines = [f"| repository | cases | {' | '.join(columns.values())} |", "|---|---|" + "---|" * len(columns)]
    for one in rows + [{"repository": f"**mean, {role}**", "cases": "", **mean} for role, mean in averaged.items()]:
        cells = [_cell(key, one.get(key)) for key in columns]
        lines.append(f"| {one['repository']} | {one['cases']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(key: str, value: float | None) -> str:
    if value is None:
        return "–"
    if key.endswith("_ms"):
        return f"{value:.0f}"
    return f"{value:.3f}" if key == "calibration_error" else f"{100 * value:.1f} %"


def save(reports: dict[str, dict[str, Any]]) -> None:
    """Write the reports so far."""
    order = dict.fromkeys(one["name"] for one in json.loads(REPOSITORIES.read_text("utf-8")))  # some have several roles
    kept = [reports[name] for name in order if name in reports]
    rows = [row(report) for report in kept]
    asked = {"commits": COMMITS, "windows": WINDOWS, "cases": CASES, "seed": SEED}
    RESULTS.parent.mkdir(exist_ok=True)
    head = json.dumps({"asked": asked, "means": means(rows), "rows": rows}, indent=1).removesuffix("\n}")
    lines = ",\n".join(json.dumps(report) for report in kept)  # one line per repository, for readable diffs
    RESULTS.write_text(f'{head},\n "reports": [\n{lines}\n]}}\n', "utf-8")


def compare(repository: dict[str, str], clone: Path, cases: int) -> dict[str, Any]:
    """Evaluate both systems at the same cursors: in lines that were written, and in all added lines."""
    found: dict[str, Any] = {}
    keys = ("exact_start", "exact_within")
    for lines, more in (("written", {}), ("every", {"every-line": True})):
        report = replay(repository, clone, cases, {"system": ("retrieval", "ngram"), **more})
        found[lines] = {
            "cases": report["cases"],
            "machine": report["machine"],
            "systems": {
                name: {key: one["overall"][key]["value"] for key in keys} for name, one in report["systems"].items()
            },
            "ngram_over_retrieval": {key: report["differences"][0][key] for key in keys},
        }
    return found


def baseline_table(found: dict[str, Any]) -> str:
    """Return the results of ``compare`` as a Markdown table."""
    cells = [
        (lines, system, key)
        for lines in ("written", "every")
        for key in ("exact_start", "exact_within")
        for system in ("retrieval", "ngram")
    ]
    titles = "line start | n-gram | within | n-gram | every line: start | n-gram | within | n-gram"
    out = [f"| repository | {titles} |", "|---|" + "---|" * len(cells)]
    values = {
        name: [systems_of(one[lines])[system][key] for lines, system, key in cells] for name, one in found.items()
    }
    values["**mean**"] = [statistics.fmean(column) for column in zip(*values.values(), strict=True)]
    for name, row_of in values.items():
        out.append(f"| {name} | " + " | ".join(f"{100 * value:.1f} %" for value in row_of) + " |")
    return "\n".join(out)


def main() -> None:
    """Replay the repositories that have a clone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clones", type=Path, help="folder with the clones; without it, only print the table")
    parser.add_argument("--only", nargs="*", help="names of repositories, OWNER/NAME")
    parser.add_argument(
        "--baseline", action="store_true", help="compare retrieval with the n-gram model, on the targets"
    )
    parser.add_argument("--cases", type=int, default=CASES, help="fewer for a quick look, without storing the results")
    options = parser.parse_args()
    reports: dict[str, dict[str, Any]] = {}
    if RESULTS.exists():
        reports = {one["repository"]: one for one in json.loads(RESULTS.read_text("utf-8"))["reports"]}
    wanted = [one for one in json.loads(REPOSITORIES.read_text("utf-8")) if one["role"] in ROLES]
    for number, repository in enumerate(wanted if options.clones else [], 1):
        name = repository["name"]
        if options.only and name not in options.only:
            continue
        clone = find(options.clones, name)
        if clone is None:
            print(f"[{number}/{len(wanted)}] {name}: no clone in {options.clones}, skipped", flush=True)
            continue
        started = time.monotonic()
        if options.baseline:
            if repository["role"] == "target":
                found = json.loads(BASELINE.read_text("utf-8")) if BASELINE.exists() else {}
                found[name] = compare(repository, clone, options.cases)
                BASELINE.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
                put_into(PAGE, baseline_table(found), BEGIN_BASELINE)
                print(f"[{number}/{len(wanted)}] {name}: {time.monotonic() - started:.0f} s", flush=True)
            continue
        reports[name] = replay(repository, clone, options.cases)
        if options.cases == CASES:
            save(reports)
        one = row(reports[name])
        print(
            f"[{number}/{len(wanted)}] {name}: {one['cases']} cases, line start {one['exact_start']:.1%}, within"
            f" {one['exact_within']:.1%}, {time.monotonic() - started:.0f} s",
            flush=True,
        )
    if options.baseline:
        return
    rows = [row(reports[one["name"]]) for one in wanted if one["name"] in reports]
    text = table(rows, means(rows))
    if options.cases == CASES:
        put_into(PAGE, text, BEGIN)
    print("\n" + text)


if __name__ == "__main__":
    main()
