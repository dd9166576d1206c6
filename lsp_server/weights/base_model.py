"""Opens and checks a base model, a folder or a GGUF file, before anything heavy is imported.

Only safetensors and GGUF weights are accepted: a pickled checkpoint can run code. Needs no torch.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.prompt.formats import PromptSpec, detect
from indexer.prompt.tokenizer import Vocabulary
from lsp_server.errors import BackendProblem
from lsp_server.weights.gguf_base import candidates, describe
from lsp_server.weights.gguf_reader import begins_as_gguf, parts_of
from lsp_server.weights.safetensors_header import TensorInfo, read_header

_CAUSAL = ("ForCausalLM", "LMHeadModel")
_SAMPLE = 1 << 16


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A checked base.

    :param path: the folder, or the GGUF file if one was named.
    :param note: why the format that the base names for itself cannot be used, or None.
    :param weights: safetensors files; empty where there is GGUF only.
    :param gguf: GGUF files, the one to run first.
    :param tensors: name -> header entry, for all weight files together; shapes only for GGUF.
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
        """The name of the folder or of the file, which stands for the model in reports."""
        return self.path.stem if self.path.suffix == ".gguf" else self.path.name

    @property
    def context(self) -> int:
        """Tokens the model was built for."""
        return int(self.config.get("max_position_embeddings") or 2048)

    def stamp(self) -> tuple[tuple[int, int, int], ...]:
        """Number, time and size of each weight file: differs from an earlier one where a file was replaced."""
        files = self.weights or parts_of(self.gguf[0])
        found = [file.stat() if file.is_file() else None for file in files]
        return tuple((s.st_ino, s.st_mtime_ns, s.st_size) if s else (0, 0, 0) for s in found)


def open_folder(path: Path) -> ModelFolder:
    """Open and check a base.

    :param path: a folder with safetensors or GGUF weights, or a GGUF file.
    :raises BackendProblem: it is missing, half downloaded, damaged, or no model that writes text.
    """
    if path.is_file():
        if path.suffix.lower() == ".safetensors":
            raise BackendProblem(f"{path} is one file of a model", "name the folder that holds it")
        if path.suffix.lower() != ".gguf" and not begins_as_gguf(path):
            raise BackendProblem(f"{path} is no GGUF file", "name a GGUF file, or a folder with safetensors weights")
        return _open_gguf(path, (path,))
    if not path.is_dir():
        raise BackendProblem(f"there is no model {path}", "name a folder with safetensors weights, or a GGUF file")
    gguf = candidates(path)
    weights = _weight_files(path, bool(gguf) or any(path.glob("*.gguf")))
    if not weights:
        return _open_gguf(path, gguf)
    config = _config(path)
    tensors: dict[str, TensorInfo] = {}
    for file in weights:
        tensors |= read_header(file)
    vocabulary = Vocabulary.load(path)
    size = int(config.get("vocab_size") or 0)
    if size and max(vocabulary.size, *(vocabulary.control_ids or {0})) > size + 4096:
        raise BackendProblem(f"the tokenizer of {path} does not belong to its weights", "fetch the whole folder again")
    spec, note = detect(config, vocabulary)
    identity = _identity([path / "config.json", path / "tokenizer.json"], weights)
    return ModelFolder(path, config, vocabulary, spec, note, weights, gguf, tensors, identity)


def _open_gguf(path: Path, files: tuple[Path, ...]) -> ModelFolder:
    """Open a base of GGUF files alone; the first of them describes it."""
    if not files:
        raise BackendProblem(f"{path} holds a vision projector alone", "fetch the language model as well")
    base = describe(files[0])
    spec, note = detect(base.config, base.vocabulary)
    # An export has the matrices of its base, whose identity it names, so the base's adapters fit it.
    identity = str(base.config.get("ondol_base_identity") or _identity([], base.file.parts))
    return ModelFolder(path, base.config, base.vocabulary, spec, note, (), files, base.tensors, identity)


def open_format(path: Path) -> tuple[Vocabulary, PromptSpec]:
    """Tokenizer and prompt format of a base whose weights may be on a server.

    :param path: a folder with config and tokenizer, a GGUF file, or a folder with one.
    :raises BackendProblem: config or tokenizer are missing or of another kind.
    """
    if path.is_file() or not (path / "config.json").is_file():
        folder = open_folder(path)
        return folder.vocabulary, folder.spec
    vocabulary = Vocabulary.load(path)
    return vocabulary, detect(_config(path), vocabulary)[0]


def _config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BackendProblem(f"{path} has no config.json", "fetch the whole model folder") from None
    except (OSError, ValueError) as error:
        raise BackendProblem(f"config.json of {path} cannot be read ({error})", "fetch it again") from error
    named = config.get("architectures") if isinstance(config, dict) else None
    kinds = [str(kind) for kind in named] if isinstance(named, list) else []
    if not any(kind.endswith(_CAUSAL) for kind in kinds):
        raise BackendProblem(
            f"{path} is {', '.join(kinds) or 'no model'}, which does not write text from left to right",
            "use a causal language model (its architecture ends in ForCausalLM)",
        )
    return dict(config)


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
    if (path / "adapter_config.json").is_file():
        raise BackendProblem(f"{path} is a LoRA adapter, not a language model", "name the base that it was trained for")
    raise BackendProblem(
        f"{path} holds neither safetensors weights nor a GGUF file", "name the folder or the file of a model"
    )


def _identity(described: Sequence[Path], files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in described:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    for file in files:
        size = file.stat().st_size
        digest.update(size.to_bytes(8, "big"))
        with file.open("rb") as stream:
            for part in range(16):
                stream.seek(max(0, (size - _SAMPLE) * part // 15))
                digest.update(stream.read(_SAMPLE))
    return digest.hexdigest()
