"""What a replay needs: its options, the stages of its commits, and the models that its systems share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune.evaluation.progress_bars import progress_bars
from indexer.data_layout import work_directory

if TYPE_CHECKING:
    from finetune.commits.stages import ProgressReporter, Stage
    from finetune.commits.windows import SkipReport
    from finetune.evaluation.model_systems import SharedModels
    from indexer.config import Settings


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a replay.

    :param edits: whether next edits are replayed.
    :param hunks: that are typed; 0 for no typing replay. :param habits: of the typist, as ``typist.Habits`` names them.
    """

    commits: int
    windows: int
    since: str | None
    first_parent: bool
    cases: int
    seed: int
    systems: tuple[str, ...]
    adapter: str | None
    split_files: bool
    every_line: bool
    append: bool
    edits: bool = False
    hunks: int = 0
    habits: dict[str, Any] = field(default_factory=dict)


def shared_models(
    settings: "Settings", root: Path, until: str | None, passed: "SkipReport", *, single_line: bool = False
) -> "SharedModels":
    """Return the models that systems share; their prompts are as long as a server on this machine could read."""
    from finetune.evaluation import model_speed
    from finetune.evaluation.model_systems import SharedModels
    from lsp_server.model.factory import PROMPT_TOKENS

    tokens = PROMPT_TOKENS
    if settings.backend != "remote":
        prefill, _ = model_speed.serving_speed(settings)
        tokens = model_speed.prompt_limit(prefill)
        if tokens < PROMPT_TOKENS:
            passed.note(f"Prompts have at most {tokens:,} tokens: this machine reads {prefill:,.0f} in a second.")
    return SharedModels(settings, root, until, tokens, single_line=single_line)


@contextmanager
def stages_of(
    root: Path, settings: "Settings", options: Options, passed: "SkipReport", quiet: bool
) -> "Iterator[tuple[Iterator[Stage], ProgressReporter, str | None]]":
    """Yield the stages of a replay, its progress reporter, and the commit of its oldest index.

    Trees and indexes lie in a temporary folder below the data folder, which is removed at the end.
    """
    from finetune.commits.held_out_files import stage
    from finetune.commits.stages import ReplayPlan, commit_stages
    from finetune.commits.windows import windows
    from indexer.repository import git

    half = options.cases // 2
    amount = ReplayPlan(half, options.cases - half, options.seed, options.every_line, options.hunks, options.append)
    amount = replace(amount, edits=options.edits)
    plan = []
    if not options.split_files:
        plan = windows(root, options.commits, options.windows, since=options.since, first_parent=options.first_parent)
        found = sum(len(window.commits) for window in plan)
        if git.is_shallow(root) and found < options.commits:
            passed.note(f"The clone is shallow: it has {found:,} of {options.commits:,} commits to replay.")
        elif found < options.commits:
            passed.note(f"The history has {found:,} commits to replay.")
    with work_directory(settings, "eval") as folder, progress_bars(quiet, options.cases + options.hunks) as reporter:
        made = (
            stage(root, settings, amount, folder, passed, reporter)
            if options.split_files
            else commit_stages(root, plan, settings, amount, folder, passed, reporter)
        )
        yield made, reporter, plan[0].base if plan else None
