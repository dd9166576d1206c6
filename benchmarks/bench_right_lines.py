"""Fits the author's own lines at cursors of past commits, and counts those that are cut or rejected.

    python benchmarks/bench_right_lines.py --clones DIR [--only NAME ...] [--cases N] [--show FILE]

This is the column *right lines lost* of ``bench_sound.py`` alone: the same repositories (role ``sound``), documents and
rule, without an index and an engine, so that many more cursors are judged in the same time. Each line is fitted as if
it was requested. Text that stands for a masked secret is left out, since it is never offered.

Results go to ``results/right_lines.json`` after each repository. They hold figures and no code; ``--show`` writes the
lines that are lost to a file, as JSON lines.
"""

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from clones import copy_at, find
from made_on import made_on
from sound_cases import from_top

from finetune.commits.cases import choose
from finetune.commits.stages import ReplayPlan
from finetune.commits.windows import SkipReport, edits, windows
from finetune.evaluation.replay import documents_of, request_of
from indexer.config import Settings
from indexer.secrets.cover import PLACEHOLDER
from lsp_server.fitting.fitter import Fitter
from lsp_server.fitting.place import Fitted

HERE = Path(__file__).parent
REPOSITORIES = HERE / "repositories.json"
RESULTS = HERE / "results" / "right_lines.json"
ROLE = "sound"
COMMITS, CASES, SEED = 300, 500, 20261127


def measured(clone: Path, commit: str, cases: int, show: TextIO) -> dict[str, int]:
    """Return the number of lines that were fitted, and of those lost."""
    plan = ReplayPlan(cases // 2, cases - cases // 2, SEED)
    found = {"cases": 0, "lost": 0}
    with tempfile.TemporaryDirectory(prefix="lines-") as work:
        copy = copy_at(clone, commit, Path(work) / "repository")
        for window in windows(copy, COMMITS, 1):
            changed = list(edits(copy, window, replace(Settings(), workers=1), SkipReport()))
            fitter = Fitter()
            for case, _ in from_top(choose(changed, plan.share(0, 1), SEED), changed):
                start = case.text.rfind("\n", 0, case.offset) + 1
                typed = case.text[start : case.offset]
                if PLACEHOLDER in typed + case.rest:
                    continue
                for document in documents_of(case):
                    fitter.update(document)
                request = request_of(case, automatic=False)
                fitted = fitter.fit(request.document, request.offset, case.rest)
                fitter.forget(request.document.uri)
                kept = isinstance(fitted, Fitted) and fitted.text.startswith(case.rest)
                found["cases"] += 1
                found["lost"] += not kept
                if not kept:
                    show.write(json.dumps({"path": case.path, "typed": typed, "rest": case.rest}) + "\n")
    return found


def main() -> None:
    """Measure the repositories that have a clone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clones", type=Path, required=True, help="folder with the clones")
    parser.add_argument("--only", nargs="*", help="names of repositories, OWNER/NAME")
    parser.add_argument("--cases", type=int, default=CASES, help="cursors in each repository")
    parser.add_argument("--show", type=Path, default=Path("/dev/null"), help="write the lost lines to this file")
    options = parser.parse_args()
    known = json.loads(RESULTS.read_text("utf-8"))["rows"] if RESULTS.exists() else []
    rows: dict[str, dict[str, Any]] = {row["repository"]: row for row in known}
    for repository in json.loads(REPOSITORIES.read_text("utf-8")):
        if repository["role"] != ROLE or (options.only and repository["name"] not in options.only):
            continue
        clone = find(options.clones, repository["name"])
        if clone is None:
            print(f"{repository['name']}: no clone in {options.clones}, skipped", flush=True)
            continue
        with options.show.open("a", encoding="utf-8") as show:
            counts = measured(clone, repository["commit"], options.cases, show)
        row = {"repository": repository["name"], **counts, "machine": made_on()}
        rows[repository["name"]] = row
        print(json.dumps(row), flush=True)
        cases, lost = (sum(one[name] for one in rows.values()) for name in ("cases", "lost"))
        about = {"commits": COMMITS, "seed": SEED, "cases": cases, "lost": lost}
        lines = ",\n".join(map(json.dumps, rows.values()))
        RESULTS.write_text(f'{json.dumps(about)[:-1]},\n "rows": [\n{lines}\n]}}\n', "utf-8")


if __name__ == "__main__":
    main()
