"""What ``ondol eval --fit-gate`` and ``--fit-model`` do: fit to a repository's own history, and print the result."""

import json
import sys
import time
from pathlib import Path

import click

from finetune.commits.windows import SkipReport
from finetune.evaluation import fusion_fitting, gate_fitting, results
from finetune.evaluation.fusion_examples import KeyPlan, TypedWindow, collect
from finetune.evaluation.replay_inputs import Options, shared_models, stages_of
from finetune.evaluation.stopping import Stopped, stopped_by_signals
from indexer.config import Settings
from indexer.errors import UserError


def fit_gate(root: Path, settings: Settings, options: Options, as_json: bool) -> None:
    """Fit the gate; see ``gate_fitting``."""
    _require_windows(options)
    passed = SkipReport()
    with stages_of(root, settings, options, passed, as_json) as (stages, reporter, _):
        collected = gate_fitting.collect(stages, reporter)
    done = gate_fitting.refit(collected, settings, root)
    if as_json:
        click.echo(json.dumps({**done.as_dict(), "passed_over": passed.reasons, "notes": passed.notes}))
        return
    results.give_gate(done, settings.precision)


def fit_model(root: Path, settings: Settings, options: Options, minutes: float, as_json: bool) -> None:
    """Fit how retrieval and the model are weighed on typed keys; see ``fusion_fitting``.

    A signal ends the typing; what was typed until then is used if it is enough.

    :param minutes: that the typing may take.
    """
    _require_windows(options)
    passed, began = SkipReport(), time.monotonic()
    seen: list[TypedWindow] = []
    runner, stopped = None, None
    plan = KeyPlan(options.seed, windows=options.windows, seconds=60 * minutes)
    try:
        with stopped_by_signals():
            runner = shared_models(settings, root, None, passed, single_line=True).runner(None, passed.note)
            runner.loaded()
            with stages_of(root, settings, options, passed, as_json) as (stages, reporter, _):
                collect(stages, runner, plan, reporter, seen)
    except Stopped as stop:
        stopped = stop
    finally:
        if runner is not None:
            runner.close()
    typed = _note_hunks(seen, options, minutes, passed, stopped)
    try:
        done = fusion_fitting.refit(seen, settings, root)
    except UserError:
        if stopped is None:
            raise
        click.echo(f"ondol: {stopped} after {typed:,} hunks, too few to fit on; nothing was changed", err=True)
        sys.exit(stopped.exit_code)
    seconds = time.monotonic() - began
    if as_json:
        facts = {"seconds": round(seconds, 1), "partial": stopped is not None}
        click.echo(json.dumps({**done.as_dict(), **facts, "passed_over": passed.reasons, "notes": passed.notes}))
    else:
        took = f"{typed:,} hunks were typed; indexing, typing and fitting took {seconds / 60:.1f} minutes."
        click.echo("\n".join([*done.sentences(), took, *passed.notes]))
    if stopped is not None:
        sys.exit(stopped.exit_code)


def _note_hunks(
    seen: list[TypedWindow], options: Options, minutes: float, passed: SkipReport, stopped: Stopped | None
) -> int:
    """Say which hunks were not typed, and why; return how many were."""
    typed, drawn = sum(len(one.hunks) for one in seen), sum(one.about["hunks"] for one in seen)
    if stopped is not None:
        passed.note(f"The typing was {stopped} after {typed:,} of {options.hunks:,} hunks: these figures are partial.")
    elif typed < drawn:
        passed.note(f"The {minutes:g} minutes were over after {typed:,} of {drawn:,} hunks: raise --minutes for more.")
    elif drawn < options.hunks:
        passed.note(f"{options.hunks:,} hunks were requested; these commits have {drawn:,}.")
    return typed


def _require_windows(options: Options) -> None:
    """Refuse to fit on all commits: some newer ones have to judge."""
    if options.windows < 2:
        raise UserError("with one window there is no newer one to judge by", "use --windows 2 or more")
