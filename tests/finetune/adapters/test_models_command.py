"""``ondol models`` as a user types it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from finetune.adapters.command import models as models_command
from finetune.dataset.shards import path_key
from finetune.nightly.promotion import BASE, CANDIDATE
from indexer.data_layout import registry_directory
from lsp_server.weights import adapter_registry_writer
from lsp_server.weights.adapter_registry import current_number
from tests.support import console, indexes, repositories
from tests.support.adapters import add_version, trained_adapter, version_record
from tests.support.commit_histories import commit


@pytest.fixture
def place(tmp_path: Path, base: Any) -> tuple[Path, Path, Path]:
    """A repository, a data folder, and a registry of three versions."""
    root, data = repositories.repository(tmp_path / "repo"), tmp_path / "data"
    where = registry_directory(indexes.settings(data), root)
    gain = {"value": 0.031, "low": 0.012, "high": 0.05, "count": 400}
    metrics = {"arms": {CANDIDATE: {"exact": {"value": 0.25}}}, "gains": {BASE: gain}}
    made = {"commits": {"newest": "c", "count": 210}, "dataset": {"samples": 1940}, "verdict": "promoted"}
    adapter_registry_writer.add(
        where,
        trained_adapter(data / "x", base),
        version_record(base, metrics=metrics, **made),
        {path_key("README.md"): ("1",)},
    )
    add_version(where, base, seed=2, verdict="kept")
    add_version(where, base, seed=3)
    return root, data, where


def models(place: tuple[Path, Path, Path], command: str, *options: str | Path) -> Any:
    return console.run("models", command, *options, "--repo", place[0], data=place[1])


@pytest.mark.slow
def test_list_promote_show_rollback_and_delete(place: tuple[Path, Path, Path], base: Any) -> None:
    root, _, where = place
    assert models(place, "promote", "1", "--base", base.path).stdout == "version 1 is current\n"
    assert models(place, "promote", "2", "--base", base.path).returncode == 0
    (root / "README.md").unlink()
    commit(root, {}, "gone")
    listed = models(place, "list")
    assert (listed.returncode, listed.stderr) == (0, "")
    first, second, last = listed.stdout.splitlines()[1:]
    assert first.split()[0] == "3"
    assert second.split()[:2] == ["*", "2"]
    assert second.rstrip().endswith("kept")
    for part in (
        "base",
        "210",
        "1,940",
        "25.0 %",
        "+3.1, 95 % interval 1.2 to 5.0",
        "promoted; of its training files, 1 deleted since",
    ):
        assert part in last
    found = json.loads(models(place, "list", "--json").stdout)
    assert (found["current"], [one["version"] for one in found["versions"]]) == (2, [3, 2, 1])
    shown = json.loads(models(place, "show", "1", "--json").stdout)
    assert shown["manifest"]["commits"]["count"] == 210
    assert [move["what"] for move in shown["history"]] == ["added", "promoted"]
    assert "of its training files, 1 deleted since" in models(place, "show", "1").stdout
    assert models(place, "rollback").stdout == "version 1 is current\n"
    refused = models(place, "delete", "3", "1")
    assert (refused.returncode, refused.stdout) == (1, "version 3 is deleted\n")
    assert refused.stderr.startswith("ondol: version 1 is the current adapter; promote another one or roll back first")
    forced = models(place, "delete", "1", "--force")
    assert forced.stdout == "version 1 is deleted; no adapter is current: the base is used alone\n"
    assert current_number(where) is None
    assert models(place, "rollback").returncode == 1


def test_what_cannot_be_is_one_sentence(place: tuple[Path, Path, Path], base: Any) -> None:
    weights = place[2] / "versions" / "3" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    for options, code, message in (
        (
            ("promote", "1"),
            1,
            "ondol: no base model is set; set base_model to a GGUF file or a model's folder, or use --base.",
        ),
        (("promote", "9", "--base", base.path), 1, "ondol: there is no adapter version 9; `ondol models list` shows"),
        (
            ("promote", "3", "--base", base.path),
            1,
            "ondol: adapter version 3 is refused: adapter_model.safetensors is not",
        ),
        (("export", "current", place[1] / "out", "--base", base.path), 1, "ondol: repo has no current adapter; name"),
        (("show", "nope"), 2, "'nope' is no number of a version; `ondol models list` shows them."),
        (("promote", "0"), 2, "'0' is no number of a version"),
        (("export", "latest", place[1] / "out", "--base", base.path), 2, "latest is neither `base` nor `current` nor"),
    ):
        done = models(place, *options)
        assert (done.returncode, message in done.stderr) == (code, True), done.stderr
    assert current_number(place[2]) is None


@pytest.mark.slow
@pytest.mark.parametrize("damage", [b"\0\0\0", b"latest\n", b"99999999999999\n", b"\xff\n"])
def test_a_damaged_pointer_is_said_and_cured_by_promoting(
    damage: bytes, place: tuple[Path, Path, Path], base: Any
) -> None:
    for number in "12":
        assert models(place, "promote", number, "--base", base.path).returncode == 0
    (place[2] / "current").write_bytes(damage)
    listed = models(place, "list")
    assert listed.returncode == 0
    assert [row.split()[:2] for row in listed.stdout.splitlines()[1:]][1] == ["*", "2"]
    assert "current is refused" in listed.stderr
    assert models(place, "promote", "1", "--base", base.path).stdout == "version 1 is current\n"
    assert models(place, "rollback").stdout == "version 2 is current\n"
    (place[2] / "current").write_bytes(b"latest")
    assert models(place, "rollback").stdout == "version 1 is current\n"
    assert adapter_registry_writer.served(place[2]) == [1]


VALUES: list[Any] = [None, 5, 0.5, True, [], {}, "text", ["x"], {"value": "x"}, {"value": {}}]


def test_manifests_of_others_are_listed(place: tuple[Path, Path, Path]) -> None:
    """All versions in one list; each is shown in this process, since a process for each takes a minute."""
    versions = place[2] / "versions"
    number = 2
    for value in VALUES:
        foreign = dict.fromkeys(("made", "base", "commits", "dataset", "metrics", "verdict", "reasons", "files"), value)
        manifests = [foreign, {"metrics": {"gains": {BASE: value}, "systems": {CANDIDATE: {"exact": value}}}}]
        manifests += [{"metrics": value, "base": {"name": value}, "commits": {"count": value, "head": value}}]
        for one in manifests:
            number += 1
            shutil.copytree(versions / "2", versions / str(number), dirs_exist_ok=True)
            (versions / str(number) / "manifest.json").write_text(json.dumps({"version": number, **one}))
    for options in ((), ("--json",)):
        listed = models(place, "list", *options)
        assert (listed.returncode, listed.stderr) == (0, "")
        assert str(number) in listed.stdout
    for each in range(3, number + 1):
        options = ["show", str(each), "--repo", str(place[0]), "--data-dir", str(place[1])]
        done = CliRunner().invoke(models_command, options)
        assert done.exit_code == 0, (each, done.output, done.exception)


def test_an_empty_registry(tmp_path: Path) -> None:
    root = repositories.repository(tmp_path / "repo")
    done = console.run("models", "list", "--repo", root, data=tmp_path / "data")
    assert done.stdout == "no adapter yet; `ondol finetune` trains one\n"
    assert not list((tmp_path / "data").glob("repositories/*/registry"))


def test_export_merges_the_adapter_into_safetensors(place: tuple[Path, Path, Path], base: Any, tmp_path: Path) -> None:
    from lsp_server.weights.gguf_writer import read_tensors

    out = tmp_path / "team"
    done = models(place, "export", "2", out, "--kind", "safetensors", "--base", base.path, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["version"] == 2
    version = adapter_registry_writer.verify(place[2], 2, base)
    factors = dict(read_tensors((version.weights,)))
    before, after = (dict(read_tensors((folder / "model.safetensors",))) for folder in (base.path, out))
    for module, (a, b) in version.pairs.items():
        wanted = before[f"{module}.weight"] + version.scale * factors[b] @ factors[a]
        assert abs(after[f"{module}.weight"] - wanted).max() < 1e-5
    again = models(place, "export", "2", out, "--kind", "safetensors", "--base", base.path)
    assert (again.returncode, "exists already" in again.stderr) == (1, True)
