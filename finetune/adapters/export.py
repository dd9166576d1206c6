"""Exports a base, or a base with an adapter merged into it, as safetensors or GGUF files.

A folder is written under another name and renamed when all its files are checked, so an export is complete or absent.
Merging and writing need numpy and ``gguf``; quantising and checking need ``llama-cpp-python``; comparing logits needs
torch.
"""

import ctypes
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from indexer.errors import UserError
from lsp_server.backends.llamacpp_backend import LlamaCppModel, library
from lsp_server.weights.adapter_registry import AdapterVersion
from lsp_server.weights.base_model import ModelFolder
from lsp_server.weights.gguf_writer import read_tensors, write_adapter, write_model
from lsp_server.weights.safetensors_header import read_header

KINDS: Final = ("f16", "q8_0", "q4_k_m")
"""Formats of a GGUF file; f16 is not quantised."""

_FILE_TYPES = {"q8_0": "LLAMA_FTYPE_MOSTLY_Q8_0", "q4_k_m": "LLAMA_FTYPE_MOSTLY_Q4_K_M"}
_SENSITIVE = (b"ffn_down", b"attn_v")
_SMALL_BYTES = 200_000_000
"""If the 16-bit file is smaller, an 8-bit file keeps these matrices at 16 bits; embedding and output always stay so.
Of 181 greedy texts of the small LLaMA, up to 48 tokens long, 162 were the same with everything at 8 bits, 168 with
embedding and output at 16 bits, 174 with these matrices too. Where texts differed, the likelier token had led by 0.08
nats at most, in the median by 0.03. The time for a token was the same; a large model would take a fifth longer."""

_LEAST_SHARE = {"q8_0": 0.9, "q4_k_m": 0.5}
"""Minimum share of positions with the same likeliest token. 8 bits change 0 to 1 % of them in a trained model, 4 bits a
few per cent; with random weights, whose logits are all close, 5 and 40 %."""

_COPIED = ("config.json", "tokenizer.json", "tokenizer_config.json")
_PARITY_TEXTS: Final = (
    "def f(x):\n    return x + 1\n",
    "for (int i = 0; i < n; i++) {\n\t\tsum += a[i];\n\n\n}\n",
    "  # 한국어 주석, naïve café, 数字 12345 <|fim_middle|> 'don't' \r\n",
    "\tif (x!=y)   {return  0x1F;}   \n\n  \n",
)


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of checking a GGUF file.

    :param tokenizer_parity: number of texts with the ids of the folder's tokenizer, and number of texts.
    :param worst_logit: largest difference of a logit from the 16-bit file's; None for that file itself.
    :param same_choice: share of positions where the likeliest token is that of the 16-bit file.
    """

    file: str
    size: int
    tokenizer_parity: tuple[int, int]
    worst_logit: float | None
    same_choice: float


def export_safetensors(folder: ModelFolder, out: Path, adapter: AdapterVersion | None = None) -> None:
    """Write the model, with an adapter merged in, as a folder that any tool for safetensors reads.

    :raises UserError: ``out`` exists, or the adapter holds NaN.
    """
    with _aside(out) as work:
        target = work / "model.safetensors"
        _merge(folder, adapter, target)
        _copy_settings(folder, work, adapter)


def export_gguf(
    folder: ModelFolder,
    out: Path,
    adapter: AdapterVersion | None = None,
    kinds: Sequence[str] = ("q8_0", "q4_k_m"),
) -> list[Checked]:
    """Write GGUF files with config and tokenizer: a folder for ``ondol serve --backend local --base``.

    :raises UserError: ``out`` exists, a kind is unknown, or a file does not pass its check.
    """
    unknown = [k for k in kinds if k not in KINDS]
    if unknown or not kinds:
        raise UserError(f"{', '.join(unknown) or 'nothing'} is no kind of GGUF file", f"use {', '.join(KINDS)}")
    with _aside(out) as work:
        name = folder.name + (f"-{adapter.label}" if adapter else "")
        half = work / f"{name}.f16.gguf"
        write_model(folder, half, adapter)
        files = [half if kind == "f16" else _quantise(half, work / f"{name}.{kind}.gguf", kind) for kind in kinds]
        _copy_settings(folder, work, adapter)
        report = check(folder, half, files)
        if "f16" not in kinds:
            half.unlink()
        (work / "export.json").write_text(json.dumps([asdict(c) for c in report], indent=2) + "\n")
    return report


def export_adapter(folder: ModelFolder, out: Path, adapter: AdapterVersion) -> list[Checked]:
    """Write an adapter alone as a GGUF file, which llama.cpp attaches to a GGUF file of the same base.

    Attached to the 16-bit base, it must choose the same tokens as the merged 16-bit model.

    :raises UserError: ``out`` exists, or the attached adapter chooses other tokens.
    """
    with _aside(out) as work:
        file = work / f"{folder.name}-{adapter.number}.lora.gguf"
        write_adapter(folder.config, adapter, file)
        base, merged = work / "base.f16.gguf", work / "merged.f16.gguf"
        write_model(folder, base)
        write_model(folder, merged, adapter)
        worst, same = 0.0, []
        for text in _PARITY_TEXTS:
            ids = folder.vocabulary.encode(text)[:200]
            got, wanted = _logits(base, ids, file), _logits(merged, ids)
            worst = max(worst, float(np.abs(got - wanted).max()))
            same += (got.argmax(1) == wanted.argmax(1)).tolist()
        share = sum(same) / max(1, len(same))
        if share < _LEAST_SHARE["q8_0"]:
            raise UserError(
                f"attached, the adapter chooses other tokens at {1 - share:.0%} of places", "export the merged model"
            )
        base.unlink()
        merged.unlink()
        report = [Checked(file.name, file.stat().st_size, (len(_PARITY_TEXTS), len(_PARITY_TEXTS)), worst, share)]
        (work / "export.json").write_text(json.dumps([asdict(c) for c in report], indent=2) + "\n")
    return report


def check(folder: ModelFolder, reference: Path, files: Iterable[Path]) -> list[Checked]:
    """Compare files with the 16-bit reference and the folder's tokenizer.

    :raises UserError: a tokenizer disagrees, or more choices have changed than such a file may change.
    """
    samples = [folder.vocabulary.encode(text)[:200] for text in _PARITY_TEXTS]
    expected = [_logits(reference, ids) for ids in samples]
    out, count = [], len(_PARITY_TEXTS)
    for file in files:
        agreed = _parity(file, folder)
        if agreed < count:
            raise UserError(
                f"llama.cpp tokenizes {count - agreed} of {count} texts differently than {folder.name}",
                "serve the safetensors instead",
            )
        worst, same = 0.0, []
        for ids, wanted in zip(samples, expected, strict=True):
            got = wanted if file == reference else _logits(file, ids)
            worst = max(worst, float(np.abs(got - wanted).max()))
            same += (got.argmax(1) == wanted.argmax(1)).tolist()
        share = sum(same) / max(1, len(same))
        if share < _LEAST_SHARE.get(kind_of(file), 0.95):
            raise UserError(f"{file.name} chooses other tokens at {1 - share:.0%} of positions", "use a larger kind")
        reference_itself = file == reference
        out.append(Checked(file.name, file.stat().st_size, (agreed, count), None if reference_itself else worst, share))
    return out


def kind_of(file: Path) -> str:
    """Return the kind in an exported file's name: ``base.q8_0.gguf`` is ``q8_0``."""
    return file.stem.rpartition(".")[2]


def _quantise(source: Path, target: Path, kind: str) -> Path:
    c = library()
    parameters = c.llama_model_quantize_default_params()
    parameters.ftype = getattr(c, _FILE_TYPES[kind])
    parameters.nthread = max(1, (os.cpu_count() or 2) - 1)
    if kind == "q8_0":
        parameters.token_embedding_type = parameters.output_tensor_type = c.GGML_TYPE_F16
        if source.stat().st_size < _SMALL_BYTES:
            ends = c.llama_model_tensor_override()
            kept = [c.llama_model_tensor_override(name, c.GGML_TYPE_F16) for name in _SENSITIVE]
            parameters.tt_overrides = (c.llama_model_tensor_override * (len(kept) + 1))(*kept, ends)
    status = c.llama_model_quantize(os.fsencode(source), os.fsencode(target), ctypes.byref(parameters))
    if status or not target.is_file():
        raise UserError(f"llama.cpp could not write {kind} ({status})", "export f16 or q8_0 instead")
    return target


def _parity(file: Path, folder: ModelFolder) -> int:
    """Return the number of ``_PARITY_TEXTS`` for which llama.cpp's tokenizer gives the folder's ids."""
    c = library()
    options = c.llama_model_default_params()
    options.vocab_only = True
    model = c.llama_model_load_from_file(os.fsencode(file), options)
    if not model:
        raise UserError(f"{file.name} cannot be loaded by llama.cpp", "report this with the model's name")
    try:
        vocabulary = c.llama_model_get_vocab(model)
        agreed = 0
        for text in _PARITY_TEXTS:
            raw = text.encode()
            room = (c.llama_token * (len(raw) + 8))()
            count = c.llama_tokenize(vocabulary, raw, len(raw), room, len(room), False, False)
            agreed += list(room[: max(count, 0)]) == folder.vocabulary.encode(text)
        return agreed
    finally:
        c.llama_model_free(model)


def _logits(file: Path, ids: Sequence[int], adapter: Path | None = None) -> NDArray[np.float32]:
    """Return the logits of a text, of shape (positions, vocabulary)."""
    model = LlamaCppModel(file, max(64, len(ids) + 8))
    try:
        if adapter is not None:
            model.set_adapter(adapter)
        return model.logits(ids)
    finally:
        model.close()


def _merge(folder: ModelFolder, adapter: AdapterVersion | None, out: Path) -> None:
    """Write all tensors of a folder to one file, with the adapter added, in the number format of the base."""
    if not folder.weights:
        raise UserError(f"{folder.name} holds GGUF only", "export from the safetensors of the base")
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, info in folder.tensors.items():
        size = info.end - info.begin
        header[name] = {"dtype": info.dtype, "shape": list(info.shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    factors = dict(read_tensors((adapter.weights,))) if adapter else {}
    pairs = adapter.pairs if adapter else {}
    with out.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for source in folder.weights:
            tensors = read_header(source)
            start = source.stat().st_size - max((t.end for t in tensors.values()), default=0)
            for name, info in tensors.items():
                module = name.removesuffix(".weight")
                with source.open("rb") as stream:
                    stream.seek(start + info.begin)
                    raw = stream.read(info.end - info.begin)
                if adapter and module in pairs and name.endswith(".weight"):
                    a, b = (factors[n] for n in pairs[module])
                    raw = _added(raw, info.dtype, (b @ a) * np.float32(adapter.scale), adapter.label)
                file.write(raw)
        file.flush()
        os.fsync(file.fileno())


def _added(raw: bytes, dtype: str, delta: NDArray[np.float32], label: str) -> bytes:
    """Return a matrix plus ``delta`` in the matrix's format; bfloat16 is rounded to nearest, ties to even."""
    if dtype == "BF16":
        weight = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
    elif dtype in ("F32", "F16"):
        weight = np.frombuffer(raw, "<f4" if dtype == "F32" else "<f2").astype(np.float32)
    else:
        raise UserError(f"weights of type {dtype} cannot be merged", "use a base in bfloat16, float16 or float32")
    total = weight + delta.reshape(-1)
    if not np.isfinite(total).all():
        raise UserError(f"adapter version {label} holds NaN or infinite numbers", "promote another version")
    if dtype == "BF16":
        bits = total.view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()
    return total.astype("<f4" if dtype == "F32" else "<f2").tobytes()


def _copy_settings(folder: ModelFolder, work: Path, adapter: AdapterVersion | None) -> None:
    """Copy config and tokenizer; the config names the base's identity, so that its adapters still fit."""
    for name in _COPIED:
        if (folder.path / name).is_file():
            shutil.copyfile(folder.path / name, work / name)
    config = dict(folder.config) | {"ondol_base_identity": folder.identity}
    if adapter is not None:
        config |= {"ondol_merged_adapter": adapter.label}
        del config["ondol_base_identity"]  # no adapter fits a model that already holds one
    (work / "config.json").write_text(json.dumps(config, indent=2) + "\n")


@contextmanager
def _aside(out: Path) -> Iterator[Path]:
    """Yield a temporary folder that is renamed to ``out`` if the block ends without an error."""
    if out.exists():
        raise UserError(f"{out} exists already", "name another folder, or remove it")
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        yield work
        work.rename(out)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
