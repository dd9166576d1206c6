"""Makes a base that knows fill-in-the-middle out of one that does not: its tokens, their rows, and the merged LoRA.

The new base is a folder of its own, so nothing about the old one changes. It uses the prompt format ``small-llama``,
whose suffix stands before the prefix, so that a keystroke extends the cached prompt.
"""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from indexer import fsio
from indexer.errors import UserError
from indexer.prompt.formats import LEFT_TO_RIGHT, spec_named
from lsp_server.weights.adapter_registry import read_folder
from lsp_server.weights.base_model import ModelFolder, open_folder

FORMAT: Final = "small-llama"
"""The prompt format that is taught."""

INPUT: Final = "model.embed_tokens.weight"
OUTPUT: Final = "lm_head.weight"
"""The matrices with one row for each token; a base whose output is tied to its input has only the first."""

_WORDS: Final = re.compile(r"prefix|suffix|middle|file|sep|end")
_COPIED: Final = ("tokenizer_config.json", "generation_config.json", "special_tokens_map.json")


def with_new_tokens(base: ModelFolder, out: Path) -> tuple[int, ...]:
    """Write a copy of a base with the control tokens of :data:`FORMAT`; return the ids whose rows are to be trained.

    These are the tokens that were added and those that the base had by the same name without this format. A new row
    starts as the mean of the rows of its name's words, so ``<|fim_suffix|>`` begins as "suffix".

    :raises UserError: the base fills middles already, or holds no safetensors weights.
    """
    if base.spec is not LEFT_TO_RIGHT:
        raise UserError(f"{base.name} fills middles already ({base.spec.name})", "train it without --teach-fim")
    if not base.weights:
        raise UserError(f"{base.name} holds no safetensors weights, which training needs", "name the base's own folder")
    fsio.remove_tree(out)
    fsio.make_directories(out)
    spec = spec_named(FORMAT)
    tokenizer = json.loads((base.path / "tokenizer.json").read_text("utf-8"))
    first = max(base.vocabulary.size, int(base.config["vocab_size"]))
    missing = [name for name in (*spec.controls, spec.end) if base.vocabulary.control(name) is None]
    added = tuple(range(first, first + len(missing)))
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    new = [{"id": number, "content": name, **plain} for number, name in zip(added, missing, strict=True)]
    tokenizer["added_tokens"] = [*(tokenizer.get("added_tokens") or []), *new]
    config = {**base.config, "vocab_size": first + len(missing), "ondol_prompt_spec": FORMAT}
    fsio.replace_file(out / "tokenizer.json", json.dumps(tokenizer, ensure_ascii=False).encode())
    fsio.replace_file(out / "config.json", json.dumps(config, indent=2).encode())
    for name in _COPIED:
        if (base.path / name).is_file():
            shutil.copyfile(base.path / name, out / name)
    like = [base.vocabulary.encode(" ".join(_WORDS.findall(name))) for name in missing]
    _rewrite(base.path, out, {name: _longer(first, like) for name in (INPUT, OUTPUT)})
    known = [base.vocabulary.control(name) for name in spec.controls]
    return (*sorted(one for one in known if one is not None), *added)


def finished(taught: Path, trained: Path, rows: Mapping[str, Any], tokens: Sequence[int], out: Path) -> None:
    """Write the taught base: the trained rows put into it, the trained adapter merged into its matrices.

    :param taught: the folder of :func:`with_new_tokens`. :param trained: folder of the adapter.
    :param rows: name of a matrix -> its rows of these ``tokens``.
    """
    import torch
    from safetensors import safe_open

    folder = open_folder(taught)
    adapter = read_folder(trained, folder.tensors)

    def put(matrix: torch.Tensor, name: str) -> torch.Tensor:
        if name in rows:
            matrix[list(tokens)] = rows[name].to(matrix.dtype)
        return matrix

    def merged(matrix: torch.Tensor, name: str) -> torch.Tensor:
        module = name.removesuffix(".weight")
        if module not in adapter.pairs:
            return put(matrix, name)
        with safe_open(adapter.weights, "pt") as file:
            a, b = (file.get_tensor(one).float() for one in adapter.pairs[module])
        return (matrix.float() + (b @ a) * adapter.scale).to(matrix.dtype)

    fsio.remove_tree(out)
    fsio.make_directories(out)
    for name in ("tokenizer.json", "config.json", *_COPIED):
        if (taught / name).is_file():
            shutil.copyfile(taught / name, out / name)
    _rewrite(taught, out, dict.fromkeys(folder.tensors, merged))


def _longer(first: int, like: Sequence[Sequence[int]]) -> Any:
    """Return a change that gives a matrix one row for each of ``like``, from row ``first`` on.

    A row of a token that the matrix lacks is the mean of all: a row of zeros could be likelier than any other.
    """

    def grown(matrix: Any, name: str) -> Any:
        import torch

        rows = [matrix[list(tokens)].float().mean(dim=0, keepdim=True) for tokens in like]
        unused = matrix.float().mean(dim=0, keepdim=True).expand(first - len(matrix), -1)
        return torch.cat([matrix, *(part.to(matrix.dtype) for part in (unused, *rows))])

    return grown


def _rewrite(source: Path, out: Path, changes: Mapping[str, Any]) -> None:
    """Copy the weight files of a folder with some tensors changed, one file in memory at a time."""
    from safetensors.torch import load_file, save_file

    index = source / "model.safetensors.index.json"
    if index.is_file():
        shutil.copyfile(index, out / index.name)
    for file in sorted(source.glob("*.safetensors")):
        tensors = load_file(file)
        for name in tensors.keys() & changes.keys():
            tensors[name] = changes[name](tensors[name], name).contiguous()
        save_file(tensors, out / file.name, {"format": "pt"})
