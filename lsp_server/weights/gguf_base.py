"""Opens a GGUF file as a base: what config, tokenizer and safetensors header say of other bases, from its metadata.

Refuses files that hold no language model, in one sentence each. Needs neither torch nor llama.cpp.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from indexer.prompt.tokenizer import Vocabulary
from lsp_server.errors import BackendProblem
from lsp_server.weights.gguf_reader import GgufFile, read_gguf
from lsp_server.weights.gguf_tokenizer import vocabulary_of
from lsp_server.weights.safetensors_header import TensorInfo

_PREFERRED: Final = ("q8_0", "q4_k_m", "f16", "f32")
_CLASSES: Final = {
    "llama": "LlamaForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "starcoder2": "Starcoder2ForCausalLM",
    "gemma": "GemmaForCausalLM",
    "granite": "GraniteForCausalLM",
    "refact": "GPTRefactForCausalLM",
    "stablelm": "StableLmForCausalLM",
}
_NO_BASE: Final = {
    "mmproj": ("a vision projector", "name the language model that it belongs to"),
    "adapter": ("a LoRA adapter", "name the base that it was trained for; `ondol models` manages adapters"),
    "imatrix": ("an importance matrix", "name the model that it was made for"),
}
_MODULES: Final = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
"""GGUF's and transformers' names of the matrices that adapters may change."""

_FIM: Final = {"prefix": ("fim_pre", "prefix"), "suffix": ("fim_suf", "suffix"), "middle": ("fim_mid", "middle")}


@dataclass(frozen=True, slots=True)
class GgufBase:
    """What is known of a GGUF base before it is loaded.

    :param config: in the words of transformers, as far as Ondol reads them; ``gguf_architecture`` is llama.cpp's name.
    :param tensors: the matrices that adapters may change, under transformers' names; shapes only.
    """

    file: GgufFile
    config: Mapping[str, Any]
    vocabulary: Vocabulary
    tensors: Mapping[str, TensorInfo]


def candidates(folder: Path) -> tuple[Path, ...]:
    """The GGUF files of a folder that may be bases, the one to run first.

    8-bit comes before 4-bit: up to 30M parameters it is as fast on a CPU, and more exact. A split model counts once.
    """
    found = [path for path in sorted(folder.glob("*.gguf")) if not path.name.lower().startswith("mmproj")]
    first = [path for path in found if "-of-" not in path.name or "-00001-of-" in path.name]
    kinds = [*_PREFERRED, ""]
    return tuple(sorted(first, key=lambda path: next(i for i, kind in enumerate(kinds) if kind in path.name.lower())))


def describe(path: Path) -> GgufBase:
    """Read and check a GGUF base.

    :raises BackendProblem: it is damaged or incomplete, holds no language model, or has an unknown tokenizer.
    """
    file = read_gguf(path)
    kind = "mmproj" if file.architecture == "clip" else str(file.fields.get("general.type", "model"))
    if kind in _NO_BASE:
        what, cure = _NO_BASE[kind]
        raise BackendProblem(f"{path} is {what}, not a language model", cure)
    if not file.architecture or "token_embd.weight" not in file.shapes:
        raise BackendProblem(f"{path} holds no weights of a language model", "fetch a conversion of the whole model")
    if (
        f"{file.architecture}.pooling_type" in file.fields
        or file.fields.get(f"{file.architecture}.attention.causal") is False
    ):
        raise BackendProblem(f"{path} is a model for embeddings and writes no text", "name a model that writes code")
    vocabulary = vocabulary_of(file.fields, path.name)
    rows = file.shapes["token_embd.weight"][0]
    if vocabulary.size > rows:
        raise BackendProblem(f"the vocabulary of {path} does not belong to its weights", "fetch the file again")
    return GgufBase(file, _config(file, path, rows), vocabulary, _tensors(file))


def _config(file: GgufFile, path: Path, rows: int) -> dict[str, Any]:
    heads = file.number("attention.head_count", 1)
    hidden = file.number("embedding_length")
    known = _CLASSES.get(file.architecture)
    config: dict[str, Any] = {
        "gguf_architecture": file.architecture,
        "architectures": [known] if known else [],
        "max_position_embeddings": file.number("context_length", 2048),
        "vocab_size": rows,
        "hidden_size": hidden,
        "intermediate_size": file.number("feed_forward_length"),
        "num_hidden_layers": file.number("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": file.number("attention.head_count_kv", heads),
        "head_dim": file.number("attention.key_length", hidden // max(heads, 1)),
        "mlp_bias": "blk.0.ffn_down.bias" in file.shapes,
        "fim_tokens": _fim_tokens(file.fields),
    }
    return config | _ours(path.parent / "config.json")


def _ours(path: Path) -> dict[str, Any]:
    """What ``ondol models export`` has written next to the file: the base that its adapters name, its prompt format."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in config.items() if k.startswith("ondol_")} if isinstance(config, dict) else {}


def _fim_tokens(fields: Mapping[str, Any]) -> dict[str, str]:
    """The fill-in-the-middle tokens that the metadata names: ``prefix``, ``suffix``, ``middle``; empty if one lacks."""
    tokens: Sequence[str] = fields["tokenizer.ggml.tokens"]
    found: dict[str, str] = {}
    for part, keys in _FIM.items():
        numbers = [fields.get(f"tokenizer.ggml.{key}_token_id") for key in keys]
        number = next((n for n in numbers if isinstance(n, int) and 0 <= n < len(tokens)), None)
        if number is not None:
            found[part] = tokens[number]
    return found if len(found) == len(_FIM) else {}


def _tensors(file: GgufFile) -> dict[str, TensorInfo]:
    tensors: dict[str, TensorInfo] = {}
    for name, shape in file.shapes.items():
        block, _, rest = name.removeprefix("blk.").partition(".")
        module = _MODULES.get(rest.removesuffix(".weight"))
        if module and name.startswith("blk.") and rest.endswith(".weight") and len(shape) == 2:
            tensors[f"model.layers.{block}.{module}.weight"] = TensorInfo("F16", shape, 0, 0)
    return tensors
