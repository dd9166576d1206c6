"""A registry with adapter versions for a model folder, written as the nightly job writes them."""

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from indexer.prompt.renderer import PROMPT_FORMAT
from lsp_server.weights import adapter_registry_writer
from lsp_server.weights.base_model import ModelFolder, open_folder
from tests.support.tokenizers import bytes_tokenizer

PREFIX = "base_model.model."
LAYER = "model.layers.0."


def safetensors(tensors: dict[str, np.ndarray]) -> bytes:
    """The bytes of a safetensors file of float32 tensors."""
    header, data = {}, b""
    for name, value in tensors.items():
        raw = value.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tiny_base(path: Path) -> ModelFolder:
    """A model folder with two matrices and a norm: enough to verify adapters against."""
    path.mkdir(parents=True)
    config = {"architectures": ["LlamaForCausalLM"], "ondol_prompt_spec": "small-llama", "vocab_size": 272}
    (path / "config.json").write_text(json.dumps(config))
    (path / "tokenizer.json").write_text(bytes_tokenizer("small-llama"))
    matrices = {LAYER + "self_attn.q_proj.weight": np.ones((8, 6)), LAYER + "mlp.down_proj.weight": np.ones((6, 10))}
    (path / "model.safetensors").write_bytes(safetensors({**matrices, "model.norm.weight": np.ones(6)}))
    return open_folder(path)


def lora(folder: ModelFolder, rank: int = 4, seed: int = 1, size: float = 0.3) -> dict[str, np.ndarray]:
    """Random A and B for the query and down projections of every layer."""
    rng = np.random.default_rng(seed)
    out = {}
    for name, info in folder.tensors.items():
        if name.endswith(("q_proj.weight", "down_proj.weight")):
            module = PREFIX + name.removesuffix(".weight")
            out[f"{module}.lora_A.weight"] = rng.normal(0, size, (rank, info.shape[1])).astype(np.float32)
            out[f"{module}.lora_B.weight"] = rng.normal(0, size, (info.shape[0], rank)).astype(np.float32)
    return out


def write_version(
    registry: Path,
    number: int,
    folder: ModelFolder,
    tensors: dict[str, np.ndarray] | None = None,
    config: dict[str, Any] | None = None,
    manifest: dict[str, Any] | None = None,
    current: bool = True,
) -> Path:
    """Write a version, and point ``current`` at it."""
    version = registry / "versions" / str(number)
    version.mkdir(parents=True)
    tensors = lora(folder) if tensors is None else tensors
    settings = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "bias": "none", "target_modules": ["q_proj", "down_proj"]}
    (version / "adapter_model.safetensors").write_bytes(safetensors(tensors))
    (version / "adapter_config.json").write_text(json.dumps({**settings, **(config or {})}))
    files = {
        p.name: {"size": p.stat().st_size, "sha256": hashlib.sha256(p.read_bytes()).hexdigest()}
        for p in sorted(version.iterdir())
    }
    record = {
        "format": 1,
        "version": number,
        "base": {"name": folder.name, "identity": folder.identity},
        "prompt": {"format": PROMPT_FORMAT, "spec": folder.spec.name},
        "files": files,
    }
    (version / "manifest.json").write_text(json.dumps({**record, **(manifest or {})}))
    if current:
        point(registry, f"{number}\n")
    return version


def point(registry: Path, text: str) -> None:
    """Rename ``current`` into place, as the nightly job does: a server may read it at any moment."""
    (registry / "aside").write_text(text)
    (registry / "aside").replace(registry / "current")


def trained_adapter(
    folder: Path, base: ModelFolder, tensors: dict[str, np.ndarray] | None = None, seed: int = 1
) -> Path:
    """An adapter as training leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_model.safetensors").write_bytes(
        safetensors(lora(base, seed=seed) if tensors is None else tensors)
    )
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 4, "lora_alpha": 8}))
    return folder


def version_record(base: ModelFolder, **values: Any) -> dict[str, Any]:
    """What the nightly job records of a version."""
    prompt = {"format": PROMPT_FORMAT, "spec": base.spec.name}
    return {"base": {"name": base.name, "identity": base.identity}, "prompt": prompt, **values}


def add_version(where: Path, base: ModelFolder, seed: int = 1, **values: Any) -> int:
    """Add a version to the registry ``where``; return its number."""
    adapter = trained_adapter(where.parent / "out", base, seed=seed)
    return adapter_registry_writer.add(where, adapter, version_record(base, **values), {}).number
