"""Checks a base model's folder before anything heavy is imported: its kind, its completeness, its prompt format.

Only safetensors and GGUF weights are accepted: a pickled checkpoint can run code. Needs no torch.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.prompt.formats import PromptSpec, detect
from indexer.prompt.tokenizer import Vocabulary
from lsp_server.errors import BackendProblem
from lsp_server.weights.safetensors_header import TensorInfo, read_header

ARCHITECTURES = frozenset({"LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Starcoder2ForCausalLM"})
"""LLaMA and its close relatives, whose prompt formats are in the table."""

_SAMPLE = 1 << 16


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A checked folder.

    :param note: why the model is used left to right, or None.
    :param tensors: name -> header entry, for all weight files together; shapes only for a folder with GGUF only.
    :param identity: sha256 (hexadecimal) over config, tokenizer and samples of the weights. It tells two models apart;
        it does not detect a careful forgery.
    """

    path: Path
    config: Mapping[str, Any]
    vocabulary: Vocabulary
    spec: PromptSpec
    note: str | None
    weights: tuple[Path, ...]
    gguf: tuple[Path, ...]
    tensors: Mapping[str, TensorInfo]
    identity: str

    @property
    def name(self) -> str:
        """The folder's name, which stands for the model in reports."""
        return self.path.name

    @property
    def context(self) -> int:
        """Tokens the model was built for."""
        return int(self.config.get("max_position_embeddings") or 2048)


def open_folder(path: Path) -> ModelFolder:
    """Check a model's folder.

    :raises BackendProblem: it is missing, half downloaded, not safetensors, or not of a supported architecture.
    """
    if not path.is_dir():
        raise BackendProblem(
            f"there is no model folder {path}", "name a folder with config.json and safetensors weights"
        )
    config = _config(path)
    gguf = tuple(sorted(path.glob("*.gguf")))
    weights = _weight_files(path, bool(gguf))
    tensors: dict[str, TensorInfo] = {}
    for file in weights:
        tensors |= read_header(file)
    vocabulary = Vocabulary.load(path)
    size = int(config.get("vocab_size") or 0)
    if size and max(vocabulary.size, *(vocabulary.control_ids or {0})) > size + 4096:
        raise BackendProblem(f"the tokenizer of {path} does not belong to its weights", "fetch the whole folder again")
    spec, note = detect(config, vocabulary)
    identity = _identity(path, weights or gguf)
    if not weights:  # an export: it has the matrices of its base, whose identity its config names
        tensors, identity = _shapes(config), str(config.get("ondol_base_identity") or identity)
    return ModelFolder(path, config, vocabulary, spec, note, weights, gguf, tensors, identity)


def open_format(path: Path) -> tuple[Vocabulary, PromptSpec]:
    """Tokenizer and prompt format of a folder whose weights may be on a server.

    :raises BackendProblem: config or tokenizer are missing or of another kind.
    """
    config = _config(path)
    vocabulary = Vocabulary.load(path)
    return vocabulary, detect(config, vocabulary)[0]


def _config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BackendProblem(f"{path} has no config.json", "fetch the whole model folder") from None
    except (OSError, ValueError) as error:
        raise BackendProblem(f"config.json of {path} cannot be read ({error})", "fetch it again") from error
    if not isinstance(config, dict) or not set(config.get("architectures") or ()) & ARCHITECTURES:
        found = ", ".join(config.get("architectures") or ()) if isinstance(config, dict) else ""
        raise BackendProblem(
            f"{path} is {found or 'no model'}, which is not supported", f"use one of {', '.join(sorted(ARCHITECTURES))}"
        )
    return config


def _weight_files(path: Path, has_gguf: bool) -> tuple[Path, ...]:
    """The safetensors files; checks that every shard of the index file is there."""
    index = path / "model.safetensors.index.json"
    if index.is_file():
        try:
            names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
            files = [path / name for name in names if "/" not in name and "\\" not in name]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BackendProblem(f"{index} cannot be read", "fetch it again") from error
        missing = [file.name for file in files if not file.is_file()]
        if missing or len(files) != len(names):
            raise BackendProblem(
                f"{path} is half downloaded: {len(missing)} of {len(names)} weight files are missing "
                f"({', '.join(missing[:3])})",
                "fetch the rest",
            )
        return tuple(files)
    if (path / "model.safetensors").is_file():
        return (path / "model.safetensors",)
    if has_gguf:
        return ()
    if any(path.glob("*.bin")) or any(path.glob("*.pt")) or any(path.glob("*.pth")):
        raise BackendProblem(
            f"{path} holds pickled weights, which can run code and are not loaded", "fetch or convert to safetensors"
        )
    raise BackendProblem(f"{path} holds no weights", "fetch model.safetensors")


def _shapes(config: Mapping[str, Any]) -> dict[str, TensorInfo]:
    """The matrices that adapters may change, with the shapes that the config of a GGUF folder gives."""
    try:
        hidden, inner = int(config["hidden_size"]), int(config["intermediate_size"])
        heads = int(config["num_attention_heads"])
        groups, size = int(config.get("num_key_value_heads") or heads), int(config.get("head_dim") or hidden // heads)
        layers = int(config["num_hidden_layers"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise BackendProblem("config.json does not describe a LLaMA", "export the model again") from error
    shapes = {
        "self_attn.q_proj": (heads * size, hidden),
        "self_attn.k_proj": (groups * size, hidden),
        "self_attn.v_proj": (groups * size, hidden),
        "self_attn.o_proj": (hidden, heads * size),
        "mlp.gate_proj": (inner, hidden),
        "mlp.up_proj": (inner, hidden),
        "mlp.down_proj": (hidden, inner),
    }
    return {
        f"model.layers.{layer}.{name}.weight": TensorInfo("F16", shape, 0, 0)
        for layer in range(layers)
        for name, shape in shapes.items()
    }


def _identity(path: Path, files: tuple[Path, ...]) -> str:
    digest = hashlib.sha256()
    for name in ("config.json", "tokenizer.json"):
        digest.update(hashlib.sha256((path / name).read_bytes()).digest())
    for file in files:
        size = file.stat().st_size
        digest.update(size.to_bytes(8, "big"))
        with file.open("rb") as stream:
            for part in range(16):
                stream.seek(max(0, (size - _SAMPLE) * part // 15))
                digest.update(stream.read(_SAMPLE))
    return digest.hexdigest()
