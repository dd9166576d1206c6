"""Writes GGUF files of LLaMA-shaped models and of adapters from safetensors, with numpy and the ``gguf`` package.

llama.cpp stores query and key rows in another order than transformers (the two rows of a rotation are adjacent), so
these rows, their biases, and the B side of adapters on them are permuted. Needs no torch; ``finetune`` quantizes.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.installation import install_command
from indexer.prompt.tokenizer import Vocabulary
from lsp_server.errors import BackendProblem
from lsp_server.weights.adapter_registry import AdapterVersion, broken_numbers
from lsp_server.weights.base_model import ModelFolder
from lsp_server.weights.pre_tokenizers import name_of
from lsp_server.weights.safetensors_header import TensorInfo, read_header

Array = NDArray[np.float32]

_TYPES = {"F32": "<f4", "F16": "<f2"}
_ARCHITECTURES = {"LlamaForCausalLM": "llama", "MistralForCausalLM": "llama", "Qwen2ForCausalLM": "qwen2"}
_PERMUTED = frozenset({"llama", "granite", "granitemoe", "smollm3", "arcee", "deci"})
"""Architectures whose query and key rows llama.cpp's own conversion permutes."""

_SPLITS = {
    # The part of a tokenizer's split pattern that identifies it, and llama.cpp's name for the pattern.
    r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*": "qwen2",
    r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*": "llama-bpe",
    r"\s?\p{L}+": "deepseek-coder",
}
_FIM = {"prefix": "fim_pre", "suffix": "fim_suf", "middle": "fim_mid"}


def read_tensors(files: tuple[Path, ...]) -> Iterator[tuple[str, Array]]:
    """Every tensor of safetensors files, as float32, one at a time."""
    for file in files:
        header = read_header(file)
        start = file.stat().st_size - max((t.end for t in header.values()), default=0)
        for name, info in header.items():
            yield name, _array(file, start, info)


def write_model(folder: ModelFolder, out: Path, adapter: AdapterVersion | None = None, *, half: bool = True) -> None:
    """Write a model, merged with an adapter if there is one.

    :param half: matrices as 16-bit floats, from which quantization starts; else 32-bit.
    :raises BackendProblem: the model's architecture or its tokenizer has no known GGUF form.
    """
    gguf = _library()
    name = next((a for a in folder.config.get("architectures", ()) if a in _ARCHITECTURES), None)
    if name is None or not folder.weights:
        raise BackendProblem(f"{folder.name} has no known GGUF form", "export LLaMA, Mistral or Qwen2 safetensors")
    architecture = _ARCHITECTURES[name]
    writer = gguf.GGUFWriter(str(out), architecture)
    _describe(writer, folder.config, folder.name)
    _write_vocabulary(gguf, writer, folder)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[architecture.upper()], int(folder.config["num_hidden_layers"]))
    deltas = _deltas(adapter)
    for tensor, value in read_tensors(folder.weights):
        module, _, kind = tensor.rpartition(".")
        if module in deltas and kind == "weight":
            value = value + deltas.pop(module)()
        if not np.isfinite(value).all():
            raise BackendProblem(f"tensor {tensor} holds NaN or infinite numbers", "train or fetch it again")
        target = names.get_name(tensor, try_suffixes=(".weight", ".bias"))
        if target is None:
            raise BackendProblem(f"tensor {tensor} has no GGUF form", "export another base")
        value = _permuted(value, module, folder.config) if architecture == "llama" else value
        writer.add_tensor(target, value.astype(np.float16) if half and value.ndim == 2 else value)
    _write_rope_factors(writer, folder.config)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_adapter(config: Mapping[str, Any], version: AdapterVersion, out: Path) -> None:
    """Write an adapter as llama.cpp attaches it.

    :raises BackendProblem: it holds NaN or infinite numbers.
    """
    gguf = _library()
    name = next((a for a in config.get("architectures", ()) if a in _ARCHITECTURES), "LlamaForCausalLM")
    architecture = str(config.get("gguf_architecture") or _ARCHITECTURES[name])
    known = next((number for number, text in gguf.MODEL_ARCH_NAMES.items() if text == architecture), None)
    if known is None:
        raise BackendProblem(f"adapters for {architecture} have no known GGUF form", "update the gguf package")
    writer = gguf.GGUFWriter(str(out), architecture)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    names = gguf.get_tensor_name_map(known, int(config["num_hidden_layers"]))
    tensors = dict(read_tensors((version.weights,)))
    rank = 1
    for module, (a, b) in sorted(version.pairs.items()):
        if not (np.isfinite(tensors[a]).all() and np.isfinite(tensors[b]).all()):
            raise broken_numbers(version)
        target = names.get_name(f"{module}.weight", try_suffixes=(".weight",))
        if target is None:
            raise BackendProblem(f"module {module} has no GGUF form", "train an adapter on other modules")
        rank = tensors[a].shape[0]
        rows = _permuted(tensors[b], module, config) if architecture in _PERMUTED else tensors[b]
        writer.add_tensor(f"{target}.lora_a", np.ascontiguousarray(tensors[a]))
        writer.add_tensor(f"{target}.lora_b", np.ascontiguousarray(rows))
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, version.scale * rank)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _array(file: Path, start: int, info: TensorInfo) -> Array:
    with file.open("rb") as stream:
        stream.seek(start + info.begin)
        raw = stream.read(info.end - info.begin)
    if info.dtype == "BF16":
        wide = np.frombuffer(raw, "<u2").astype(np.uint32) << 16
        return wide.view(np.float32).reshape(info.shape)
    if info.dtype not in _TYPES:
        raise BackendProblem(f"weights of type {info.dtype} cannot be converted", "use bfloat16, float16 or float32")
    return np.frombuffer(raw, _TYPES[info.dtype]).astype(np.float32).reshape(info.shape)


def _deltas(adapter: AdapterVersion | None) -> dict[str, Any]:
    """Module -> a function that computes the adapter's addition to the module's matrix."""
    if adapter is None:
        return {}
    tensors = dict(read_tensors((adapter.weights,)))
    scale = np.float32(adapter.scale)
    return {m: (lambda a=a, b=b: (tensors[b] @ tensors[a]) * scale) for m, (a, b) in adapter.pairs.items()}


def _permuted(value: Array, module: str, config: Mapping[str, Any]) -> Array:
    heads = int(config["num_attention_heads"])
    if module.endswith("k_proj"):
        heads = int(config.get("num_key_value_heads") or heads)
    elif not module.endswith("q_proj"):
        return value
    half = value.reshape(heads, 2, value.shape[0] // heads // 2, *value.shape[1:])
    return np.ascontiguousarray(half.swapaxes(1, 2).reshape(value.shape))


def _rope(config: Mapping[str, Any]) -> dict[str, Any]:
    """Rope settings, from the key of transformers 5 or of an older version."""
    rope = dict(config.get("rope_scaling") or {}) | dict(config.get("rope_parameters") or {})
    rope.setdefault("rope_theta", config.get("rope_theta", 10000.0))
    rope.setdefault("rope_type", rope.get("type", "default"))
    return rope


def _describe(writer: Any, config: Mapping[str, Any], name: str) -> None:
    heads = int(config["num_attention_heads"])
    size = int(config.get("head_dim") or int(config["hidden_size"]) // heads)
    rope = _rope(config)
    writer.add_name(name)
    writer.add_context_length(int(config.get("max_position_embeddings", 2048)))
    writer.add_embedding_length(int(config["hidden_size"]))
    writer.add_block_count(int(config["num_hidden_layers"]))
    writer.add_feed_forward_length(int(config["intermediate_size"]))
    writer.add_head_count(heads)
    writer.add_head_count_kv(int(config.get("num_key_value_heads") or heads))
    writer.add_key_length(size)
    writer.add_value_length(size)
    writer.add_layer_norm_rms_eps(float(config.get("rms_norm_eps", 1e-6)))
    writer.add_rope_dimension_count(size)
    writer.add_rope_freq_base(float(rope["rope_theta"]))
    writer.add_vocab_size(int(config["vocab_size"]))
    if rope["rope_type"] == "linear":
        gguf = _library()
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(float(rope["factor"]))
    elif rope["rope_type"] not in ("default", "llama3"):
        raise BackendProblem(f"rope scaling {rope['rope_type']!r} has no GGUF form here", "serve it on transformers")


def _write_rope_factors(writer: Any, config: Mapping[str, Any]) -> None:
    """Write the factor by which Llama 3 stretches each rotation; GGUF stores the factors as a tensor."""
    rope = _rope(config)
    if rope["rope_type"] != "llama3":
        return
    size = int(config.get("head_dim") or int(config["hidden_size"]) // int(config["num_attention_heads"]))
    frequencies = 1.0 / float(rope["rope_theta"]) ** (np.arange(0, size, 2, dtype=np.float64) / size)
    factor, low, high = float(rope["factor"]), float(rope["low_freq_factor"]), float(rope["high_freq_factor"])
    original = float(rope["original_max_position_embeddings"])
    turns = original * frequencies / (2 * np.pi)
    smooth = np.clip((turns - low) / (high - low), 0.0, 1.0)
    stretched = np.where(turns > high, 1.0, np.where(turns < low, factor, 1 / ((1 - smooth) / factor + smooth)))
    writer.add_tensor("rope_freqs.weight", stretched.astype(np.float32))


def _write_vocabulary(gguf: Any, writer: Any, folder: ModelFolder) -> None:
    data = json.loads((folder.path / "tokenizer.json").read_text(encoding="utf-8"))
    model = data["model"]
    if model.get("type") != "BPE" or model.get("byte_fallback"):
        raise BackendProblem(f"the tokenizer of {folder.name} has no GGUF form here", "serve it on transformers")
    vocabulary, size = folder.vocabulary, int(folder.config["vocab_size"])
    tokens = [f"[UNUSED{i}]" for i in range(size)]
    kinds = [int(gguf.TokenType.UNUSED)] * size
    for text, number in model["vocab"].items():
        tokens[number], kinds[number] = text, int(gguf.TokenType.NORMAL)
    for added in data.get("added_tokens") or []:
        control = added["id"] in vocabulary.control_ids
        tokens[added["id"]] = added["content"]
        kinds[added["id"]] = int(gguf.TokenType.CONTROL if control else gguf.TokenType.USER_DEFINED)
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_split_name(data, folder.name))
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_add_bos_token(bool(vocabulary.bos))
    if vocabulary.bos:
        writer.add_bos_token_id(vocabulary.bos[0])
    if vocabulary.eos is not None:
        writer.add_eos_token_id(vocabulary.eos)
        writer.add_pad_token_id(vocabulary.eos)
    _write_fim(writer, folder, vocabulary)


def _write_fim(writer: Any, folder: ModelFolder, vocabulary: Vocabulary) -> None:
    """Write the ids that ``/infill`` of llama.cpp's server needs."""
    for control in folder.spec.controls:
        number = vocabulary.control(control)
        if number is None:
            continue
        for word, key in _FIM.items():
            if word in control:
                writer.add_uint32(f"tokenizer.ggml.{key}_token_id", number)
        if control in ("<|file_sep|>", "<file_sep>", "<filename>"):
            writer.add_uint32("tokenizer.ggml.fim_sep_token_id", number)


def _split_name(data: Mapping[str, Any], name: str) -> str:
    text = json.dumps(data.get("pre_tokenizer"), ensure_ascii=False).replace("\\\\", "\\")
    for pattern, known in _SPLITS.items():
        if pattern in text:
            return known
    if '"Digits"' in text and '"ByteLevel"' in text:
        return "starcoder"
    if '"ByteLevel"' in text and '"use_regex": true' in text:
        return "gpt-2"
    named = name_of(_split_patterns(data.get("pre_tokenizer")))
    if named is not None:
        return named
    raise BackendProblem(
        f"how the tokenizer of {name} splits text has no name in llama.cpp", "serve it on transformers"
    )


def _split_patterns(part: Any) -> tuple[str, ...]:
    """The patterns of a pre-tokenizer that only splits by patterns; empty for others."""
    parts = part.get("pretokenizers", []) if isinstance(part, dict) else []
    splits = [one for one in parts if one.get("type") == "Split" and "Regex" in one.get("pattern", {})]
    return tuple(one["pattern"]["Regex"] for one in splits) if len(splits) == len(parts) - 1 else ()


def _library() -> Any:
    try:
        import gguf
    except ImportError as error:
        raise BackendProblem("the gguf package is not installed", f"run: {install_command('cpu-model')}") from error
    return gguf
