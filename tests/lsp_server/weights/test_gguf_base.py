"""GGUF files as bases: what is read of their metadata, and one sentence for each file that is no base."""

import random
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gguf", reason="gguf is not installed: GGUF bases are NOT tested")
pytestmark = pytest.mark.model

from indexer.prompt.formats import LEFT_TO_RIGHT
from indexer.prompt.renderer import PromptInput, Renderer
from lsp_server.errors import BackendProblem
from lsp_server.weights.base_model import open_folder, open_format
from tests.support.gguf_files import (
    byte_level,
    note_identity,
    sentence_piece,
    split_gguf,
    write_gguf,
    write_other,
)

PIPES = ("<|endoftext|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|repo_name|>", "<|file_sep|>")


def refused(path: Path) -> str:
    with pytest.raises(BackendProblem) as problem:
        open_folder(path)
    assert problem.value.cure
    return str(problem.value)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_gguf(tmp_path / "coder.q8_0.gguf")


def test_a_file_and_the_folder_that_holds_it_are_the_same_base(model: Path) -> None:
    file, folder = open_folder(model), open_folder(model.parent)
    assert (file.name, file.spec, file.note) == ("coder.q8_0", LEFT_TO_RIGHT, None)
    assert (file.context, file.weights, file.gguf) == (512, (), (model,))
    assert (folder.gguf, folder.identity) == (file.gguf, file.identity)
    assert file.config["num_attention_heads"] == 4 and file.config["num_key_value_heads"] == 2
    assert file.tensors["model.layers.1.mlp.down_proj.weight"].shape == (64, 96)
    assert len(file.tensors) == 14
    assert (
        write_gguf(model.parent / "other.gguf", seed=2)
        and open_folder(model.parent / "other.gguf").identity != file.identity
    )


def test_the_vocabulary_is_that_of_the_metadata(model: Path) -> None:
    vocabulary = open_folder(model).vocabulary
    text = "def f(x):\n    return 123  # 가나 <|endoftext|>\n"
    ids = vocabulary.encode(text)
    assert vocabulary.decode(ids) == text
    assert vocabulary.decode([ids[0]]) == "def"
    assert [vocabulary.decode([i]) for i in vocabulary.encode("12")] == ["1", "2"]  # the pre-tokenizer splits digits
    assert vocabulary.control_ids.isdisjoint(ids)
    assert (vocabulary.bos, vocabulary.eos) == ((), 264)


def test_sentence_piece_merges_by_score_and_keeps_its_tokens_apart(tmp_path: Path) -> None:
    vocabulary = open_folder(write_gguf(tmp_path / "a.gguf", sentence_piece)).vocabulary
    spelled = [vocabulary.decode([i]) for i in vocabulary.encode(" def f():\n    return 가<table></s>")]
    assert spelled[:5] == [" def", " ", "f", "(", ")"]
    assert "    " in spelled and "return" in spelled and "<table>" in spelled
    assert vocabulary.decode(vocabulary.encode(" 가</s>")) == " 가</s>"
    assert (vocabulary.bos, vocabulary.eos) == ((1,), 2)
    assert {1, 2}.isdisjoint(vocabulary.encode("<s>x</s>"))


def test_a_tag_of_html_is_text_where_no_text_begins_with_it(tmp_path: Path) -> None:
    """Gemma has ``<s>`` as a user-defined token for HTML, and begins texts with another one."""

    def other(writer: Any) -> int:
        tokens = ["<unk>", "<bos>", "<eos>", *map(chr, range(33, 127)), "▁", "</s>", "<s>", "<fim_prefix>"]
        writer.add_tokenizer_model("llama")
        writer.add_token_list(tokens)
        writer.add_token_scores([0.0] * len(tokens))
        writer.add_token_types([2, 3, 3] + [1] * (len(tokens) - 6) + [4, 4, 4])
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        return len(tokens)

    def llama(writer: Any) -> int:
        size = other(writer)
        writer.kv_data[0]["tokenizer.ggml.bos_token_id"].value = size - 2
        return size

    vocabulary = open_folder(write_gguf(tmp_path / "gemma.gguf", other)).vocabulary
    tag, middle = vocabulary.size - 2, vocabulary.size - 1
    assert vocabulary.encode("<s>") == [tag] and tag - 1 not in vocabulary.encode("</s>")
    assert middle not in vocabulary.encode("<fim_prefix>") and vocabulary.control("<fim_prefix>") == middle
    begins = open_folder(write_gguf(tmp_path / "llama.gguf", llama)).vocabulary
    assert tag not in begins.encode("<s>") and begins.bos == (tag,)


def test_the_prompt_format_comes_from_the_tokens_or_from_their_ids(tmp_path: Path) -> None:
    assert open_folder(write_gguf(tmp_path / "a.gguf", controls=PIPES)).spec.name == "qwen2.5-coder"
    own = ("<end>", "<a>", "<b>", "<c>")
    path = write_gguf(tmp_path / "b.gguf", controls=own, fim_pre="<a>", fim_suf="<b>", fim_mid="<c>")
    base = open_folder(path)
    prompt = Renderer(base.spec, base.vocabulary, 200).render(PromptInput("a.py", "x = 1\n", "\ny"))
    text = "".join(
        next((t for t, i in base.vocabulary.controls.items() if i == n), base.vocabulary.decode([n]))
        for n in prompt.ids
    )
    assert text.startswith("<a>x = 1") and text.endswith("<b>\ny<c>")
    assert open_format(path)[1].name == "fim"


def test_a_split_file_is_opened_by_any_of_its_parts(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "split"
    folder.mkdir()
    parts = split_gguf(model, folder, 3)
    for path in (*parts, folder):
        assert open_folder(path).tensors == open_folder(model).tensors
    assert open_folder(folder).gguf == (parts[0],)
    parts[1].unlink()
    assert "1 of the 3 parts" in refused(folder) and parts[1].name in refused(parts[2])
    lost = parts[0].rename(folder / "renamed.gguf")
    assert "has lost its number" in refused(lost)


def test_an_export_names_the_base_whose_adapters_fit(model: Path) -> None:
    note_identity(model.parent, ondol_base_identity="ab" * 32, architectures="nonsense")
    assert open_folder(model).identity == "ab" * 32


@pytest.mark.parametrize("kind", ["mmproj", "adapter", "imatrix"])
def test_what_is_no_language_model_is_named(kind: str, tmp_path: Path) -> None:
    said = refused(write_other(tmp_path / "file.gguf", kind))
    assert {"mmproj": "a vision projector", "adapter": "a LoRA adapter", "imatrix": "an importance matrix"}[
        kind
    ] in said
    assert "a vision projector" in refused(write_other(tmp_path / "clip.gguf", "model", "clip"))


def test_a_vision_projector_next_to_its_model_is_left_out(model: Path) -> None:
    write_other(model.parent / "mmproj-f16.gguf", "mmproj")
    assert open_folder(model.parent).gguf == (model,)
    model.unlink()
    assert "vision projector" in refused(model.parent)


def test_every_cut_is_noticed(model: Path) -> None:
    whole = model.read_bytes()
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rng = random.Random(seed)
    for size in (0, 3, 7, 24, len(whole) - 1, *(rng.randrange(len(whole)) for _ in range(60))):
        model.write_bytes(whole[:size])
        said = refused(model)
        assert any(word in said for word in ("half downloaded", "no GGUF file", "is empty")), (size, said)


def test_a_damaged_header_is_one_sentence(model: Path) -> None:
    """Any byte of the header may be wrong: the base is refused with a sentence, or what was changed is no structure."""
    whole = bytearray(model.read_bytes())
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rng = random.Random(seed)
    noticed = 0
    for _ in range(300):
        at, value = rng.randrange(4000), rng.randrange(256)
        changed = bytes(whole[:at]) + bytes([value]) + bytes(whole[at + 1 :])
        model.write_bytes(changed)
        try:
            open_folder(model)
        except BackendProblem as problem:
            noticed += 1
            assert problem.cure
    assert noticed > 50


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"GGUF\x01\x00\x00\x00", "no longer reads"),
        (b"GGUF\x00\x00\x00\x03", "no longer reads"),
        (b"GGUF\x09\x00\x00\x00", "version 9"),
        (b"GGUF\x00\x00\x00\x00", "is damaged"),
        (b"PK\x03\x04 a wheel", "no GGUF file"),
    ],
)
def test_other_files_are_named(start: bytes, said: str, model: Path) -> None:
    model.write_bytes(start + bytes(64))
    assert said in refused(model)


def test_a_tokenizer_kind_or_split_that_nobody_knows_is_named(tmp_path: Path) -> None:
    def rwkv(writer) -> int:
        size = byte_level(writer)
        writer.kv_data[0]["tokenizer.ggml.model"].value = "rwkv"
        return size

    assert "tokenizer of the kind 'rwkv'" in refused(write_gguf(tmp_path / "a.gguf", rwkv))
    assert "splits text by the rules 'martian'" in refused(write_gguf(tmp_path / "b.gguf", pre="martian"))


def test_a_file_that_was_replaced_is_noticed(model: Path) -> None:
    base = open_folder(model)
    before = base.stamp()
    assert base.stamp() == before
    write_gguf(model, seed=3)
    assert base.stamp() != before
    model.unlink()
    assert base.stamp() == ((0, 0, 0),)


def test_a_file_may_have_any_name(model: Path) -> None:
    blob = model.rename(model.with_name("sha256-0123abcd"))
    assert open_folder(blob).vocabulary.size and open_folder(blob).name == blob.name
    part = blob.rename(blob.with_name("coder.gguf.crdownload"))
    part.write_bytes(part.read_bytes()[:-1])
    assert "half downloaded" in refused(part)


@pytest.mark.parametrize(("first", "last"), [(0.6, 1.0), (0.3, 0.5)])
def test_a_download_that_has_its_full_size_at_once_is_noticed(first: float, last: float, tmp_path: Path) -> None:
    model = write_gguf(tmp_path / "large.gguf", width=256)
    whole = bytearray(model.read_bytes())
    assert open_folder(model)
    start, end = int(first * len(whole)), int(last * len(whole))
    whole[start:end] = bytes(end - start)
    model.write_bytes(whole)
    assert "half downloaded" in refused(model)
