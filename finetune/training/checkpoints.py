"""Checkpoints of a training run: adapter, optimizer, schedule and random state; complete or absent, without pickle.

    <folder>/checkpoint-<step>/state.safetensors     the adapter, the optimizer's moments, torch's random state
    <folder>/checkpoint-<step>/state.json            numbers, and the identity of the run
    <folder>/checkpoint-<step>/trainer_state.json    as transformers' Trainer reads it

A checkpoint is written under another name and then renamed. Only then is the previous one removed, so a full disk or an
interruption leaves the last complete checkpoint.
"""

import json
import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load, save

from indexer import fsio

TENSORS: Final = "state.safetensors"
NUMBERS: Final = "state.json"
TRAINER: Final = "trainer_state.json"
_NAME = re.compile(r"checkpoint-(\d+)")
_UNFINISHED = ".new"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A complete checkpoint.

    :param numbers: the numbers that ``save_checkpoint`` received.
    """

    path: Path
    step: int
    numbers: dict[str, Any]


def newest(folder: Path, run: str) -> Checkpoint | None:
    """Return the newest checkpoint of a run, or None.

    :param run: identity of the run: base, data set and options.
    """
    found = []
    for path in folder.glob("checkpoint-*"):
        match = _NAME.fullmatch(path.name)
        if match:
            try:
                numbers = json.loads((path / NUMBERS).read_text("utf-8"))
                found.append(Checkpoint(path, int(match[1]), numbers))
            except (OSError, ValueError):
                continue
    mine = [one for one in found if one.numbers.get("run") == run]
    return max(mine, key=lambda one: one.step, default=None)


def save_checkpoint(
    folder: Path, step: int, adapter: dict[str, torch.Tensor], optimizer: Any, trainer: str, numbers: dict[str, Any]
) -> None:
    """Write a checkpoint and remove the older ones.

    :param trainer: the Trainer's own state as JSON.
    :param numbers: written with it; must hold ``run``.
    :raises OSError: it could not be written; the previous checkpoint is still there.
    """
    state = optimizer.state_dict()
    tensors = {f"adapter/{name}": value for name, value in adapter.items()}
    for number, moments in state["state"].items():
        tensors |= {f"optimizer/{number}/{key}": torch.as_tensor(value).cpu() for key, value in moments.items()}
    tensors["random/torch"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random/cuda"] = torch.cuda.get_rng_state()
    version, words, gauss = random.getstate()
    groups = [{key: value for key, value in group.items() if key != "params"} for group in state["param_groups"]]
    numbers = numbers | {"groups": groups, "python_random": [version, list(words), gauss]}
    fsio.make_directories(folder)
    target = folder / f"checkpoint-{step}"
    unfinished = folder / (target.name + _UNFINISHED)
    fsio.remove_tree(unfinished)
    try:
        fsio.mkdir(unfinished)
        fsio.write_file(unfinished / TENSORS, save({name: one.contiguous() for name, one in tensors.items()}))
        fsio.write_file(unfinished / NUMBERS, json.dumps(numbers).encode())
        fsio.write_file(unfinished / TRAINER, trainer.encode())
        fsio.fsync_dir(unfinished)
        fsio.remove_tree(target)
        fsio.rename(unfinished, target)
        fsio.fsync_dir(folder)
    except OSError:
        fsio.remove_tree(unfinished)
        raise
    clear(folder, keep=target)


def clear(folder: Path, keep: Path | None = None) -> None:
    """Remove all checkpoints, finished or not, except ``keep``."""
    for path in folder.glob("checkpoint-*"):
        if path != keep:
            fsio.remove_tree(path)
    if keep is None and folder.is_dir() and not any(folder.iterdir()):
        fsio.rmdir(folder)


def adapter_of(path: Path) -> dict[str, torch.Tensor]:
    """Return the adapter's tensors of a checkpoint."""
    return _part(path, "adapter/")


def restore_optimizer(path: Path, optimizer: Any) -> None:
    """Set an optimizer's moments and rates to those of a checkpoint."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in _part(path, "optimizer/").items():
        number, _, key = name.partition("/")
        state.setdefault(int(number), {})[key] = value
    current = optimizer.state_dict()
    kept = json.loads((path / NUMBERS).read_text("utf-8"))["groups"]
    groups = [{**now, **then} for now, then in zip(current["param_groups"], kept, strict=True)]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def restore_random(path: Path) -> None:
    """Set the random state to that of a checkpoint."""
    states = _part(path, "random/")
    torch.set_rng_state(states["torch"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
    version, words, gauss = json.loads((path / NUMBERS).read_text("utf-8"))["python_random"]
    random.setstate((version, tuple(words), gauss))


def _part(path: Path, prefix: str) -> dict[str, torch.Tensor]:
    tensors = load(fsio.read(path / TENSORS))
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
