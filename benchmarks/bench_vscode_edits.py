"""Makes edits of past commits again in the real VS Code, and counts the lines that were typed and that were taken.

    python benchmarks/bench_vscode_edits.py --clones DIR [--only NAME ...] [--shots DIR]

Nothing was fitted on the repositories of role ``vscode-edits`` in ``repositories.json``. Of each the newest commits are
taken that change 5 to 14 lines of one file, all of them replaced one for one, at least four with the same new words.
The file is opened as it was before the commit, with an index of the repository of that time, and
``bench_vscode_edits.mjs`` changes its lines from the top down. An offer that the commit makes too is taken with Tab
(and Tab); otherwise the line is typed. So a person is assumed who knows which offers are right, and who stays in the
file: an offer in another file that the commit makes there is counted only.

Results go to ``results/vscode_edits.json``; a run goes on with the commits that are missing. They hold figures and no
code. ``--shots`` writes what was offered and is not the commit's, with pictures. VS Code, Chromium and the packaged
extension come from ``tests/editors/vscode/run.sh``.
"""

import argparse
import json
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from clones import copy_at, find
from made_on import made_on

from finetune.commits.edit_steps import CommitSteps, Step, steps_of
from finetune.commits.windows import SkipReport, edits, windows
from indexer.config import Settings

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "results" / "vscode_edits.json"
SCRIPT: Final = HERE / "bench_vscode_edits.mjs"
RUN: Final = HERE.parent / "tests/editors/vscode/run.sh"
COMMITS, LINES, ALIKE, FILE_LINES, FILES = 600, range(5, 15), 4, 1500, 12
OF_EACH: Final = 2
"""Commits of each repository."""

WORD: Final = re.compile(r"\w+|[^\w\s]")
ROLE: Final = "vscode-edits"


@dataclass
class Remade:
    """A commit that is made again.

    :param folder: the tree before the commit. :param file: that is changed; the commit's other files stay.
    :param changes: of each file, by its path before the commit: lines from 0, and the text that each gets.
    """

    name: str
    commit: str
    folder: str
    file: str
    changes: dict[str, list[tuple[int, str]]]


def replaces(step: Step) -> bool:
    """Whether a change replaces one line."""
    return len(step.old) == len(step.new) == 1 and bool(step.old[0].strip() and step.new[0].strip())


def alike(made: CommitSteps, file: int) -> bool:
    """Whether the changes of a file are lines replaced one for one, enough of which gain the same words."""
    steps = [step for step in made.steps if step.file == file]
    if not all(map(replaces, steps)) or len(steps) not in LINES or len(made.texts[file]) > FILE_LINES:
        return False
    gained = Counter(
        tuple(sorted((Counter(WORD.findall(step.new[0])) - Counter(WORD.findall(step.old[0]))).elements()))
        for step in steps
    )
    gained.pop((), None)
    return bool(gained) and gained.most_common(1)[0][1] >= ALIKE


def chosen(copy: Path, settings: Settings) -> Iterator[tuple[CommitSteps, str]]:
    """Yield commits of a history with the file to change, the newest commits first."""
    for window in reversed(windows(copy, COMMITS, COMMITS)):
        for made in steps_of(edits(copy, window, settings, SkipReport()), SkipReport()):
            if len(made.paths) > FILES:
                continue
            if file := next((path for at, path in enumerate(made.old_paths) if alike(made, at)), ""):
                yield made, file


def tree(copy: Path, commit: str, folder: Path) -> None:
    """Write the tree before a commit as a repository of one commit."""
    folder.mkdir()
    # `git archive` would leave out what a repository marks with export-ignore, such as its tests.
    read = ["git", "--git-dir", copy, "--work-tree", folder, "checkout", "-qf", f"{commit}^", "--", "."]
    subprocess.run(read, check=True)
    named = ["-c", "user.name=A", "-c", "user.email=a@a.invalid", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q"], ["add", "-A"], [*named, "commit", "-qm", "start"]):
        subprocess.run(["git", "-C", folder, *arguments], check=True)


def cases(clones: Path, only: list[str], work: Path, known: set[str]) -> list[Remade]:
    """Return the commits to make again, without those that are known."""
    found = []
    for one in json.loads((HERE / "repositories.json").read_text("utf-8")):
        clone = find(clones, one["name"]) if one["role"] == ROLE else None
        if clone is None or (only and one["name"] not in only):
            continue
        copy = copy_at(clone, one["commit"], work / one["name"].replace("/", "+"))
        for number, (made, file) in zip(range(OF_EACH), chosen(copy, Settings()), strict=False):
            if made.commit not in known:
                folder = work / f"{one['name'].rpartition('/')[2]}-{number}"
                tree(copy, made.commit, folder)
                changes: dict[str, list[tuple[int, str]]] = {path: [] for path in made.old_paths}
                for step in filter(replaces, made.steps):
                    changes[made.old_paths[step.file]].append((step.start, step.new[0]))
                found.append(Remade(one["name"], made.commit, str(folder), file, changes))
    return found


def main() -> None:
    """Make what is missing, and print the sums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clones", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--shots", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    rows: list[dict[str, Any]] = json.loads(given.out.read_text("utf-8"))["rows"] if given.out.exists() else []
    with tempfile.TemporaryDirectory(prefix="remade-") as folder:
        work = Path(folder)
        missing = cases(given.clones, given.only, work, {row["commit"] for row in rows})
        (work / "cases.json").write_text(json.dumps([asdict(case) for case in missing]), "utf-8")
        made = work / "rows.jsonl"
        made.touch()
        shots = [given.shots.resolve()] if given.shots else []
        try:
            subprocess.run([RUN, "--script", SCRIPT, work / "cases.json", made, *shots], check=True)
        finally:  # what was made before an error counts
            rows += [{**json.loads(line), "machine": made_on()} for line in made.read_text("utf-8").splitlines()]
            given.out.write_text(json.dumps({"rows": rows}, indent=1) + "\n", "utf-8")
    counts = [name for name, value in rows[0].items() if isinstance(value, int)] if rows else []
    print(json.dumps({"commits": len(rows), **{name: sum(row[name] for row in rows) for name in counts}}))


if __name__ == "__main__":
    main()
