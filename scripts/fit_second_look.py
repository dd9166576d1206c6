"""Fits the second look at next edits on the commit histories of public repositories that the first trees have not seen.

    python scripts/fit_second_look.py collect --work DIR --clones DIR [--role ROLE] [--only NAME ...] [--seconds N]
                                                          [--files] [--kinds blocks]
    python scripts/fit_second_look.py cross --work DIR    each repository judged by trees fitted on others
    python scripts/fit_second_look.py judge --work DIR [--save]    the shipped trees and thresholds, on others; kept as
                                                          the reported figures
    python scripts/fit_second_look.py fit --work DIR [--kinds KIND ...]    puts trees and thresholds into
                                                          lsp_server/data/edits.json

Reported is on the repositories of role ``edits``: nothing was fitted on them, and no idea was compared on them. Fitted
is on the repositories of role ``fit-second-look`` in benchmarks/repositories.json, with the shipped first trees
(``scripts/fit_edits.py``). The changes of each commit are replayed in the order of its files, as ``ondol eval --edits``
does; of a commit with many changes ``MOMENTS`` are drawn, and the commits come in random order until the processor time
is over, so that no single commit decides. *Here* the cursor stands on the next changed line.
*Elsewhere* the best other line of the document is offered behind each change; what is offered after a file's last
change counts as wrong. *Blocks* are lines that are inserted or deleted elsewhere, behind each change, which trees of
their own judge. With ``--files`` other files are searched behind the last change of each file, in an index from before
the commits. The thresholds are those from which the cross-fitted probabilities are right as often as ``RIGHT`` asks.
LightGBM is needed for fitting only.
"""

import argparse
import json
import pickle
import random
import tempfile
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from fit_edits import BENCHMARKS, COMMON, repositories
from lightgbm_trees import trees_of

from finetune.commits.edit_steps import CommitSteps, steps_of
from finetune.commits.stages import indexed_windows
from finetune.commits.windows import SkipReport, edits, windows
from finetune.evaluation.edit_replay import CommitReplay, in_series, kind_of
from indexer.config import Settings
from indexer.storage.reader import Index
from lsp_server.edits.changed_lines import is_block
from lsp_server.edits.features import ELSEWHERE, OTHER_FILE
from lsp_server.edits.offers import STEPS_FOR_FILES, Search
from lsp_server.edits.place_search import Candidates
from lsp_server.edits.probability import FILE, Judge, first_trees, shipped
from lsp_server.edits.second_look import ELSEWHERE as SECOND_ELSEWHERE
from lsp_server.edits.second_look import HERE as SECOND_HERE
from lsp_server.edits.thresholds import Level
from lsp_server.edits.views import View
from lsp_server.server.edit_search import other_files

from clones import put_into  # isort: skip - fit_edits puts the benchmarks on the path
from made_on import made_on  # isort: skip

ROLE = "fit-second-look"
COMMITS = 200
SEED = 20261127
MOMENTS = 30
PER_COMMIT = 10_000
"""Numbers of the moments of one commit lie between two multiples of this."""

PAGE = BENCHMARKS.parent / "docs" / "next-edits.md"
RESULTS = BENCHMARKS / "results" / "edits.json"
BEGIN = "<!-- table: scripts/fit_second_look.py judge -->"
NAMES = {"here": SECOND_HERE, "elsewhere": SECOND_ELSEWHERE, "blocks": SECOND_ELSEWHERE}
LONGEST_FILE = 5_000
KINDS = ("here", "elsewhere", "file", "blocks")
"""In the order of the thresholds (``probability.BLOCKS``)."""

RIGHT = {"here": 0.92, "elsewhere": 0.86, "file": 0.85, "blocks": 0.86}
"""Wanted share of right ones among the offers."""

FOLDS = 5
"""Parts of the repositories; each is judged by trees of the others."""

FEWEST = 30
"""Fewer offers say nothing about a threshold."""

PARAMETERS = {**COMMON, "learning_rate": 0.02, "feature_fraction": 0.4}
SIZES = {"here": (500, 16), "elsewhere": (400, 10), "blocks": (300, 8)}
"""Number of trees and leaves."""

AGREED_FROM = {"here": 0.3, "elsewhere": 0.5, "file": 0.99, "blocks": 0.3}
"""The thresholds where two edits foretell each other: who made a change twice expects the third."""

Best = list[tuple[float, bool, Level]]
"""The best text of each place of a moment, the most probable first: its probability, whether it is right, and which
threshold counts. What the names of the place speak against is left out."""


@dataclass
class Cases:
    """Rows of features with their moments; ``chances`` counts the moments at which something could be right.

    :ivar places: the line of each row. :ivar least: how probable its text is at least (``Candidates.least``).
    :ivar levels: which threshold counts for it.
    :ivar series: moments whose line is the third of its kind or a later one (``edit_replay.in_series``).
    """

    moments: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    least: list[float] = field(default_factory=list)
    levels: list[Level] = field(default_factory=list)
    rows: list[list[float]] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    chances: int = 0
    series: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class _Moment:
    number: int
    search: Search


def collect(root: Path, seconds: float, files: bool, kinds: Collection[str] = KINDS) -> dict[str, Cases]:
    """Return the cases of the last commits of a repository.

    :param seconds: of processor time, after which no further moment begins. :param files: search other files too.
    :param kinds: all, or ``blocks`` alone.
    """
    made = {kind: Cases() for kind in KINDS}
    kept = made if set(kinds) != {"blocks"} else {"blocks": made["blocks"]}
    with tempfile.TemporaryDirectory(prefix="second-look-") as folder:
        for window, index in _windows(root, Path(folder) if files else None):
            drawn = random.Random(SEED).sample(list(window.commits), len(window.commits))
            found = edits(root, replace(window, commits=tuple(drawn)), Settings(), SkipReport())
            end = time.process_time() + seconds
            for number, commit in enumerate(steps_of(found, SkipReport())):
                if time.process_time() > end:
                    break
                _commit(kept, commit, number, index, end)
    return made


def _windows(root: Path, folder: Path | None) -> Iterable[tuple[Any, Index | None]]:
    found = windows(root, COMMITS, 1)
    return indexed_windows(root, found, Settings(), folder) if folder else ((one, None) for one in found)


def _commit(made: dict[str, Cases], commit: CommitSteps, number: int, index: Index | None, end: float) -> None:
    judge, now = first_trees(), CommitReplay(commit, index)
    judged = [at for at, step in enumerate(commit.steps) if step.judged]
    drawn = set(random.Random(commit.commit).sample(judged, min(len(judged), MOMENTS)))
    whole = [at for at, step in enumerate(commit.steps) if any(map(is_block, step.expected.values()))]
    drawn_blocks = set(random.Random(f"{commit.commit} blocks").sample(whole, min(len(whole), MOMENTS)))
    for at, before in enumerate(now.moments()):
        if time.process_time() > end:
            return
        if not before and (now.number in drawn_blocks or (now.number in drawn and now.step.judged)):
            _behind(made["blocks"], now, _Moment(PER_COMMIT * number + at, now.search(judge)))
        kind = kind_of(now, before)
        if len(made) == 1 or now.number not in drawn or kind not in ("here", "after"):
            continue
        moment, view = _Moment(PER_COMMIT * number + at, now.search(judge)), now.view()
        if kind == "here":
            place = moment.search.places.place_at(view, now.line(now.step, now.step.start))
            made["here"].chances += 1
            if in_series(now, place.line, judge):
                made["here"].series.add(moment.number)
            _add(made["here"], moment, view, [moment.search.places.candidates(view, place)], now.wanted(True))
        elif len(view.lines) <= LONGEST_FILE:
            made["elsewhere"].chances += now.left() > 0
            _add(made["elsewhere"], moment, view, moment.search.places.everywhere(view, ELSEWHERE), now.wanted(False))
            if index is not None and not now.left():
                made["file"].chances += 1
                _in_files(made["file"], moment, now)


def _behind(cases: Cases, now: CommitReplay, moment: _Moment) -> None:
    """Add the moment behind a change as one at which lines may be inserted or deleted elsewhere."""
    view, wanted = now.view(), now.wanted(False)
    if len(view.lines) <= LONGEST_FILE:
        cases.chances += any(map(is_block, wanted.values()))
        _add(cases, moment, view, moment.search.places.everywhere(view, ELSEWHERE), wanted, blocks=True)


def _in_files(cases: Cases, moment: _Moment, now: CommitReplay) -> None:
    for view in (there.view for there in other_files(now.asked(now.step.start), moment.search, lambda: False)):
        found = moment.search.places.everywhere(view, OTHER_FILE, STEPS_FOR_FILES)
        want = now.elsewhere(view.uri)
        lines = {
            one.place.line: want[view.lines[one.place.line]] for one in found if view.lines[one.place.line] in want
        }
        _add(cases, moment, view, found, lines)


def _add(
    cases: Cases, moment: _Moment, view: View, found: list[Candidates], want: dict[int, str], *, blocks: bool = False
) -> None:
    proposed, table = moment.search.looked_again(view, found, blocks=blocks)
    cases.rows += table
    cases.right += [want.get(found[one.place].place.line) == one.text for one in proposed]
    cases.moments += [moment.number] * len(table)
    cases.places += [found[one.place].place.line for one in proposed]
    cases.least += [found[one.place].least(one.text) for one in proposed]
    cases.levels += [moment.search.level(view, found[one.place], one.text) for one in proposed]


def fit(sets: Iterable[Cases], kind: str) -> Any:
    """Fit trees to the cases of several repositories."""
    import lightgbm

    kept = [one for one in sets if one.rows]
    rows, right = np.concatenate([one.rows for one in kept]), np.concatenate([one.right for one in kept])
    rounds, leaves = SIZES.get(kind, SIZES["elsewhere"])
    return lightgbm.train({**PARAMETERS, "num_leaves": leaves}, lightgbm.Dataset(rows, right.astype(int)), rounds)


def best_of(cases: Cases, judged: Iterable[float]) -> list[Best]:
    """Return the best texts of each moment, as the server chooses them."""
    best: dict[tuple[int, int], tuple[float, bool, Level]] = {}
    rows = zip(cases.moments, cases.places, cases.least, cases.right, cases.levels, judged, strict=True)
    for moment, place, least, right, level, probability in rows:
        probability = max(float(probability), least)
        if (moment, place) not in best or probability > best[moment, place][0]:
            best[moment, place] = probability, right, level
    found: dict[int, Best] = {moment: [] for moment in cases.moments}
    for (moment, _), one in sorted(best.items(), key=lambda item: -item[1][0]):
        if not one[2].held:
            found[moment].append(one)
    return list(found.values())


def offers(best: Iterable[Best], levels: tuple[float, float]) -> list[bool]:
    """Return of each offer whether it is right: of each moment the most probable text that reaches its threshold."""
    all_levels = [levels] * len(KINDS)
    sure = ([right for p, right, level in one if p >= level.least(all_levels)][:1] for one in best)
    return [right for found in sure for right in found]


def cross(sets: dict[str, dict[str, Cases]], kind: str) -> dict[str, list[Best]]:
    """Return the best proposals of each repository, judged by trees that were fitted on other repositories."""
    found = {}
    for part in range(FOLDS):
        held = {name: one for number, (name, one) in enumerate(sets.items()) if number % FOLDS == part}
        judged = {name: one[kind] for name, one in held.items() if one[kind].rows}
        if judged:
            trees = fit(
                (other[of] for name, other in sets.items() if name not in held for of in _taught_by(kind)), kind
            )
            found |= {name: best_of(one, trees.predict(np.array(one.rows))) for name, one in judged.items()}
    return found


def _taught_by(kind: str) -> tuple[str, ...]:
    return (kind,) if kind in ("here", "blocks") else ("elsewhere", "file")


def levels_for(best: list[Best], right: float, agreed_from: float) -> tuple[float, float]:
    """Return the lowest thresholds from which offers are, all together, right as often as asked.

    :param agreed_from: where edits agree, offers are made from there on.
    """
    level = 0.99
    for percent in range(98, 29, -1):
        offered = offers(best, (percent / 100, agreed_from))
        if len(offered) >= FEWEST and sum(offered) >= right * len(offered):
            level = percent / 100
    return level, agreed_from


def show(sets: dict[str, dict[str, Cases]], kinds: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Print offered, right and reached shares of each repository, and return the thresholds of each kind."""
    levels = {}
    for kind in kinds:
        judged = cross(sets, kind)
        every = [one for best in judged.values() for one in best]
        levels[kind] = levels_for(every, RIGHT[kind], AGREED_FROM[kind])
        told(sets, kind, judged, levels[kind])
    return levels


def judge(sets: dict[str, dict[str, Cases]], save: bool) -> None:
    """Print the figures of the shipped trees and thresholds.

    :param save: whether they are the reported ones, which go into ``results/edits.json`` and the page.
    """
    ours = shipped()
    series = {name: {"here": in_a_series(one["here"])} for name, one in sets.items()}
    found: dict[str, dict[str, Any]] = {name: {} for name in sets}
    more = [(kind, kind, sets) for kind in KINDS[1:]]
    for title, kind, part in (("here", "here", sets), ("series", "here", series), *more):
        judged = {name: best_of(one[kind], _shipped(ours, one[kind].rows, kind)) for name, one in part.items()}
        levels = ours.thresholds[KINDS.index(kind)]
        print(f"{title}:")
        told(part, kind, judged, levels)
        for name, best in judged.items():
            offered = offers(best, levels)
            found[name][title] = {"of": part[name][kind].chances, "offered": len(offered), "right": sum(offered)}
    if save:
        for name, one in found.items():
            one["commits"] = len({moment // PER_COMMIT for kind in KINDS for moment in sets[name][kind].moments})
        known = json.loads(RESULTS.read_text("utf-8"))
        known["judged"] = {"machine": made_on(), "repositories": found}
        RESULTS.write_text(json.dumps(known, indent=1) + "\n", "utf-8")
        put_into(PAGE, table(found), BEGIN)


def _shipped(ours: Judge, rows: list[list[float]], kind: str) -> list[float]:
    return ours.blocks_again(rows) if kind == "blocks" else ours.again(rows, here=kind == "here")


def table(found: dict[str, dict[str, Any]]) -> str:
    """Return the figures of repositories as a Markdown table, with those of all lines and moments together."""
    together: dict[str, Any] = {
        kind: {part: sum(one[kind][part] for one in found.values()) for part in ("of", "offered", "right")}
        for kind in ("here", "series", "elsewhere")
    }
    together["commits"] = sum(one["commits"] for one in found.values())
    heads = ("lines at the cursor", "right", "reached", "third like edit on: lines", "right", "reached")
    heads = ("repository", "commits", *heads, "moments elsewhere", "right", "offered", "reached")
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, one in [*found.items(), ("**together**", together)]:
        cells = [name.replace("+", "/"), str(one["commits"])]
        for kind in ("here", "series", "elsewhere"):
            of, offered, right = (one[kind][part] for part in ("of", "offered", "right"))
            cells += [f"{of:,}", _share(right, offered)]
            cells += [_share(offered, of)] if kind == "elsewhere" else []
            cells.append(_share(right, of))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _share(part: int, of: int) -> str:
    return f"{part / of:.2f}" if of else "–"


def in_a_series(cases: Cases) -> Cases:
    """Return the cases of lines that are the third of their kind or later."""
    kept = [at for at, moment in enumerate(cases.moments) if moment in cases.series]
    return Cases(
        [cases.moments[at] for at in kept],
        [cases.places[at] for at in kept],
        [cases.least[at] for at in kept],
        [cases.levels[at] for at in kept],
        [cases.rows[at] for at in kept],
        [cases.right[at] for at in kept],
        len(cases.series),
        cases.series,
    )


def told(
    sets: dict[str, dict[str, Cases]], kind: str, judged: dict[str, list[Best]], levels: tuple[float, float]
) -> None:
    """Print how many moments get an offer, how many offers are right, and both together."""
    print(kind, "thresholds", levels, "chances, offered/right/reached")
    chances = {name: sets[name][kind].chances for name in judged}
    every = [one for best in judged.values() for one in best]
    for name, best in (*judged.items(), ("together", every)):
        offered = offers(best, levels)
        count = chances.get(name, sum(chances.values())) or 1
        shares = len(offered) / count, sum(offered) / max(1, len(offered)), sum(offered) / count
        print(f"  {name:32} {count:5}", "{:.2f}/{:.2f}/{:.2f}".format(*shares))


def main() -> None:
    """Run one of the steps."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("step", choices=["collect", "cross", "judge", "fit"])
    options.add_argument("--work", type=Path, required=True)
    options.add_argument("--clones", type=Path)
    options.add_argument("--role", default=ROLE)
    options.add_argument("--only", nargs="*", default=[])
    options.add_argument("--seconds", type=float, default=600.0)
    options.add_argument("--files", action="store_true")
    options.add_argument("--save", action="store_true")
    options.add_argument("--kinds", nargs="*", choices=KINDS, default=list(KINDS), help="that are fitted or collected")
    given = options.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    if given.step == "collect":
        for name, clone in repositories(given.role, given.clones, given.only):
            made = collect(clone, given.seconds, given.files, given.kinds)
            (given.work / f"{name.replace('/', '+')}.pickle").write_bytes(pickle.dumps(made))
            print(name, {kind: (one.chances, len(one.rows)) for kind, one in made.items()}, flush=True)
        return
    sets = {path.stem: pickle.loads(path.read_bytes()) for path in sorted(given.work.glob("*.pickle"))}
    if given.step == "judge":
        judge(sets, given.save)
        return
    levels = show(sets, given.kinds)
    if given.step == "fit":
        data = json.loads(FILE.read_text("utf-8"))
        for kind in given.kinds:
            if kind == "file":  # its threshold is chosen with an index from before each commit, see docs/log.md
                continue
            trees = fit((one[part] for one in sets.values() for part in _taught_by(kind)), kind)
            data[f"{kind}_again"] = json.loads(trees_of(trees, NAMES[kind]).dumps())
            data["thresholds"][KINDS.index(kind)] = levels[kind]
        FILE.write_text(json.dumps(data, separators=(",", ":")) + "\n", "utf-8")


if __name__ == "__main__":
    main()
