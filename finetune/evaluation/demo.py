"""A demonstration on the user's own repository: the real language server, asked at cursors of the last commits.

It takes windows, cases and scores from the commit replay, so the index holds nothing of the commits whose lines are
predicted. Unlike ``ondol eval`` it starts the server as an editor does and asks it over the protocol. Cursors are drawn
at random, and every cursor that was asked is counted, whatever the result.
"""

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from finetune.commits import held_out_files
from finetune.commits.cases import Case
from finetune.commits.stages import SILENT, ProgressReporter, ReplayPlan, Stage, commit_stages
from finetune.commits.windows import SkipReport, windows
from finetune.evaluation.metrics import Answers, score
from indexer.config import Settings
from indexer.data_layout import settings_inside, work_directory
from indexer.errors import Fault, UserError
from indexer.languages.grammars import language_of
from indexer.repository import git
from lsp_server.commands.lsp_client import Client, edit
from lsp_server.reasons import Reason
from lsp_server.server.index_process import console_script, environment
from lsp_server.types import Answer, Suggestion

COMMITS: Final = 30
"""Number of last commits whose lines are predicted."""

TRIES: Final = 30
"""Cursors that are asked, at most, for each completion to show."""

SHOWN_PER_FILE: Final = 2
"""Completions of one file that are shown, at most."""


@dataclass(frozen=True, slots=True)
class ShownCompletion:
    """A completion that the server showed automatically.

    :param line: counted from 1. :param author: what the author wrote, as many lines as the ghost text has.
    :param source: where the text was copied from, as ``path:line``; "" for the open file.
    :param right: all lines are the author's. :param first_line_right: the first one is.
    :param usable: the first token is the author's, so a part can be accepted.
    """

    path: str
    line: int
    typed: str
    ghost_text: str
    author: str
    source: str
    milliseconds: float
    right: bool
    first_line_right: bool
    usable: bool


@dataclass(slots=True)
class DemoResult:
    """The result of a demonstration.

    :param premise: what the index holds and how the cursors were drawn, in sentences.
    :param asked: number of cursors. :param silent: cursors at which the server showed nothing.
    :param milliseconds: median time of an answer.
    """

    premise: str
    shown: list[ShownCompletion] = field(default_factory=list)
    asked: int = 0
    silent: int = 0
    milliseconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for ``--json``."""
        return asdict(self)


def run(root: Path, settings: Settings, count: int, seed: int, reporter: ProgressReporter = SILENT) -> DemoResult:
    """Ask the language server at cursors of the last commits until it has shown ``count`` completions.

    :raises UserError: the repository has no code to demonstrate on.
    """
    with work_directory(settings, "demo") as folder:
        stage = _stage(root, settings, ReplayPlan(count * TRIES // 2, count * TRIES // 2, seed), folder, reporter)
        cases = [case for case in stage.cases if not case.moved]
        if not cases:
            raise UserError(f"the last commits of {root} added no lines of code", "name another repository")
        result = DemoResult(_premise(root, stage, seed))
        reporter.phase("asking the language server", 0, 0)
        command, inner = [*console_script(), "serve", "--stdio"], settings_inside(settings, folder)
        with Client(command, env=environment(inner)) as client:
            client.initialize([stage.index.root], encodings=["utf-32"])  # columns are then code points
            client.wait_state("ready")
            _ask(client, stage.index.root, cases, count, result)
        return result


def _stage(root: Path, settings: Settings, plan: ReplayPlan, folder: Path, reporter: ProgressReporter) -> Stage:
    """Return the index and the cases: of the last commits, or of held-out files where there is no history."""
    skips = SkipReport()
    history = git.head(root) if git.is_repository(root) or git.is_bare(root) else None
    if history is not None and int(git.run_git(root, "rev-list", "--count", "--max-count=2", history)) > 1:
        window = windows(root, COMMITS, 1)
        return next(commit_stages(root, window, settings, plan, folder, skips, reporter))
    return next(held_out_files.stage(root, settings, plan, folder, skips, reporter))


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
    return f"{known}\nThe cursors were drawn at random from {where} (seed {seed})."


def _ask(client: Client, tree: Path, cases: Iterable[Case], count: int, result: DemoResult) -> None:
    times: list[float] = []
    shown_in: dict[str, int] = {}
    for case in cases:
        if len(result.shown) >= count:
            break
        if shown_in.get(case.path, 0) >= SHOWN_PER_FILE:
            continue
        suggestion, source, milliseconds = _complete(client, tree, case)
        times.append(milliseconds)
        if suggestion is None:
            result.silent += 1
            continue
        shown_in[case.path] = shown_in.get(case.path, 0) + 1
        result.shown.append(_scored(case, suggestion, source, milliseconds))
    result.asked = len(times)
    result.milliseconds = round(median(times), 2)


def _complete(client: Client, tree: Path, case: Case) -> tuple[Suggestion | None, str, float]:
    """Open the document, type the begun line as one edit, and send an automatic request as an editor does.

    Returns the suggestion, the source of its text, and the milliseconds until the answer.
    """
    uri = (tree / case.path).as_uri()
    start = case.text.rfind("\n", 0, case.offset) + 1
    client.open(uri, case.text[:start] + case.text[case.offset :], language_of(case.path))
    client.change(uri, 2, edit(case.line, 0, case.text[start : case.offset]))
    began = time.perf_counter()
    reply = client.wait(client.ask(uri, case.line, case.offset - start, automatic=True))
    milliseconds = round(1000 * (time.perf_counter() - began), 2)
    if "error" in reply:
        raise Fault(f"the server answered with an error: {reply['error']}")
    suggestion, source = None, ""
    for item in (reply["result"] or {"items": []})["items"][:1]:
        columns = [item["range"][end]["character"] for end in ("start", "end")]
        suggestion = Suggestion(item["insertText"], start + columns[0], start + columns[1], 0.0, "server")
        source = next(iter(client.command("ondol.sources", item["command"]["arguments"][0]) or ()), "")
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    return suggestion, source, milliseconds


def _scored(case: Case, suggestion: Suggestion, source: str, milliseconds: float) -> ShownCompletion:
    """Score a suggestion by the measures of the replay."""
    answer = Answer((suggestion,), Reason.SHOWN)
    scored = score("server", 0, case, False, Answers(answer, answer, milliseconds, milliseconds))
    lines = scored.shown.replace("\r\n", "\n").rstrip().split("\n")
    return ShownCompletion(
        path=case.path,
        line=case.line + 1,
        typed=case.text[case.text.rfind("\n", 0, case.offset) + 1 : case.offset],
        ghost_text="\n".join(line.rstrip() for line in lines),
        author="\n".join(line.rstrip() for line in (case.rest, *case.following)[: len(lines)]),
        source=source,
        milliseconds=milliseconds,
        right=scored.whole,
        first_line_right=scored.right,
        usable=scored.usable,
    )
