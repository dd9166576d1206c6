"""The format of the adapter registry, and its reader: find the current version and verify every byte of it.

    <registry>/versions/<n>/manifest.json          n counts from 1; a version is never changed
    <registry>/versions/<n>/adapter_config.json    as peft writes it
    <registry>/versions/<n>/adapter_model.safetensors
    <registry>/versions/<n>/seen.json              the files that the training saw: hashes of paths, and blob ids
    <registry>/current                             the number, or nothing; renamed into place
    <registry>/history.json                        what was added, promoted, rolled back and deleted, oldest first
    <registry>/LOCK                                one writer at a time

manifest.json: ``{"format": 1, "version": n, "base": {"name", "identity"}, "prompt": {"format", "spec"},
"files": {name: {"size", "sha256"}}, "commits": {"newest": id, ...}, ...}``; ``newest`` is the newest commit that
training, or the choice to promote, has seen. Other keys (metrics, hardware) are for reports.
``adapter_registry_writer`` writes all of it. Nothing is loaded from a version before the whole version is verified.

A plain folder as peft writes it (the two ``adapter_`` files, no manifest) can be read too: a candidate that is judged
before it becomes a version. It is checked against the base's shapes; its bytes cannot be verified.
"""

import hashlib
import json
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from indexer.prompt.renderer import renders_alike
from lsp_server.errors import BackendProblem
from lsp_server.weights.safetensors_header import TensorInfo, read_header

FORMAT: Final = 1
VERSIONS: Final = "versions"
WEIGHTS: Final = "adapter_model.safetensors"
CONFIG: Final = "adapter_config.json"
MANIFEST: Final = "manifest.json"
SEEN: Final = "seen.json"
CURRENT: Final = "current"
HISTORY: Final = "history.json"
MAX_RANK: Final = 512
_MAX_JSON: Final = 4_000_000
_LORA = re.compile(r"^(?:base_model\.model\.)?(?P<module>[\w.]+)\.lora_(?P<side>[AB])(?:\.default)?\.weight$")


@dataclass(frozen=True, slots=True)
class AdapterVersion:
    """A verified version, or a plain folder.

    :param number: of the version; 0 for a plain folder, whose ``manifest`` is empty.
    :param pairs: module name in the base -> names of its A and B tensors in the file.
    :param scale: factor of the product B·A.
    """

    number: int
    path: Path
    manifest: Mapping[str, Any]
    pairs: Mapping[str, tuple[str, str]]
    scale: float

    @property
    def label(self) -> str:
        """The version's number, or the folder's name."""
        return str(self.number) if self.number else self.path.name

    @property
    def weights(self) -> Path:
        """The adapter's safetensors file."""
        return self.path / WEIGHTS


def version_folder(registry: Path, number: int) -> Path:
    """Where a version is."""
    return registry / VERSIONS / str(number)


def current_number(registry: Path) -> int | None:
    """The version that ``current`` names; None without a registry or a promoted version.

    :raises BackendProblem: the pointer holds no number.
    """
    try:
        text = (registry / CURRENT).read_text(encoding="ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise _refused("current", f"the pointer cannot be read ({type(error).__name__})") from error
    if not text:
        return None
    if not re.fullmatch(r"[1-9]\d{0,8}", text):
        raise _refused("current", "the pointer names no version")
    return int(text)


def read_version(
    registry: Path, number: int, base: str, spec: str, tensors: Mapping[str, TensorInfo]
) -> AdapterVersion:
    """Verify a version against a base.

    :param base: identity of the base that is loaded (``ModelFolder.identity``).
    :param spec: name of the prompt spec in use.
    :param tensors: headers of the base's weights, for names and shapes.
    :raises BackendProblem: it does not agree with its manifest, the base or the format.
    """
    folder = version_folder(registry, number)
    label = f"adapter version {number}"
    manifest = _json(folder / MANIFEST, label)
    if manifest.get("format") != FORMAT or manifest.get("version") != number:
        raise _refused(label, "its manifest is of another format or version")
    if _field(manifest, "base", "identity") != base:
        raise _refused(label, f"it was trained on another base ({_field(manifest, 'base', 'name')})")
    if _field(manifest, "prompt", "spec") != spec or not renders_alike(_field(manifest, "prompt", "format"), spec):
        raise _refused(label, "it was trained with another prompt format")
    _check_files(folder, manifest, label)
    return AdapterVersion(number, folder, manifest, *_plain_lora(folder, tensors, label))


def read_folder(folder: Path, tensors: Mapping[str, TensorInfo]) -> AdapterVersion:
    """Read an adapter in a plain folder, as peft writes it.

    :param tensors: headers of the base's weights, for names and shapes.
    :raises BackendProblem: it is no plain LoRA adapter, or does not fit the base.
    """
    return AdapterVersion(0, folder, {}, *_plain_lora(folder, tensors, f"the adapter in {folder}"))


def _plain_lora(
    folder: Path, tensors: Mapping[str, TensorInfo], label: str
) -> tuple[dict[str, tuple[str, str]], float]:
    """The pairs of matrices, and the scale of their products."""
    rank, scale = _rank_and_scale(_json(folder / CONFIG, label), label)
    return _pairs(read_header(folder / WEIGHTS), tensors, rank, label), scale


def _check_files(folder: Path, manifest: Mapping[str, Any], label: str) -> None:
    files = manifest.get("files")
    if not isinstance(files, dict) or not {WEIGHTS, CONFIG} <= set(files):
        raise _refused(label, "its manifest lists no files")
    for name, entry in files.items():
        if not re.fullmatch(r"[\w.-]{1,80}", name) or name.startswith("."):
            raise _refused(label, "its manifest names a file outside the version")
        path = folder / name
        try:
            info = path.lstat()
        except OSError:
            raise _refused(label, f"{name} is missing") from None
        if not stat.S_ISREG(info.st_mode) or folder.is_symlink():
            raise _refused(label, f"{name} is not a plain file")
        if not isinstance(entry, dict) or info.st_size != entry.get("size") or _sha256(path) != entry.get("sha256"):
            raise _refused(label, f"{name} is not what the manifest describes")


def _rank_and_scale(config: Mapping[str, Any], label: str) -> tuple[int, float]:
    rank, alpha = config.get("r"), config.get("lora_alpha")
    plain = (
        config.get("peft_type") == "LORA"
        and config.get("bias", "none") == "none"
        and not any(
            config.get(k)
            for k in ("use_dora", "fan_in_fan_out", "modules_to_save", "rank_pattern", "alpha_pattern", "lora_bias")
        )
    )
    if not plain or not isinstance(rank, int) or not isinstance(alpha, int | float) or isinstance(rank, bool):
        raise _refused(label, "it is not a plain LoRA adapter")
    if not 1 <= rank <= MAX_RANK or not 0 < alpha <= 64 * rank:
        raise _refused(label, f"its rank {rank} or its alpha {alpha} is out of bounds")
    return rank, float(alpha) / (rank**0.5 if config.get("use_rslora") else rank)


def _pairs(
    header: Mapping[str, TensorInfo], tensors: Mapping[str, TensorInfo], rank: int, label: str
) -> dict[str, tuple[str, str]]:
    sides: dict[str, dict[str, str]] = {}
    for name, info in header.items():
        match = _LORA.match(name)
        if match is None or info.dtype not in ("F32", "BF16", "F16"):
            raise _refused(label, f"it holds a tensor that is no part of an adapter ({name[:80]!r})")
        sides.setdefault(match["module"], {})[match["side"]] = name
    for module, names in sides.items():
        base = tensors.get(f"{module}.weight")
        if base is None or len(base.shape) != 2 or set(names) != {"A", "B"}:
            raise _refused(label, f"the base has no matrix for {module[:80]!r}")
        expected = (rank, base.shape[1]), (base.shape[0], rank)
        if (header[names["A"]].shape, header[names["B"]].shape) != expected:
            raise _refused(label, f"{module[:80]!r} has another shape than the base")
    if not sides:
        raise _refused(label, "it holds no weights")
    return {module: (names["A"], names["B"]) for module, names in sides.items()}


def _json(path: Path, label: str) -> dict[str, Any]:
    try:
        if path.is_symlink() or path.stat().st_size > _MAX_JSON:
            raise _refused(label, f"{path.name} is no plain small file")
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _refused(label, f"{path.name} cannot be read ({type(error).__name__})") from error
    if not isinstance(value, dict):
        raise _refused(label, f"{path.name} is not an object")
    return value


def _field(manifest: Mapping[str, Any], group: str, key: str) -> Any:
    value = manifest.get(group)
    return value.get(key) if isinstance(value, dict) else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def broken_numbers(version: AdapterVersion) -> BackendProblem:
    """The problem of an adapter that holds NaN or infinite numbers."""
    return _refused(f"adapter version {version.label}", "it holds NaN or infinite numbers")


def _refused(label: str, why: str) -> BackendProblem:
    return BackendProblem(f"{label} is refused: {why}", "promote another version, or train again")
