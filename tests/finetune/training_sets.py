"""Small sets and bases for the tests of training, and a program that trains, to be killed.

python tests/finetune/training_sets.py BASE SET OUT JSON-OPTIONS
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from finetune.dataset import Manifest  # noqa: E402
from finetune.dataset_shards import TRAIN, VALIDATION, Shards, write_manifest  # noqa: E402
from finetune.training import TrainingOptions, train  # noqa: E402
from indexer.fim import PROMPT_FORMAT, PromptInput, Renderer  # noqa: E402
from lsp_server.backends.model_folder import open_folder  # noqa: E402

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
        commits=1, samples=count, tokens=0, left_out={}, languages={}, sha256=digest, paths={}, until="0" * 40,
        base=folder.identity, prompt={"format": PROMPT_FORMAT, "spec": folder.spec.name}, validation=validation,
        files=shards.files,
    )  # fmt: skip
    write_manifest(out, manifest.to_json())
    return out


def main() -> None:
    """Trains, and prints the result as JSON."""
    base, dataset, out = map(Path, sys.argv[1:4])
    result = train(
        base, dataset, out, TrainingOptions(**json.loads(sys.argv[4])),
        progress=lambda told: print(f"step {told.step}", file=sys.stderr, flush=True),
    )  # fmt: skip
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
