"""The command ``ondol eval``: replays commits and prints the report.

The modules that do the work are imported when the command runs.
"""

import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from finetune.evaluation import results
from finetune.evaluation.replay_inputs import Options, shared_models, stages_of
from indexer.cli_options import SEED, Finite, PathName, data_dir_option, root_of, settings_for
from indexer.data_layout import replay_reports_directory
from indexer.errors import UserError

if TYPE_CHECKING:
    from finetune.commits.windows import SkipReport
    from finetune.evaluation.replay import ReplayResult
    from indexer.config import Settings


SHARE: Final = Finite(0, 1)
VOTE: Final = "suffix_vote"
HABITS: Final = ("typos", "escape", "undo", "auto_close")
"""Options of the typist, as ``typist.Habits`` names them."""


@click.command(epilog="Example: ondol eval ~/product --commits 200 --html replay.html")
@click.argument("repo", type=PathName(), default=Path())
@click.option("--commits", type=click.IntRange(1), default=100, show_default=True, help="Newest commits to replay.")
@click.option(
    "--windows", type=click.IntRange(1), default=4, show_default=True, help="Windows of commits; one index each."
)
@click.option("--since", help="Only commits since this date, in any form that git understands.")
@click.option("--first-parent", is_flag=True, help="Only commits that were made on the branch itself.")
@click.option(
    "--cases", type=click.IntRange(0), default=300, show_default=True, help="Cursors; half at line starts, 0 for none."
)
@click.option("--typing", is_flag=True, help="Also type hunks of the commits key by key.")
@click.option("--hunks", type=click.IntRange(1), default=40, show_default=True, help="Hunks to type.")
@click.option("--typos", type=SHARE, default=0.03, show_default=True, help="Share of letters typed wrong first.")
@click.option("--escape", type=SHARE, default=0.1, show_default=True, help="Share of wrong texts that are dismissed.")
@click.option("--undo", type=SHARE, default=0.02, show_default=True, help="Share of accepts that are undone.")
@click.option("--auto-close/--no-auto-close", default=True, help="Whether the typist's editor closes brackets.")
@click.option("--edits", is_flag=True, help="Also make the commits' changes one by one and ask for the next edit.")
@click.option("--seed", type=SEED, default=1, show_default=True, help="Seed for drawing cursors and intervals.")
@click.option("--system", "systems", multiple=True, help="System to evaluate, by default retrieval; repeatable.")
@click.option("--arm", "former_systems", multiple=True, hidden=True)
@click.option(
    "--base",
    metavar="PATH",
    help="The base model of systems with a model, a GGUF file or a folder; overrides the settings.",
)
@click.option("--adapter", metavar="N|FOLDER", help="Adapter for systems with an adapter; by default the current one.")
@click.option("--html", type=PathName(dir_okay=False), help="Write a page with plots to FILE.")
@click.option("--full", is_flag=True, help="Print every figure below the verdict.")
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON, without any code.")
@click.option("--out", type=PathName(dir_okay=False), help="Write every case and key to FILE, as JSON lines.")
@click.option("--fit-gate", is_flag=True, help="Fit the gate to this repository; keep it if it is better.")
@click.option("--fit-model", is_flag=True, help="Fit how retrieval and the model are weighed; keep it if it is better.")
@click.option("--minutes", type=Finite(0, min_open=True), default=15, show_default=True, help="Limit of --fit-model.")
@click.option("--split-files", is_flag=True, help="Hold out files instead of commits, for folders without history.")
@click.option("--every-line", is_flag=True, help="Include lines without letters or digits, and moved lines.")
@click.option("--append", is_flag=True, help="Documents end at the cursor; compare with a vote of longest suffixes.")
@data_dir_option
def evaluate(
    repo: Path,
    typing: bool,
    hunks: int,
    systems: tuple[str, ...],
    former_systems: tuple[str, ...],
    base: str | None,
    html: Path | None,
    full: bool,
    as_json: bool,
    out: Path | None,
    fit_gate: bool,
    fit_model: bool,
    minutes: float,
    data_dir: Path | None,
    **given: Any,
) -> None:
    """Measure what completions would have done for the last commits of REPO.

    The replay puts cursors into the lines that those commits added, asks for completions with an index of the state
    before the commits, and compares them with what the authors wrote.

    \b
    Systems:
      retrieval                                    retrieval alone, as without a model
      ngram, suffix_vote                           baselines: an n-gram model; a vote of the longest suffixes
      base, adapter                                the model alone, without or with adapter
      base_with_retrieval, adapter_with_retrieval  the model with retrieved context
      hybrid_base, hybrid_adapter                  retrieval engine and model together
    """
    from finetune.evaluation import fit_commands
    from finetune.evaluation.stopping import Stopped, stopped_by_signals

    habits = {name: given.pop(name) for name in HABITS}
    given["systems"] = (*systems, *former_systems) or ("retrieval",)
    options = Options(**given, hunks=hunks if typing else 0, habits=habits)
    _require_options(options, fit_gate or fit_model)
    _require_targets(options, html, out)
    root = root_of(repo)
    settings = settings_for(root, data_dir, quiet=as_json)
    if base is not None:
        settings = replace(settings, base_model=base)
    if fit_gate or fit_model:
        if fit_gate:
            fit_commands.fit_gate(root, settings, options, as_json)
        if fit_model:
            fit_commands.fit_model(root, settings, replace(options, cases=0, hunks=hunks), minutes, as_json)
        return
    try:
        with stopped_by_signals():
            report, result = _replay(root, settings, options, quiet=as_json)
    except Stopped as stop:
        click.echo(f"ondol: {stop} before the first cursor was replayed; there is nothing to report", err=True)
        sys.exit(stop.exit_code)
    results.keep(report, replay_reports_directory(settings, root))
    results.give(report, result, html, out, as_json=as_json, full=full)
    if result.stopped is not None:
        sys.exit(result.stopped.exit_code)


def _require_options(options: Options, fits: bool) -> None:
    """Refuse options that do not fit together."""
    if options.split_files and (options.since or options.first_parent or fits):
        raise click.UsageError(
            "--split-files uses no history: leave out --since, --first-parent, --fit-gate and --fit-model"
        )
    if (options.hunks or options.edits) and (options.split_files or fits):
        raise click.UsageError(
            "--typing and --edits replay commits: leave out --split-files, --fit-gate and --fit-model"
        )
    if options.append and (fits or not options.cases):
        raise click.UsageError("--append replays cursors: leave out --fit-gate, --fit-model and --cases 0")
    if options.cases == 1 or (options.cases == 0 and not options.hunks and not options.edits):
        raise click.UsageError("--cases is at least 2; 0 needs --typing or --edits")


def _require_targets(options: Options, html: Path | None, out: Path | None) -> None:
    """Refuse a page without cursors, and a file whose folder does not exist, before the replay starts."""
    if html is not None and not options.cases:
        raise click.UsageError("--html shows single cursors too: leave out --cases 0")
    for target in (html, out):
        if target is not None and not target.absolute().parent.is_dir():
            raise UserError(f"there is no folder {target.parent} to write {target.name} into", "create it first")


def _replay(
    root: Path, settings: "Settings", options: Options, *, quiet: bool
) -> "tuple[dict[str, Any], ReplayResult]":
    from finetune.commits.windows import SkipReport
    from finetune.evaluation import edit_figures
    from finetune.evaluation.replay import EditPlan, run
    from finetune.evaluation.report import ReportFacts, document
    from finetune.evaluation.summary import exact_ratio, summarise
    from finetune.evaluation.systems import canonical, make_system
    from finetune.evaluation.typing_figures import figures
    from finetune.evaluation.typing_replay import TypingPlan
    from finetune.evaluation.typist import Habits
    from indexer.repository import git

    started, passed = time.monotonic(), SkipReport()
    names = dict.fromkeys(map(canonical, (*options.systems, *((VOTE,) if options.append else ()))))
    options = replace(options, systems=tuple(names))
    adapter = _adapter(options)
    with stages_of(root, settings, options, passed, quiet) as (stages, reporter, until):
        models = _models(settings, root, until, names, passed)
        systems = [make_system(name, settings, root, until, adapter, models) for name in names]
        typing = TypingPlan(settings, Habits(**options.habits), options.seed) if options.hunks else None
        planned = EditPlan(options.seed, passed) if options.edits else None
        result = run(stages, systems, reporter, typing, edits=planned)
        for system in systems:
            system.engine.stop()
    typed = next(iter(result.typing.values()))
    if result.stopped is not None and not result.cases and not typed and not result.edits:
        raise result.stopped
    _require(result.cases or typed or result.edits.get("in_order", []), passed)
    _note(passed, options, result, len(typed))
    facts = ReportFacts(
        repository=root.name,
        head=git.head(root) if _has_git(root) else None,
        settings=settings,
        asked=asdict(options),
        stages=result.stages,
        engines={system.name: system.about for system in systems},
        passed=passed,
        seconds=time.monotonic() - started,
    )
    report = document(summarise(result.systems, options.seed) if result.cases else {}, facts)
    report["partial"] = result.stopped is not None
    if options.append:
        first = next(iter(names))
        ratios = exact_ratio(result.systems[first], result.systems[VOTE], options.seed)
        report["append"] = {"system": first, **ratios}
    if typed:
        report["typing"] = {"systems": {name: figures(one, options.seed) for name, one in result.typing.items()}}
    if result.edits.get("in_order"):
        report["edits"] = {order: edit_figures.figures(made, options.seed) for order, made in result.edits.items()}
    return report, result


def _note(passed: "SkipReport", options: Options, result: "ReplayResult", typed: int) -> None:
    """Say what a replay did not reach."""
    if result.stopped is not None:
        done = f"{len(result.cases):,} of {options.cases:,} cursors"
        done += f" and {typed:,} of {options.hunks:,} hunks" if options.hunks else ""
        passed.note(f"The replay was {result.stopped} after {done}: these figures are partial.")
    elif typed < options.hunks:
        passed.note(f"{options.hunks:,} hunks were requested; these commits have {typed:,}.")
    if result.stopped is None and len(result.cases) < options.cases:
        passed.note(f"{options.cases:,} cursors were requested; these commits have {len(result.cases):,}.")
    if options.every_line:
        passed.note("Lines without letters or digits and moved lines are included.")


def _models(settings: "Settings", root: Path, until: str | None, names: Iterable[str], passed: "SkipReport") -> Any:
    """Return the models that the systems share; None if none of them asks a model."""
    from finetune.evaluation.systems import MODEL_SYSTEMS

    return shared_models(settings, root, until, passed) if set(MODEL_SYSTEMS).intersection(names) else None


def _adapter(options: Options) -> int | Path | None:
    """Return the chosen adapter: a version's number, or a folder; None for the current one."""
    if options.adapter is None:
        return None
    from finetune.evaluation.systems import WITH_ADAPTER

    if not set(WITH_ADAPTER).intersection(options.systems):
        raise click.UsageError(f"--adapter needs one of the systems {', '.join(WITH_ADAPTER)}")
    return int(options.adapter) if options.adapter.isdecimal() else Path(options.adapter)


def _require(cases: list[Any], passed: "SkipReport") -> None:
    """Explain why there is nothing to replay, if there is nothing.

    :raises UserError: no case was found.
    """
    if cases:
        return
    reasons = ", ".join(f"{count:,} x {reason}" for reason, count in sorted(passed.reasons.items()))
    raise UserError(
        "these commits add no line of code that can be replayed" + (f" (skipped: {reasons})" if reasons else ""),
        "raise --commits, or hold out files with --split-files",
    )


def _has_git(root: Path) -> bool:
    from indexer.repository import git

    return git.is_repository(root) or git.is_bare(root)
