"""Small GGUF files, written with the ``gguf`` package: a random LLaMA with a byte-level or a SentencePiece vocabulary."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.tokenizers import byte_characters

CONTROL, USER_DEFINED, NORMAL, UNKNOWN, BYTE = 3, 4, 1, 2, 6
WIDTH = 64


def byte_level(writer: Any, controls: tuple[str, ...] = ("<|endoftext|>",), pre: str = "qwen2", **more: Any) -> int:
    """A vocabulary of single bytes and a few merges; returns its size."""
    merges = [("d", "e"), ("de", "f"), ("Ġ", "Ġ"), ("ĠĠ", "ĠĠ"), ("Ċ", "ĠĠĠĠ"), (")", "Ċ"), ("1", "2"), ("Ġ", "x")]
    tokens = [*byte_characters(), *("".join(pair) for pair in merges), *controls]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([NORMAL] * (len(tokens) - len(controls)) + [CONTROL] * len(controls))
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_eos_token_id(tokens.index(controls[0]))
    for key, text in more.items():
        writer.add_uint32(f"tokenizer.ggml.{key}_token_id", tokens.index(text))
    return len(tokens)


def sentence_piece(writer: Any) -> int:
    """A vocabulary of SentencePiece: bytes, letters, a few words with scores, a user-defined token."""
    words = ["▁d", "ef", "▁def", "▁▁", "▁▁▁▁", "re", "tu", "rn", "turn", "return", "▁return"]
    letters = [chr(c) for c in range(33, 127)] + ["▁", "\n", "\t"]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256)), *letters, *words, "<table>"]
    scores = [0.0] * (259 + len(letters)) + [-float(n) for n in range(len(words))] + [-1000.0]
    kinds = [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256 + [NORMAL] * (len(letters) + len(words)) + [USER_DEFINED]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_space_prefix(False)
    return len(tokens)


def write_gguf(
    path: Path,
    vocabulary: Any = byte_level,
    architecture: str = "llama",
    seed: int = 1,
    width: int = WIDTH,
    **words: Any,
) -> Path:
    """A whole random LLaMA of two layers.

    :param words: passed to ``vocabulary``.
    """
    import gguf

    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_context_length(512)
    writer.add_embedding_length(width)
    writer.add_block_count(2)
    writer.add_feed_forward_length(96)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // 4)
    rng = np.random.default_rng(seed)
    size = vocabulary(writer, **words)
    shapes = {"token_embd": (size, width), "output": (size, width), "output_norm": (width,)}
    for block in range(2):
        of_block = {
            "attn_q": (width, width),
            "attn_k": (width // 2, width),
            "attn_v": (width // 2, width),
            "attn_output": (width, width),
            "ffn_gate": (96, width),
            "ffn_up": (96, width),
            "ffn_down": (width, 96),
            "attn_norm": (width,),
            "ffn_norm": (width,),
        }
        shapes |= {f"blk.{block}.{name}": shape for name, shape in of_block.items()}
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", rng.normal(0, 0.2, shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_other(path: Path, kind: str, architecture: str = "llama") -> Path:
    """A GGUF file that is no base: ``mmproj``, ``adapter`` or ``imatrix``."""
    import gguf

    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_string("general.type", kind)
    writer.add_tensor("v.patch.weight", np.ones((4, 4), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def split_gguf(path: Path, folder: Path, parts: int) -> list[Path]:
    """A file's tensors, spread over several parts as ``gguf-split`` does it."""
    import gguf

    reader = gguf.GGUFReader(str(path))
    names = [tensor.name for tensor in reader.tensors]
    out = []
    for number in range(parts):
        target = folder / f"{path.stem}-{number + 1:05}-of-{parts:05}.gguf"
        writer = gguf.GGUFWriter(str(target), "llama")
        if number == 0:
            for field in reader.fields.values():
                _copy(writer, field)
        writer.add_uint16("split.no", number)
        writer.add_uint16("split.count", parts)
        writer.add_int32("split.tensors.count", len(names))
        for tensor in reader.tensors[number::parts]:
            writer.add_tensor(tensor.name, np.array(tensor.data))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        out.append(target)
    return out


def _copy(writer: Any, field: Any) -> None:
    if field.name.startswith("GGUF.") or field.name == "general.architecture":
        return
    kinds = field.types
    writer.add_key_value(field.name, field.contents(), kinds[0], kinds[1] if len(kinds) > 1 else None)


def note_identity(folder: Path, **keys: str) -> None:
    """The file that ``ondol models export`` writes next to a GGUF file."""
    (folder / "config.json").write_text(json.dumps(keys))
