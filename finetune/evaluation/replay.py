"""Runs a commit replay: asks each system for completions at the cursors of past commits.

Each case is put to every system twice: as a request of the user (Invoked), and as the editor sends one during typing
(Automatic). ``commits.cases`` chooses the cases, ``metrics`` scores the answers, ``report`` shows the figures. A replay
that a signal ends returns the cases that every system has answered.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from finetune.commits.cases import Case
from finetune.commits.edit_steps import steps_of
from finetune.commits.stages import ProgressReporter, Stage
from finetune.commits.windows import SkipReport
from finetune.evaluation import edit_replay
from finetune.evaluation.edit_replay import Outcome
from finetune.evaluation.metrics import Answers, ScoredAnswer, score
from finetune.evaluation.stopping import Stopped
from finetune.evaluation.systems import System
from finetune.evaluation.typing_replay import TypingPlan, type_hunks
from finetune.evaluation.typist import TypedResult
from indexer.languages.grammars import language_of
from indexer.storage.reader import Index
from indexer.text.lines import lines_of
from lsp_server.types import Document, Engine, Request, settled


@dataclass(frozen=True, slots=True)
class EditPlan:
    """That the commits' changes are made one after the other. :param seed: of their random order."""

    seed: int
    skips: SkipReport


@dataclass(slots=True)
class ReplayResult:
    """The result of a replay.

    :param cases: in order. :param systems: the scored answers of each system, in the order of the cases.
    :param stages: facts about each window and its index, for the report.
    :param typing: what happened while hunks were typed, for each system.
    :param stopped: the signal that ended the replay before its time; None for a whole replay.
    :param edits: what was offered while the commits' changes were made, in the order of the files and at random.
    """

    cases: list[Case] = field(default_factory=list)
    systems: dict[str, list[ScoredAnswer]] = field(default_factory=dict)
    stages: list[dict[str, Any]] = field(default_factory=list)
    typing: dict[str, list[TypedResult]] = field(default_factory=dict)
    edits: dict[str, list[Outcome]] = field(default_factory=dict)
    stopped: Stopped | None = None

    def add(self, case: Case, scored: list[ScoredAnswer]) -> None:
        """Add a case that every system has answered."""
        for one in scored:
            self.systems[one.system].append(one)
        self.cases.append(case)

    def cut(self, stop: Stopped) -> None:
        """Keep the cases and hunks that every system has completed."""
        self.stopped = stop
        whole = min([len(self.cases), *map(len, self.systems.values())])
        del self.cases[whole:]
        typed = min(map(len, self.typing.values()), default=0)
        for answers in self.systems.values():
            del answers[whole:]
        for results in self.typing.values():
            del results[typed:]


def run(
    stages: Iterable[Stage],
    systems: Sequence[System],
    reporter: ProgressReporter,
    typing: TypingPlan | None = None,
    over: Callable[[int], bool] = lambda stage: False,
    edits: EditPlan | None = None,
) -> ReplayResult:
    """Put every case of every stage to every system, type its hunks with each, and make its edits.

    :param over: called before each case with the number of its stage; True leaves out the rest of the stage's cases.
    """
    result = ReplayResult(systems={system.name: [] for system in systems})
    result.typing = {system.name: [] for system in systems}
    try:
        for number, stage in enumerate(stages):
            reporter.phase("replaying", 0, 0)
            result.stages.append(stage.about)
            _replay_stage(result, stage, systems, reporter, partial(over, number))
            if typing is not None:
                for system in systems:
                    type_hunks(stage.hunks, system, typing, reporter, result.typing[system.name])
            if edits is not None:
                _make_edits(result, stage, edits)
    except Stopped as stop:
        result.cut(stop)
    return result


def _make_edits(result: ReplayResult, stage: Stage, plan: EditPlan) -> None:
    """Make the edits of a stage in the order of the files and at random."""
    for order, seed in (("in_order", None), ("random", plan.seed)):
        steps = steps_of(stage.edits, plan.skips if seed is None else SkipReport(), seed)
        result.edits.setdefault(order, []).extend(edit_replay.replay(steps, stage.index))


def _replay_stage(
    result: ReplayResult,
    stage: Stage,
    systems: Sequence[System],
    reporter: ProgressReporter,
    over: Callable[[], bool],
) -> None:
    """Put the cases of one stage to every system."""
    standing = verbatim(stage.index, stage.cases)
    for system in systems:
        system.engine.set_index(stage.index)
        if stage.cases and not system.about.get("base"):
            ask(system.engine, stage.cases[0])  # warms up, so that the first reading of files is not timed
    groups = _groups(systems)
    for case, stands in zip(stage.cases, standing, strict=True):
        if over():
            break
        number = len(result.cases)
        turn = number % max(1, len(groups))  # groups take turns at being first, since it warms the caches
        ordered = [system for group in (*groups[turn:], *groups[:turn]) for system in group]
        scored = {system.name: score(system.name, number, case, stands, ask(system.engine, case)) for system in ordered}
        result.add(case, [scored[system.name] for system in systems])
        reporter.case_answered()


def _groups(systems: Sequence[System]) -> list[list[System]]:
    """Return the systems that ask one model with the same prompts together, so that the second finds them computed."""
    groups: dict[Any, list[System]] = {}
    for system in systems:
        model = [system.about.get(key) for key in ("base", "adapter", "context")]
        groups.setdefault(tuple(model) if model[0] else system.name, []).append(system)
    return list(groups.values())


def ask(engine: Engine, case: Case) -> Answers:
    """Put a case to an engine, as a user's request and then as an automatic one.

    The first request is timed as after the cursor came to a new line of a document that was just opened, the second as
    the next key at the same place.
    """
    request = request_of(case, automatic=False)
    for document in documents_of(case):
        engine.update(document)
    started = time.perf_counter()
    invoked = settled(engine.complete(request, _never))
    first_ms = milliseconds(started)
    started = time.perf_counter()
    automatic = settled(engine.complete(replace(request, automatic=True), _never))
    again_ms = milliseconds(started)
    engine.close(request.document.uri)
    return Answers(invoked, automatic, first_ms, again_ms)


def verbatim(index: Index, cases: Sequence[Case]) -> list[bool]:
    """Return for each case whether its line stands in another indexed file, or elsewhere in its document."""
    wanted = {_line(case).strip() for case in cases}
    where: dict[str, set[str]] = {line: set() for line in wanted}
    for document in index.documents.values():
        for line in wanted.intersection(map(str.strip, lines_of(index.text(document)))):
            if len(where[line]) < 2:
                where[line].add(document.path)
    found = []
    for case in cases:
        line = _line(case).strip()
        around = lines_of(case.text)
        around.pop(case.line)
        found.append(bool(where[line] - {case.path}) or any(other.strip() == line for other in around))
    return found


def _line(case: Case) -> str:
    start = case.text.rfind("\n", 0, case.offset) + 1
    return case.text[start : case.offset] + case.rest


def request_of(case: Case, *, automatic: bool) -> Request:
    """Return the editor's request at the cursor of a case."""
    document = Document(f"replay:///{case.commit}/{case.path}", case.path, language_of(case.path), 1, case.text)
    return Request(document, case.offset, automatic)


def documents_of(case: Case) -> tuple[Document, Document]:
    """Return the document as the author opened it, and as it is at the cursor."""
    now = request_of(case, automatic=False).document
    return replace(now, version=0, text=case.opened), now


def milliseconds(started: float) -> float:
    """Return the milliseconds since a reading of ``time.perf_counter``."""
    return 1e3 * (time.perf_counter() - started)


def _never() -> bool:
    return False
