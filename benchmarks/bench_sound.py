"""Accepts what Ondol suggests at cursors of past commits, and counts what is wrong with the code afterwards.

    python benchmarks/bench_sound.py --clones DIR [--only NAME ...] [--cases N] [--show FILE]

``repositories.json`` lists the repositories of role ``sound``: nothing was fitted on them. ``docs/evaluation.md`` says
at which of them somebody looked before a rule was made. ``sound_cases`` makes the documents: a file is typed from its
top down. At each cursor the engine is
asked automatically and manually; the first text is accepted and judged by ``sound_judge``. The author's own rest of
line is fitted as well: what is rejected or cut of it is a right line lost. (Where it begins a string of several lines,
the end of the string is added, which loses nothing.) Cost is processor time of the first text that is fitted after a
jump to another document; ``bench_sound_cost.py`` measures keys.

Results go to ``results/sound.json`` after each repository and as a table into ``docs/evaluation.md``. They hold figures
and no code; ``--show`` writes the texts that add an error to a file, as JSON lines.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TextIO

from clones import copy_at, find
from made_on import made_on
from sound_cases import from_top
from sound_judge import judge

from finetune.commits.cases import Case
from finetune.commits.stages import ReplayPlan, commit_stages
from finetune.commits.windows import SkipReport, windows
from finetune.evaluation.replay import documents_of, request_of
from indexer.config import Settings
from lsp_server.fitting.fitter import Fitter
from lsp_server.fitting.place import Fitted
from lsp_server.retrieval.engine import RetrievalEngine

HERE = Path(__file__).parent
REPOSITORIES = HERE / "repositories.json"
RESULTS = HERE / "results" / "sound.json"
PAGE = HERE.parent / "docs" / "evaluation.md"
BEGIN, END = "<!-- table: benchmarks/bench_sound.py -->", "<!-- end of table -->"
ROLE = "sound"
COMMITS, WINDOWS, CASES, SEED = 60, 1, 250, 20261126
COUNTS = ("judged", "strict", "fair", "right", "part", "several", "left_open", "other_unit")


def measured(clone: Path, commit: str, cases: int, show: TextIO | None) -> dict[str, Any]:
    """Return the counts of one repository."""
    settings = replace(Settings(), workers=1)
    counts: Counter[str] = Counter()
    milliseconds: list[float] = []
    with tempfile.TemporaryDirectory(prefix="sound-") as work:
        copy = copy_at(clone, commit, Path(work) / "repository")
        plan = ReplayPlan(cases // 2, cases - cases // 2, SEED, edits=True)
        stages = commit_stages(copy, windows(copy, COMMITS, WINDOWS), settings, plan, Path(work) / "data", SkipReport())
        for stage in stages:
            engine, fitter = RetrievalEngine(settings, stage.index), Fitter()
            for case, finished in from_top(stage.cases, stage.edits):
                _one(engine, fitter, (case, finished), counts, milliseconds, show)
    milliseconds.sort()
    return {**counts, "p95_ms": round(milliseconds[int(0.95 * len(milliseconds))], 2) if milliseconds else None}


def _one(
    engine: RetrievalEngine,
    fitter: Fitter,
    typed: tuple[Case, str],
    counts: Counter[str],
    milliseconds: list[float],
    show: TextIO | None,
) -> None:
    """Add one cursor to the counts."""
    case, finished = typed
    for document in documents_of(case):
        engine.update(document)
        fitter.update(document)
    counts["cases"] += 1
    request = request_of(case, automatic=False)
    fitter.unit(request.document, request.offset)  # reads the surroundings, as a key before has done
    started = time.thread_time()
    fitted = fitter.fit(request.document, request.offset, case.rest)
    milliseconds.append(1e3 * (time.thread_time() - started))
    counts["lost"] += not isinstance(fitted, Fitted) or not fitted.text.startswith(case.rest)
    fitter.forget(request.document.uri)
    for automatic in (True, False):
        answer = engine.complete(replace(request, automatic=automatic), lambda: False)
        if not answer.suggestions:
            continue
        kind = "automatic" if automatic else "requested"
        found = judge(case, answer.suggestions[0], finished)
        counts[f"{kind}_shown"] += 1
        if found.strict is None:
            continue
        values = {**asdict(found), "judged": True, "several": found.lines > 1}
        for name in COUNTS:
            counts[f"{kind}_{name}"] += bool(values[name])
        if show is not None and (found.strict or found.left_open or found.other_unit):
            start = case.text.rfind("\n", 0, case.offset) + 1
            texts = {"typed": case.text[start : case.offset], "text": answer.suggestions[0].text, "rest": case.rest}
            show.write(json.dumps({"kind": kind, "path": case.path, **asdict(found), **texts}) + "\n")
    engine.close(request.document.uri)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the counts as a Markdown table, with their sum."""
    titles = (
        "cursors | automatic: judged | add an error, strictly | fairly | requested: judged | add an error, strictly"
    )
    titles += " | fairly | blocks left open | other unit | right lines lost | ms at a jump, p95"
    out = [f"| repository | {titles} |", "|---" * (titles.count("|") + 2) + "|"]
    whole: Counter[str] = Counter()
    for row in rows:
        whole.update({name: value for name, value in row.items() if isinstance(value, int)})
    slowest = max((row["p95_ms"] for row in rows if row["p95_ms"] is not None), default=None)
    for row in (*rows, {"repository": "**together**", **whole, "p95_ms": slowest}):
        get = Counter({name: value for name, value in row.items() if isinstance(value, int)})
        cells = [str(get["cases"])]
        for kind in ("automatic", "requested"):
            judged = get[f"{kind}_judged"]
            cells += [str(judged), _share(get[f"{kind}_strict"], judged), _share(get[f"{kind}_fair"], judged)]
        blocks = get["automatic_several"] + get["requested_several"]
        cells += [
            f"{get[f'automatic_{name}'] + get[f'requested_{name}']} of {blocks}" for name in ("left_open", "other_unit")
        ]
        cells += [_share(get["lost"], get["cases"]), str(row["p95_ms"])]
        out.append(f"| {row['repository']} | " + " | ".join(cells) + " |")
    return "\n".join(out)


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.1f} %)" if whole else "–"


def main() -> None:
    """Measure the repositories that have a clone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clones", type=Path, help="folder with the clones; without it, only write the table")
    parser.add_argument(
        "--only", nargs="*", help="names of repositories, OWNER/NAME; others than those of the role too"
    )
    parser.add_argument("--cases", type=int, default=CASES, help="cursors in each repository")
    parser.add_argument("--show", type=Path, help="write the texts that add an error to this file")
    options = parser.parse_args()
    known = json.loads(RESULTS.read_text("utf-8"))["rows"] if RESULTS.exists() else []
    rows: dict[str, dict[str, Any]] = {row["repository"]: row for row in known}
    every = json.loads(REPOSITORIES.read_text("utf-8"))
    wanted = [one for one in every if (one["name"] in options.only if options.only else one["role"] == ROLE)]
    for repository in wanted if options.clones else []:
        clone = find(options.clones, repository["name"])
        if clone is None:
            print(f"{repository['name']}: no clone in {options.clones}, skipped", flush=True)
            continue
        with (options.show or Path("/dev/null")).open("a", encoding="utf-8") as show:
            counts = measured(clone, repository["commit"], options.cases, show)
        row = {"repository": repository["name"], **counts, "machine": made_on()}
        print(json.dumps(row), flush=True)
        if repository["role"] == ROLE:
            rows[repository["name"]] = row
            lines = ",\n".join(json.dumps(one) for one in rows.values())
            asked = {"commits": COMMITS, "windows": WINDOWS, "cases": options.cases, "seed": SEED}
            about = {"asked": asked}
            RESULTS.write_text(f'{json.dumps(about)[:-1]},\n "rows": [\n{lines}\n]}}\n', "utf-8")
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{table(list(rows.values()))}\n\n{END}{rest.partition(END)[2]}", "utf-8")


if __name__ == "__main__":
    main()
