"""Commit replay: asks the very engine that serves the editor at the cursors of the past.

For each window of commits the repository's tree from before it is written to a folder of ours and indexed as any
repository is; then every case is put to the arms, once as an editor asks while one types (Automatic) and once as a
person asks (Invoked). This module runs cases; ``cases`` chooses them, ``metrics`` scores them, ``report`` shows them.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from finetune.commits.cases import Case
from finetune.commits.stages import ProgressReporter, Stage
from finetune.evaluation.metrics import Outcome, judge
from finetune.evaluation.systems import Arm
from indexer.languages.grammars import language_of
from indexer.storage.reader import Index
from indexer.text.lines import lines_of
from lsp_server.types import Answer, Document, Engine, Request


@dataclass(slots=True)
class Result:
    """What a replay gave: cases in order, each arm's outcomes in the same order, and facts about the stages."""

    cases: list[Case] = field(default_factory=list)
    arms: dict[str, list[Outcome]] = field(default_factory=dict)
    stages: list[dict[str, Any]] = field(default_factory=list)


def run(stages: Iterable[Stage], arms: Sequence[Arm], reporter: ProgressReporter) -> Result:
    """Puts every case of every stage to every arm."""
    result = Result(arms={arm.name: [] for arm in arms})
    for stage in stages:
        reporter.phase("replaying", 0, 0)
        standing = verbatim(stage.index, stage.cases)
        for arm in arms:
            arm.engine.set_index(stage.index)
            if stage.cases:
                ask(arm.engine, stage.cases[0])  # what is read for the first time is not timed
        for case, stands in zip(stage.cases, standing, strict=True):
            turn = len(result.cases) % max(1, len(arms))  # nobody always finds the caches warmed by the same neighbour
            for arm in (*arms[turn:], *arms[:turn]):
                invoked, automatic, first_ms, again_ms = ask(arm.engine, case)
                result.arms[arm.name].append(
                    judge(arm.name, len(result.cases), case, stands, invoked, automatic, first_ms, again_ms)
                )
            result.cases.append(case)
            reporter.case_answered()
        result.stages.append(stage.about)
    return result


def ask(engine: Engine, case: Case) -> tuple[Answer, Answer, float, float]:
    """The answers to a case: to the person who asks, then to the editor; and how many milliseconds each took.

    The first is timed as after the cursor came to a new line of a document that was just opened; the other as the next
    key at the same place.
    """
    request = request_of(case, automatic=False)
    for document in documents_of(case):
        engine.update(document)
    started = time.perf_counter()
    invoked = engine.complete(request, _never)
    first_ms = milliseconds(started)
    started = time.perf_counter()
    automatic = engine.complete(replace(request, automatic=True), _never)
    again_ms = milliseconds(started)
    engine.close(request.document.uri)
    return invoked, automatic, first_ms, again_ms


def verbatim(index: Index, cases: Sequence[Case]) -> list[bool]:
    """For each case whether its line stands elsewhere: in another indexed file, or in the document as it was."""
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
    """A case as the editor would ask."""
    document = Document(f"replay:///{case.commit}/{case.path}", case.path, language_of(case.path), 1, case.text)
    return Request(document, case.offset, automatic)


def documents_of(case: Case) -> tuple[Document, Document]:
    """The document as the author opened it, and as it is at the cursor."""
    now = request_of(case, automatic=False).document
    return replace(now, version=0, text=case.opened), now


def milliseconds(started: float) -> float:
    """Since a reading of ``time.perf_counter``."""
    return 1e3 * (time.perf_counter() - started)


def _never() -> bool:
    return False
