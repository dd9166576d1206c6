"""A GGUF file of a LLaMA as a folder with safetensors, in which ``ondol finetune --teach-fim`` changes it."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: GGUF files as safetensors are NOT tested")
pytest.importorskip("gguf", reason="gguf is not installed: GGUF files as safetensors are NOT tested")

from finetune.teaching.gguf_weights import as_safetensors
from finetune.teaching.taught_base import with_new_tokens
from indexer.errors import UserError
from lsp_server.weights.base_model import open_folder
from lsp_server.weights.gguf_writer import read_tensors, write_model
from tests.support.gguf_files import write_gguf

pytestmark = [pytest.mark.model]


def test_the_numbers_and_settings_are_those_that_transformers_reads(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, GgufConfig

    file = write_gguf(tmp_path / "one.gguf")
    folder = as_safetensors(open_folder(file), tmp_path / "folder")
    theirs = AutoModelForCausalLM.from_pretrained(
        tmp_path, gguf_file=file.name, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    ours = AutoModelForCausalLM.from_pretrained(folder.path, dtype=torch.bfloat16)
    one, other = theirs.state_dict(), ours.state_dict()
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    for key in ("rms_norm_eps", "rope_parameters", "max_position_embeddings", "tie_word_embeddings"):
        assert getattr(ours.config, key) == getattr(theirs.config, key), key


def test_such_a_base_gets_the_tokens_for_middles(tmp_path: Path) -> None:
    plain = as_safetensors(open_folder(write_gguf(tmp_path / "one.gguf")), tmp_path / "folder")
    added = with_new_tokens(plain, tmp_path / "grown")
    grown = open_folder(tmp_path / "grown")
    assert grown.spec.name == "small-llama" and [grown.vocabulary.control("<|fim_middle|>")] == [added[2]]
    write_model(grown, tmp_path / "grown.gguf")
    again = open_folder(tmp_path / "grown.gguf")
    assert again.vocabulary.encode("x = 12\n") == grown.vocabulary.encode("x = 12\n")


def test_a_gguf_file_becomes_the_weights_and_ids_that_it_holds(tmp_path: Path) -> None:
    base = open_folder(write_gguf(tmp_path / "one.gguf"))
    folder = as_safetensors(base, tmp_path / "folder")
    text = "def f(x):\n    return 12345 * x\n"
    assert folder.vocabulary.encode(text) == base.vocabulary.encode(text)
    assert folder.vocabulary.control_ids == base.vocabulary.control_ids
    assert (folder.context, folder.config["tie_word_embeddings"]) == (512, False)
    write_model(folder, tmp_path / "again.gguf", half=False)
    again = as_safetensors(open_folder(tmp_path / "again.gguf"), tmp_path / "twice")
    one, other = (dict(read_tensors(each.weights)) for each in (folder, again))
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one), "the order of query and key rows is inverse"


def test_what_is_no_plain_llama_is_refused(tmp_path: Path) -> None:
    base = open_folder(write_gguf(tmp_path / "one.gguf", architecture="qwen2"))
    with pytest.raises(UserError, match="no plain LLaMA"):
        as_safetensors(base, tmp_path / "folder")
