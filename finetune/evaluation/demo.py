"""A demonstration on the user's own repository: lines of the last commits, typed again key by key.

It takes windows, hunks, typist and figures from the typing replay. The index holds nothing of the commits whose lines
are typed, and every figure means what it means in ``ondol eval --typing``. Hunks are drawn at random, and every one
that was drawn counts, whatever the result.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from finetune.commits import held_out_files
from finetune.commits.cases import Case
from finetune.commits.stages import SILENT, ProgressReporter, ReplayPlan, Stage, commit_stages
from finetune.commits.typed_hunks import TypedHunk
from finetune.commits.windows import SkipReport, windows
from finetune.evaluation.systems import make_system
from finetune.evaluation.typing_replay import TypingPlan, type_hunks
from finetune.evaluation.typist import Habits, TypedResult
from indexer.config import Settings
from indexer.data_layout import work_directory
from indexer.errors import UserError
from indexer.languages.grammars import language_of
from indexer.repository import git

COMMITS: Final = 20
"""Number of last commits whose lines are typed."""
DRAWN: Final = 400
"""Hunks that are drawn to choose the places from: in one repository, eight drawn hunks were all of one file."""
LINES: Final = 6
"""Lines of a hunk that are typed where there is no history."""


@dataclass(frozen=True, slots=True)
class Step:
    """One key of the typist.

    :param at: where in the hunk's text the cursor is. :param ghost: the text on screen, "" for none.
    :param taken: what the key put there: a letter, a line end with its indentation, or an accepted text.
    :param accepted: whether the key accepted ghost text, or the beginning of it.
    """

    at: int
    ghost: str
    taken: str
    accepted: bool


@dataclass(frozen=True, slots=True)
class PlayedHunk:
    """One hunk that was typed.

    :param line: of its first line, counted from 1. :param text: all its lines.
    :param keys: key presses without Ondol. :param pressed: key presses with it.
    :param texts: ghost texts that appeared. :param wanted: those of which all or a beginning was accepted.
    """

    path: str
    line: int
    text: str
    steps: list[Step]
    keys: int
    pressed: int
    texts: int
    wanted: int


@dataclass(slots=True)
class DemoResult:
    """The result of a demonstration.

    :param premise: what the index holds and how the places were drawn, in sentences.
    """

    premise: str
    hunks: list[PlayedHunk] = field(default_factory=list)

    def sum(self, name: str) -> int:
        """Return the sum of a figure over all hunks."""
        return sum(getattr(hunk, name) for hunk in self.hunks)

    def verdict(self) -> str:
        """Return the sentences that say what Ondol saved and how many texts were not wanted."""
        keys, texts, wanted = self.sum("keys"), self.sum("texts"), self.sum("wanted")
        saved = (keys - self.sum("pressed")) / keys if keys else 0.0
        where = f"At {len(self.hunks)} places, drawn by chance, it would have saved {saved:.0%} of {keys} keys."
        if not texts:
            return f"{where} It showed nothing: nothing in this repository is like these lines."
        return f"{where} Texts that appeared: {texts}; taken: {wanted}; not wanted: {texts - wanted}."

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for ``--json``."""
        sums = {name: self.sum(name) for name in ("keys", "pressed", "texts", "wanted")}
        return {**asdict(self), **sums, "verdict": self.verdict()}


def run(
    root: Path,
    settings: Settings,
    count: int,
    seed: int,
    reporter: ProgressReporter = SILENT,
    show: Callable[[PlayedHunk], None] = lambda hunk: None,
) -> DemoResult:
    """Type ``count`` hunks of the last commits.

    :param show: called with each hunk after it was typed.
    :raises UserError: the repository has no code to demonstrate on.
    """
    with work_directory(settings, "demo") as folder:
        stage, hunks = _stage(root, settings, count, seed, folder, reporter)
        if not hunks:
            raise UserError(f"the last commits of {root} added no lines of code", "name another repository")
        result = DemoResult(_premise(root, stage, seed))
        system = make_system("retrieval", settings, root, stage.about.get("indexed_commit"))
        system.engine.set_index(stage.index)
        plan = TypingPlan(settings, Habits(), seed)
        reporter.phase("typing", 0, 0)
        for hunk in hunks:
            (typed,) = type_hunks([hunk], system, plan, SILENT)
            result.hunks.append(_played(typed))
            show(result.hunks[-1])
        return result


def _stage(
    root: Path, settings: Settings, count: int, seed: int, folder: Path, reporter: ProgressReporter
) -> tuple[Stage, list[TypedHunk]]:
    """Return the index and the hunks: of the last commits, or of held-out files where there is no history."""
    skips = SkipReport()
    history = git.head(root) if git.is_repository(root) or git.is_bare(root) else None
    if history is not None and int(git.run_git(root, "rev-list", "--count", "--max-count=2", history)) > 1:
        window = windows(root, COMMITS, 1)
        plan = ReplayPlan(0, 0, seed, hunks=DRAWN)
        stage = next(commit_stages(root, window, settings, plan, folder, skips, reporter))
        return stage, _of_many_files(stage.hunks, count)
    stage = next(held_out_files.stage(root, settings, ReplayPlan(count, 0, seed), folder, skips, reporter))
    return stage, [_hunk(case) for case in stage.cases if not case.moved][:count]


def _of_many_files(drawn: list[TypedHunk], count: int) -> list[TypedHunk]:
    """Return ``count`` hunks in the order in which they were drawn: a second one of a file after one of each."""
    rounds: Counter[str] = Counter()
    ranked = []
    for at, hunk in enumerate(drawn):
        ranked.append((rounds[hunk.path], at))
        rounds[hunk.path] += 1
    return [drawn[at] for _, at in sorted(ranked)[:count]]


def _hunk(case: Case) -> TypedHunk:
    """The lines from a case's line on, as a hunk."""
    start = case.text.rfind("\n", 0, case.offset) + 1
    return TypedHunk(
        commit=case.commit,
        path=case.path,
        language=language_of(case.path),
        before=case.text[:start],
        lines=(case.text[start : case.offset] + case.rest, *case.following[: LINES - 1]),
        further=case.following[LINES - 1 :],
        after=tuple(case.text[case.offset :].split("\n")[1:]),
    )


def _premise(root: Path, stage: Stage, seed: int) -> str:
    about = stage.about
    if "held_out" in about:
        held, kept = about["held_out"], about["files"]
        known = f"{root.name} has no history to replay, so the index leaves out {held} of its {held + kept} files."
        where = "the files that it leaves out"
    else:
        known = (
            f"The index holds {root.name} as it was before its last {about['commits']} commits "
            f"({about['from']} to {about['to']}), and nothing of them."
        )
        where = "the lines of code that they added"
    spread = "at most one of each file where there are enough"
    return f"{known}\nThe places were drawn at random from {where}, {spread} (seed {seed})."


def _played(typed: TypedResult) -> PlayedHunk:
    text = "\n".join(typed.hunk.lines)
    places = [key["at"] for key in typed.keys] + [len(text)]
    steps = []
    for key, after in zip(typed.keys, places[1:], strict=True):
        ghost, taken = key["text"] or "", text[key["at"] : after]
        letter = len(taken) <= 1 or taken[0] == "\n"
        steps.append(Step(key["at"], ghost, taken, not letter and ghost.startswith(taken.rstrip())))
    return PlayedHunk(
        path=typed.hunk.path,
        line=typed.hunk.before.count("\n") + 1,
        text=text,
        steps=steps,
        keys=typed.alone,
        pressed=typed.pressed,
        texts=len(typed.seen),
        wanted=sum(one.part or one.ended == "accepted" for one in typed.seen),
    )
