"""Accepts what Ondol suggests at cursors of past commits, and counts what is wrong with the code afterwards.

    python benchmarks/bench_sound.py --clones DIR [--only NAME ...] [--cases N] [--show FILE]

``repositories.json`` lists the repositories of role ``sound``: nothing was fitted on them. ``docs/evaluation.md`` says
at which of them somebody looked before a rule was made. ``sound_cases`` makes the documents: a file is typed from its
top down. At each cursor the engine is
asked automatically and manually; the first text is accepted and judged by ``sound_judge``. The author's own rest of
line is fitted as well: what is rejected or cut of it is a right line lost. (Where it begins a string of several lines,
the end of the string is added, which loses nothing.) Cost is processor time of the first text that is fitted after a
jump to another document; ``bench_sound_cost.py`` measures keys.

Results go to ``results/sound.json`` after each repository, and the sums of each version of Ondol as a table into
``docs/evaluation.md``. They hold figures and no code; ``--show`` writes the texts that add an error to a file, as JSON
lines.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TextIO

from clones import copy_at, find, put_into
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
RIGHT_LINES = HERE / "results" / "right_lines.json"
BEGIN = "<!-- table: benchmarks/bench_sound.py -->"
ROLE = "sound"
COMMITS, WINDOWS, CASES, SEED = 60, 1, 250, 20261126
TITLES = (
    "version",
    "repositories",
    "cursors",
    "automatic texts",
    "add an error, strictly",
    "fairly",
    "requested texts",
    "add an error, strictly",
    "fairly",
    "blocks left open",
    "other unit",
    "right lines lost",
    "lost of more lines",
    "ms at a jump, p95",
)
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


def table(rows: Sequence[dict[str, Any]], alone: Mapping[str, dict[str, Any]]) -> str:
    """Return a Markdown table with the counts of each version that was measured, and of all of them.

    :param alone: by repository, the lines that ``bench_right_lines.py`` judged.
    """
    versions: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        versions.setdefault(row["machine"]["commit"][:7], []).append(row)
    out = [f"| {' | '.join(TITLES)} |", "|---" * len(TITLES) + "|"]
    for version, some in (*versions.items(), ("**together**", rows)):
        out.append(f"| {version} | {' | '.join(_cells(some, alone))} |")
    return "\n".join(out)


def _cells(rows: Sequence[dict[str, Any]], alone: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    whole: Counter[str] = Counter()
    for row in rows:
        whole.update({name: value for name, value in row.items() if isinstance(value, int)})
    yield str(len(rows))
    yield str(whole["cases"])
    for kind in ("automatic", "requested"):
        judged = whole[f"{kind}_judged"]
        yield str(judged)
        yield _share(whole[f"{kind}_strict"], judged)
        yield _share(whole[f"{kind}_fair"], judged)
    blocks = whole["automatic_several"] + whole["requested_several"]
    for name in ("left_open", "other_unit"):
        yield f"{whole[f'automatic_{name}'] + whole[f'requested_{name}']} of {blocks}"
    yield _share(whole["lost"], whole["cases"])
    more = [alone[row["repository"]] for row in rows if row["repository"] in alone]
    yield _share(sum(one["lost"] for one in more), sum(one["cases"] for one in more))
    yield str(max((row["p95_ms"] for row in rows if row["p95_ms"] is not None), default=None))


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.2f} %)" if whole else "–"


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
    alone = {row["repository"]: row for row in json.loads(RIGHT_LINES.read_text("utf-8"))["rows"]}
    put_into(PAGE, table(list(rows.values()), alone), BEGIN)


if __name__ == "__main__":
    main()
