"""Small sets for the tests of training."""

from pathlib import Path
from typing import Any

from finetune.dataset.build import Manifest
from finetune.dataset.shards import TRAIN, VALIDATION, Shards, write_manifest
from indexer.prompt.renderer import PROMPT_FORMAT, PromptInput, Renderer
from lsp_server.weights.base_model import open_folder

ANIMALS = "walrus heron badger otter lynx gannet marten stoat".split()


def made_set(base: Path, out: Path, count: int = 48, validation: int = 4) -> Path:
    """A set of short middles and documents that can be learnt: every animal's reason is its number."""
    folder = open_folder(base)
    renderer = Renderer(folder.spec, folder.vocabulary, 200)
    shards = Shards(out)
    for number in range(count + validation):
        animal = ANIMALS[number % len(ANIMALS)]
        prefix, middle, suffix = f"def feed_{animal}(fish):\n    ", f'return "{animal}"', f"\n\n# {number}\n"
        if number % 4 == 3:
            ids = renderer.document(f"{animal}.py", prefix + middle + suffix, whole=True)
            sample: dict[str, Any] = {"ids": ids, "weights": [[len(ids), 0.1]], "kind": "document"}
        else:
            ids, target = renderer.training(PromptInput(f"{animal}.py", prefix, suffix), middle)
            sample = {"ids": ids, "weights": [[target, 0.0], [len(ids) - target, 1.0]], "kind": "typed"}
        shards.add(TRAIN if number < count else VALIDATION, sample)
    digest = shards.finish()
    manifest = Manifest(
        commits=1,
        samples=count,
        tokens=0,
        left_out={},
        languages={},
        sha256=digest,
        paths={},
        until="0" * 40,
        base=folder.identity,
        prompt={"format": PROMPT_FORMAT, "spec": folder.spec.name},
        validation=validation,
        files=shards.files,
    )
    write_manifest(out, manifest.to_json())
    return out
