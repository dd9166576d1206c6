"""Writes a GGUF file of a LLaMA as a folder with safetensors: the form in which a base is trained and changed.

Matrices of 4 or 8 bits become bfloat16 numbers again. The tokenizer is the one that serving makes of the same file, so
token ids stay the same; transformers' own conversion loses the splitting of digits, and took 30 s where this took 9
(135M parameters).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from indexer import fsio
from indexer.errors import UserError
from indexer.installation import install_command
from lsp_server.weights.base_model import ModelFolder, open_folder
from lsp_server.weights.gguf_reader import GgufFile, read_gguf
from lsp_server.weights.gguf_tokenizer import tokenizer_of

_OF_LAYER: Final = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_OTHERS: Final = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}


def as_safetensors(base: ModelFolder, out: Path) -> ModelFolder:
    """Write the base of one GGUF file into the folder ``out``.

    :raises UserError: it is no plain LLaMA, or the ``gguf`` package is missing.
    """
    import torch
    from safetensors.torch import save_file

    file = read_gguf(base.gguf[0])
    names = _names(file, base.name)
    raw = np.memmap(file.parts[0], np.uint8, "r")
    tensors = {
        name: torch.from_numpy(_numbers(file, raw, stored, base.config)).to(torch.bfloat16)
        for stored, name in names.items()
    }
    data, settings, _ = tokenizer_of(file.fields, base.name)
    fsio.remove_tree(out)
    fsio.make_directories(out)
    config = _config(file, base.config, tied="output.weight" not in names)
    fsio.replace_file(out / "config.json", json.dumps(config, indent=2).encode())
    fsio.replace_file(out / "tokenizer.json", json.dumps(data, ensure_ascii=False).encode())
    fsio.replace_file(out / "tokenizer_config.json", json.dumps(settings, indent=2).encode())
    save_file(tensors, out / "model.safetensors", {"format": "pt"})
    return open_folder(out)


def _names(file: GgufFile, model: str) -> dict[str, str]:
    """Name in the file -> name in transformers.

    :raises UserError: the file holds something that a plain LLaMA does not have.
    """
    found: dict[str, str] = {}
    for stored in file.shapes:
        body, _, kind = stored.rpartition(".")
        _, _, part = body.removeprefix("blk.").partition(".")
        name = _OTHERS.get(body)
        if body.startswith("blk.") and part in _OF_LAYER:
            name = f"model.layers.{body.split('.')[1]}.{_OF_LAYER[part]}"
        if name is None or kind != "weight" or file.architecture != "llama" or len(file.parts) > 1:
            raise UserError(f"{model} is no plain LLaMA in one file ({stored})", "name a base's safetensors folder")
        found[stored] = f"{name}.weight"
    return found


def _numbers(file: GgufFile, raw: Any, name: str, config: Mapping[str, Any]) -> Any:
    """One tensor as 32-bit floats, the rows of queries and keys in transformers' order."""
    try:
        from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
        from gguf.quants import dequantize
    except ImportError as error:
        raise UserError("the gguf package is not installed", f"run: {install_command('cpu-model')}") from error

    (number, begin), shape = file.places[name], file.shapes[name]
    kind = GGMLQuantizationType(number)
    block, size = GGML_QUANT_SIZES[kind]
    width = shape[-1] // block * size
    rows = np.asarray(raw[begin : begin + width * int(np.prod(shape[:-1], dtype=np.int64))]).reshape(-1, width)
    values = dequantize(rows, kind).astype(np.float32).reshape(shape)
    heads = {"attn_q": "num_attention_heads", "attn_k": "num_key_value_heads"}.get(name.split(".")[-2])
    if heads is None:
        return np.ascontiguousarray(values)
    count = int(config[heads])
    pairs = values.reshape(count, shape[0] // count // 2, 2, *shape[1:])  # llama.cpp keeps a rotation's rows together
    return np.ascontiguousarray(pairs.swapaxes(1, 2).reshape(shape))


def _config(file: GgufFile, known: Mapping[str, Any], *, tied: bool) -> dict[str, Any]:
    kept = {key: value for key, value in known.items() if key not in ("gguf_architecture", "fim_tokens")}
    about = file.fields
    if any(key.startswith("llama.rope.scaling") for key in about) or "rope_freqs.weight" in file.shapes:
        raise UserError("a LLaMA with scaled positions cannot be taught from GGUF", "name its safetensors folder")
    return {
        **kept,
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "bfloat16",
        "hidden_act": "silu",
        "attention_bias": False,
        "rms_norm_eps": float(about.get("llama.attention.layer_norm_rms_epsilon", 1e-5)),
        "rope_parameters": {"rope_theta": float(about.get("llama.rope.freq_base", 10000.0)), "rope_type": "default"},
        "tie_word_embeddings": tied,
        "bos_token_id": about.get("tokenizer.ggml.bos_token_id"),
        "eos_token_id": about.get("tokenizer.ggml.eos_token_id"),
    }
