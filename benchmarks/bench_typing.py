"""Types hunks of public repositories key by key, as ``ondol eval --typing`` does.

    python benchmarks/bench_typing.py --clones DIR [--only NAME ...] [--precision P ...] [--gate LABEL]

``repositories.json`` lists the repositories of role ``typing``: nothing was fitted on them, and no idea was compared on
them. Each is typed at each wanted precision, with the defaults of the typist. ``--gate`` names the run in the results,
so that two versions of Ondol can be laid side by side: run the older version's copy of ``ondol`` with ``--ondol``.

Results go to ``results/typing.json`` after each run, so an interrupted run can go on, and as a table into
``docs/evaluation.md``. They hold figures and no code. ``docs/images/typing.svg`` shows what each gate saves and how
many texts it shows for it, at every precision that was typed with each gate in the same repositories.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from clones import evaluated, find, put_into
from made_on import made_on

from finetune.evaluation.svg_plots import line_plot
from indexer.config import Settings

HERE = Path(__file__).parent
REPOSITORIES = HERE / "repositories.json"
RESULTS = HERE / "results" / "typing.json"
PAGE = HERE.parent / "docs" / "evaluation.md"
PICTURE = HERE.parent / "docs" / "images" / "typing.svg"
STYLE = """
svg{background:#fff;font:12px sans-serif}.grid{stroke:#ddd}.curve{fill:none;stroke-width:2}.c0{stroke:#b35900}
.c1{stroke:#00639b}.c2{stroke:#3a7d34}
.c3{stroke:#7a4a9e}.mark{fill:#fff;stroke-width:2}text{fill:#333}"""
BEGIN = "<!-- table: benchmarks/bench_typing.py -->"
ROLE = "typing"
SHIPPED = "words"
"""The gate that is shipped, as it is named in the results."""

COMMITS, WINDOWS, HUNKS, SEED = 100, 1, 12, 20261126

COLUMNS = {
    "saved": "keys saved",
    "seen": "texts seen per 100",
    "right": "accepted whole",
    "first_word": "first word right",
    "short": "one or two characters",
    "several_right": "several lines right to their end",
}


def typed(ondol: Path, repository: dict[str, str], clone: Path, precision: float) -> dict[str, Any]:
    """Return the typing figures of one repository at the named commit."""
    options = {"typing": True, "commits": COMMITS, "windows": WINDOWS, "hunks": HUNKS, "seed": SEED, "cases": 0}
    report = evaluated(ondol, repository, clone, options, {"ONDOL_PRECISION": str(precision)})
    return {"overall": report["typing"]["systems"]["retrieval"]["overall"], "machine": made_on()}


def row(run: dict[str, Any]) -> dict[str, float | None]:
    """Return the figures of one run that the table shows."""
    return {name: run["figures"]["overall"][name]["value"] for name in COLUMNS}


def table(runs: list[dict[str, Any]]) -> str:
    """Return two Markdown tables: the means of each version and precision, and each repository as it is shipped."""
    heads = " | ".join(COLUMNS.values())
    lines = [f"| gate | precision | repositories | {heads} |", "|---" * (3 + len(COLUMNS)) + "|"]
    for gate, precision in sorted({(run["gate"], run["precision"]) for run in runs}):
        rows = [row(run) for run in runs if (run["gate"], run["precision"]) == (gate, precision)]
        means = [_cell(name, _mean([one[name] for one in rows])) for name in COLUMNS]
        lines.append(f"| {gate} | {precision} | {len(rows)} | {' | '.join(means)} |")
    lines += ["", f"| repository | {heads} |", "|---" * (1 + len(COLUMNS)) + "|"]
    for run in runs:
        if (run["gate"], run["precision"]) != (SHIPPED, Settings().precision):
            continue
        cells = [_cell(name, value) for name, value in row(run).items()]
        lines.append(f"| {run['repository']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def save(asked: dict[str, int], runs: list[dict[str, Any]]) -> None:
    """Write the runs so far, one a line."""
    lines = ",\n".join(json.dumps(run) for run in runs)
    RESULTS.write_text(f'{{"asked": {json.dumps(asked)},\n "runs": [\n{lines}\n]}}\n', "utf-8")


def picture(runs: list[dict[str, Any]]) -> str | None:
    """Return the picture of the gates that were typed at several precisions, in repositories of all these.

    None where there are no such repositories.
    """
    precisions: dict[str, set[float]] = {}
    for run in runs:
        precisions.setdefault(run["gate"], set()).add(run["precision"])
    runs = [run for run in runs if len(precisions[run["gate"]]) > 1]
    typed_at: dict[str, set[tuple[str, float]]] = {}
    for run in runs:
        typed_at.setdefault(run["repository"], set()).add((run["gate"], run["precision"]))
    every = {(run["gate"], run["precision"]) for run in runs}
    common = [run for run in runs if typed_at[run["repository"]] == every]
    curves = []
    for gate in sorted({gate for gate, _ in every}, reverse=True):
        points = []
        for precision in sorted({one for name, one in every if name == gate}, reverse=True):
            rows = [row(run) for run in common if (run["gate"], run["precision"]) == (gate, precision)]
            seen, saved = _mean([one["seen"] for one in rows]), _mean([one["saved"] for one in rows])
            if seen is not None and saved is not None:
                points.append((seen / 100, saved))
        curves.append((gate, points))
    if not all(len(points) > 1 for _, points in curves):
        return None
    title = "Keys saved against texts seen, by gate"
    drawn = line_plot(curves, [], title=title, across="texts seen per character", up="keys saved", reach=0.05)
    return drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace(
        "</title>", f"</title><style>{STYLE}</style>", 1
    )


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if name == "seen" else f"{100 * value:.1f} %"


def main() -> None:
    """Type the repositories that have a clone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clones", type=Path, help="folder with the clones; without it, only write the table")
    parser.add_argument("--only", nargs="*", help="names of repositories, OWNER/NAME")
    parser.add_argument("--precision", nargs="*", type=float, default=[0.66])
    parser.add_argument("--gate", default=SHIPPED, help="a name for the version that is measured")
    parser.add_argument("--commit", help="the commit of that version; by default the one that is checked out here")
    parser.add_argument("--ondol", type=Path, default=Path(sys.executable).with_name("ondol"))
    options = parser.parse_args()
    runs: list[dict[str, Any]] = json.loads(RESULTS.read_text("utf-8"))["runs"] if RESULTS.exists() else []
    wanted = [one for one in json.loads(REPOSITORIES.read_text("utf-8")) if one["role"] == ROLE]
    for repository in wanted if options.clones else []:
        name = repository["name"]
        clone = find(options.clones, name)
        if clone is None:
            print(f"{name}: no clone in {options.clones}, skipped", flush=True)
            continue
        if options.only and name not in options.only:
            continue
        for precision in options.precision:
            key = {"gate": options.gate, "precision": precision, "repository": name}
            figures = typed(options.ondol, repository, clone, precision)
            runs = [one for one in runs if any(one[part] != value for part, value in key.items())]
            if options.commit:
                figures["machine"]["commit"] = options.commit
            runs.append({**key, "figures": figures})
            print(name, precision, row(runs[-1]), flush=True)
            asked = {"commits": COMMITS, "windows": WINDOWS, "hunks": HUNKS, "seed": SEED}
            save(asked, runs)
    if (drawn := picture(runs)) is not None:
        PICTURE.write_text(drawn + "\n", "utf-8")
    put_into(PAGE, table(runs), BEGIN)


if __name__ == "__main__":
    main()
