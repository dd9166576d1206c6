"""Bad model folders are refused in one sentence, before anything heavy is loaded."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from indexer.errors import UserError
from lsp_server.errors import BackendProblem
from lsp_server.weights.base_model import open_folder
from lsp_server.weights.safetensors_header import read_header
from tests.support.tokenizers import bytes_tokenizer


def safetensors(tensors: dict[str, np.ndarray], **changes) -> bytes:
    header, data = {}, b""
    for name, value in tensors.items():
        raw = value.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    header.update(changes)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    config = {"architectures": ["LlamaForCausalLM"], "ondol_prompt_spec": "small-llama", "vocab_size": 272}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "tokenizer.json").write_text(bytes_tokenizer("small-llama"))
    (tmp_path / "model.safetensors").write_bytes(safetensors({"a": np.ones((2, 3)), "b": np.zeros(4)}))
    return tmp_path


def test_a_whole_folder_is_opened(folder: Path) -> None:
    found = open_folder(folder)
    assert (found.spec.name, found.note) == ("small-llama", None)
    assert found.tensors["a"].shape == (2, 3)
    assert open_folder(folder).identity == found.identity
    (folder / "model.safetensors").write_bytes(safetensors({"a": np.full((2, 3), 2), "b": np.zeros(4)}))
    assert open_folder(folder).identity != found.identity


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(BackendProblem, match="there is no model"):
        open_folder(tmp_path / "absent")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(UserError, match=r"no config\.json|no tokenizer\.json|holds neither"):
        open_folder(folder)


def test_pickled_weights_are_not_loaded(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(BackendProblem, match="can run code"):
        open_folder(folder)


def test_a_renamed_pickle_is_no_safetensors_file(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\x80\x02}q\x00." * 50)
    with pytest.raises(BackendProblem, match="not that of a safetensors file"):
        open_folder(folder)


def test_missing_shards_are_named(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(BackendProblem, match=r"half downloaded: 1 of 2 .*model-2\.safetensors"):
        open_folder(folder)


def test_a_shard_outside_the_folder_is_not_read(folder: Path) -> None:
    index = {"weight_map": {"a": "../model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(BackendProblem, match="half downloaded"):
        open_folder(folder)


def test_another_kind_of_model_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text('{"architectures": ["BertModel"]}')
    with pytest.raises(BackendProblem, match="BertModel, which does not write text"):
        open_folder(folder)


def test_every_cut_of_a_weight_file_is_noticed(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    for size in range(len(whole)):
        (folder / "model.safetensors").write_bytes(whole[:size])
        with pytest.raises(BackendProblem):
            read_header(folder / "model.safetensors")


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [4], "data_offsets": [8, 24]},  # overlaps
        {"dtype": "F32", "shape": [4], "data_offsets": [40, 56]},  # beyond the end
        {"dtype": "F32", "shape": [5], "data_offsets": [24, 40]},
        {"dtype": "F32", "shape": [-4], "data_offsets": [24, 40]},
        {"dtype": "F99", "shape": [4], "data_offsets": [24, 40]},
        {"dtype": "F32", "shape": "4", "data_offsets": None},
        7,
    ],
)
def test_forged_headers_are_refused(folder: Path, entry: object) -> None:
    (folder / "model.safetensors").write_bytes(safetensors({"a": np.ones((2, 3)), "b": np.zeros(4)}, b=entry))
    with pytest.raises(BackendProblem):
        open_folder(folder)


def test_an_enormous_header_is_not_read(folder: Path) -> None:
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", 100_000_000))
        file.truncate(100_000_100)
    with pytest.raises(BackendProblem, match="not that of a safetensors file"):
        open_folder(folder)


def test_an_adapter_is_no_base(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(BackendProblem, match="is a LoRA adapter"):
        open_folder(folder)


def test_one_file_of_a_folder_is_no_base(folder: Path) -> None:
    with pytest.raises(BackendProblem, match="one file of a model") as problem:
        open_folder(folder / "model.safetensors")
    assert "folder" in problem.value.cure
