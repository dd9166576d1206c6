"""The typing replay: a typist writes hunks of past commits key by key, with each system's ghost texts.

``commits.typed_hunks`` draws the hunks, ``typist`` types them into ``typing_editor``, the server's own request path in
this process; ``typing_figures`` makes the figures.
"""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from finetune.commits.stages import ProgressReporter
from finetune.commits.typed_hunks import TypedHunk
from finetune.evaluation.systems import System
from finetune.evaluation.typing_editor import TypingEditor
from finetune.evaluation.typist import Habits, TypedResult, Typist
from indexer.config import Settings


@dataclass(frozen=True, slots=True)
class TypingPlan:
    """How hunks are typed."""

    settings: Settings
    habits: Habits
    seed: int


def type_hunks(
    hunks: Sequence[TypedHunk],
    system: System,
    plan: TypingPlan,
    reporter: ProgressReporter,
    done: list[TypedResult] | None = None,
) -> list[TypedResult]:
    """Type hunks with one system, whose engine has the index from before them; the same seed gives the same keys.

    :param done: the list that is filled and returned, so that a replay which a signal ends keeps what it has.
    """
    results = [] if done is None else done

    async def work() -> None:
        editor = TypingEditor(system.engine, plan.settings)
        try:
            for number, hunk in enumerate(hunks):
                seed = f"{plan.seed} {hunk.commit} {hunk.path} {number}"
                results.append(await Typist(hunk, editor, plan.habits, seed).type())
                reporter.case_answered()
        finally:
            editor.close()

    asyncio.run(work())
    return results


def write_keys(file: TextIO, systems: dict[str, list[TypedResult]]) -> None:
    """Write one JSON object per key, with the code at it, so that other gates can be judged on the same keys."""
    for name, results in systems.items():
        for number, result in enumerate(results):
            file.writelines(json.dumps(record, default=str) + "\n" for record in _records(name, number, result))


def _records(system: str, number: int, result: TypedResult) -> Iterable[dict[str, Any]]:
    hunk = result.hunk
    about = {"system": system, "hunk": number, "commit": hunk.commit, "path": hunk.path, "language": hunk.language}
    below = [line for line in hunk.after if line.strip()][:3]
    return ({**about, "below": below, **key} for key in result.keys)
