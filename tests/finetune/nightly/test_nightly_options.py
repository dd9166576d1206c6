"""The options of ``ondol finetune``: the ``[finetune]`` table, and where the options of an earlier version went."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from finetune.dataset.commit_range import DatasetOptions
from finetune.nightly.command import finetune
from finetune.nightly.commit_split import PlanOptions
from finetune.nightly.earlier_options import MOVED, RENAMED
from finetune.nightly.options import NightlyOptions, nightly_options
from finetune.training.options import TrainingOptions
from indexer.config import load, user_config_file
from indexer.finetune_settings import FinetuneSettings

VALUES = {
    "--max-length": "512",
    "--fim-share": "0.9",
    "--replay-share": "0",
    "--learning-rate": "0.001",
    "--left-weight": "0.3",
}
"""Values of the options for which 16 is out of range."""


def test_the_defaults_of_the_settings_are_those_of_the_options() -> None:
    assert nightly_options(FinetuneSettings()) == NightlyOptions()
    assert nightly_options(FinetuneSettings(rank=8)).training.alpha == 16


def test_every_setting_of_the_table_changes_an_option() -> None:
    others = {"seed": 7, "dropout": 0.5, "fim_share": 0.1, "replay_share": 0.1, "prompt_loss_weight": 0.1}
    plain = nightly_options(FinetuneSettings())
    for name in FinetuneSettings.__dataclass_fields__:
        default = getattr(FinetuneSettings(), name)
        value = others.get(name, not default if isinstance(default, bool) else default + 1)
        assert nightly_options(FinetuneSettings(**{name: value})) != plain, name


def test_the_command_line_and_the_table_meet_in_the_options() -> None:
    settings = FinetuneSettings(rank=8, threads=2, held_out_commits=5, replay_cases=9, seed=3, max_samples=60)
    assert nightly_options(settings, since="v1", min_commits=4, promote=False) == NightlyOptions(
        commits=PlanOptions("v1", 4, 5),
        cases=9,
        seed=3,
        promote=False,
        dataset=DatasetOptions(max_samples=60),
        training=TrainingOptions(rank=8, alpha=16, threads=2),
    )


@pytest.mark.parametrize("option", MOVED)
def test_a_moved_option_says_the_line_of_the_table_that_replaces_it(option: str, tmp_path: Path) -> None:
    value = [] if option == "--quantize" else [VALUES.get(option, "16")]
    done = CliRunner().invoke(finetune, [str(tmp_path), option, *value])
    assert done.exit_code == 2
    line = f"{MOVED[option]} = {'true' if option == '--quantize' else value[0]}"
    assert done.stderr.endswith(f"Error: {option} moved to the [finetune] table of {user_config_file()}: {line}\n")
    file = tmp_path / "ondol.toml"
    file.write_text(f"[finetune]\n{line}\n")
    settings, problems = load(None, {}, file)
    assert problems == []
    assert str(getattr(settings.finetune, MOVED[option])) == str(
        True if option == "--quantize" else type(getattr(settings.finetune, MOVED[option]))(float(value[0]))
    )


@pytest.mark.parametrize("option", RENAMED)
def test_a_renamed_option_says_its_new_name(option: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(finetune, [str(tmp_path), f"{option}=5"])
    assert done.exit_code == 2
    assert done.stderr.endswith(f"Error: {option} is now {RENAMED[option]}; write {RENAMED[option]} 5\n")


def test_a_cron_line_with_several_earlier_options_gets_one_sentence(tmp_path: Path) -> None:
    done = CliRunner().invoke(finetune, [str(tmp_path), "--rank", "32", "--least", "5", "--epochs", "2"])
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1] == (
        f"Error: --rank and --epochs moved to the [finetune] table of {user_config_file()}: rank = 32, epochs = 2; "
        "--least is now --min-commits; write --min-commits 5"
    )
    assert list(tmp_path.iterdir()) == []


def test_the_help_names_none_of_the_earlier_options() -> None:
    text = CliRunner().invoke(finetune, ["--help"]).stdout
    assert not [option for option in (*MOVED, *RENAMED) if option in text.split()]
