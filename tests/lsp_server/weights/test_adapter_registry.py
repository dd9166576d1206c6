"""An adapter that differs from its manifest, its base or the format is refused completely, in one sentence."""

import contextlib
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lsp_server.errors import BackendProblem
from lsp_server.weights.adapter_registry import AdapterVersion, current_number, read_version
from lsp_server.weights.base_model import ModelFolder
from tests.support.adapters import LAYER, PREFIX, lora, write_version


def read(registry: Path, base: ModelFolder) -> AdapterVersion:
    number = current_number(registry)
    assert number is not None
    return read_version(registry, number, base.identity, base.spec.name, base.tensors)


def test_a_good_version_is_read(tmp_path: Path, base: ModelFolder) -> None:
    write_version(tmp_path, 1, base)
    write_version(tmp_path, 2, base)
    version = read(tmp_path, base)
    assert (version.number, version.scale) == (2, 2.0)
    assert set(version.pairs) == {LAYER + "self_attn.q_proj", LAYER + "mlp.down_proj"}


def test_no_registry_and_an_empty_pointer_are_no_adapter(tmp_path: Path) -> None:
    assert current_number(tmp_path / "absent") is None
    (tmp_path / "current").write_text("\n")
    assert current_number(tmp_path) is None


@pytest.mark.parametrize("text", ["../1", "0", "-1", "1.5", "latest", "9" * 20, "1 2"])
def test_a_pointer_without_a_number_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "current").write_text(text)
    with pytest.raises(BackendProblem, match="pointer"):
        current_number(tmp_path)


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "another base": ({"manifest": {"base": {"name": "other", "identity": "0" * 64}}}, r"another base \(other\)"),
    "another prompt format": ({"manifest": {"prompt": {"format": 0, "spec": "small-llama"}}}, "another prompt format"),
    "another spec": ({"manifest": {"prompt": {"format": 1, "spec": "mellum"}}}, "another prompt format"),
    "another version number": ({"manifest": {"version": 7}}, "another format or version"),
    "a later manifest format": ({"manifest": {"format": 2}}, "another format or version"),
    "no files listed": ({"manifest": {"files": {}}}, "lists no files"),
    "a rank of 4096": ({"config": {"r": 4096, "lora_alpha": 4096}}, "out of bounds"),
    "another rank than the tensors": ({"config": {"r": 8}}, "another shape"),
    "a boolean rank": ({"config": {"r": True}}, "not a plain LoRA"),
    "an infinite alpha": ({"config": {"lora_alpha": float("inf")}}, "out of bounds"),
    "DoRA": ({"config": {"use_dora": True}}, "not a plain LoRA"),
    "whole modules replaced": ({"config": {"modules_to_save": ["lm_head"]}}, "not a plain LoRA"),
    "no tensors": ({"tensors": {}}, "holds no weights"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_version_that_does_not_fit_is_refused(name: str, tmp_path: Path, base: ModelFolder) -> None:
    arguments, message = CHANGES[name]
    write_version(tmp_path, 1, base, **arguments)
    with pytest.raises(BackendProblem, match=message):
        read(tmp_path, base)


def test_tensors_that_are_no_adapter_are_refused(tmp_path: Path, base: ModelFolder) -> None:
    good = lora(base)
    query = f"{PREFIX}{LAYER}self_attn.q_proj"
    cases = [
        ({**good, "extra": np.ones(3)}, "no part of an adapter"),
        ({**good, f"{PREFIX}{LAYER}mlp.up_proj.lora_A.weight": np.ones((4, 6))}, "no matrix for"),
        ({**good, f"{PREFIX}model.norm.lora_A.weight": np.ones((4, 6))}, "no matrix for"),
        ({k: v for k, v in good.items() if k != f"{query}.lora_B.weight"}, "no matrix for"),
        ({**good, f"{query}.lora_A.weight": np.ones((4, 7))}, "another shape"),
    ]
    for number, (tensors, message) in enumerate(cases, start=1):
        write_version(tmp_path, number, base, tensors=tensors)
        with pytest.raises(BackendProblem, match=message):
            read(tmp_path, base)


def test_links_and_missing_files_are_refused(tmp_path: Path, base: ModelFolder) -> None:
    weights = write_version(tmp_path, 1, base) / "adapter_model.safetensors"
    outside = tmp_path / "outside"
    weights.rename(outside)
    with pytest.raises(BackendProblem, match="is missing"):
        read(tmp_path, base)
    weights.symlink_to(outside)
    with pytest.raises(BackendProblem, match="not a plain file"):
        read(tmp_path, base)


def test_a_version_folder_that_is_a_link_is_refused(tmp_path: Path, base: ModelFolder) -> None:
    write_version(tmp_path / "elsewhere", 1, base)
    registry = tmp_path / "registry"
    (registry / "versions").mkdir(parents=True)
    (registry / "versions" / "1").symlink_to(tmp_path / "elsewhere" / "versions" / "1")
    (registry / "current").write_text("1")
    with pytest.raises(BackendProblem, match="not a plain file"):
        read(registry, base)


def test_a_manifest_cannot_reach_outside(tmp_path: Path, base: ModelFolder) -> None:
    version = write_version(tmp_path, 1, base)
    manifest = json.loads((version / "manifest.json").read_text())
    for name in ("../outside", "/etc/passwd", "a\0b", ".hidden", "a/b"):
        files = {**manifest["files"], name: {"size": 1, "sha256": "0"}}
        (version / "manifest.json").write_text(json.dumps({**manifest, "files": files}))
        with pytest.raises(BackendProblem, match="outside the version"):
            read(tmp_path, base)


def test_any_flipped_byte_in_any_file_is_noticed(tmp_path: Path, base: ModelFolder) -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rng = random.Random(seed)
    version = write_version(tmp_path, 1, base)
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        whole = (version / name).read_bytes()
        for _ in range(60):
            at = rng.randrange(len(whole))
            damaged = whole[:at] + bytes([whole[at] ^ (1 << rng.randrange(8))]) + whole[at + 1 :]
            (version / name).write_bytes(damaged)
            with pytest.raises(BackendProblem, match="not what the manifest describes"):
                read(tmp_path, base)
        (version / name).write_bytes(whole)
    assert read(tmp_path, base).number == 1


def test_a_damaged_manifest_raises_only_a_backend_problem(tmp_path: Path, base: ModelFolder) -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rng = random.Random(seed)
    version = write_version(tmp_path, 1, base)
    whole = (version / "manifest.json").read_bytes()
    for _ in range(300):
        at = rng.randrange(len(whole))
        (version / "manifest.json").write_bytes(
            whole[:at] + bytes([rng.randrange(256)]) + whole[at + rng.randrange(3) :]
        )
        with contextlib.suppress(BackendProblem):
            assert read(tmp_path, base).number == 1  # a byte of the base's name, or of white space
