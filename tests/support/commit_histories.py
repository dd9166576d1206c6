"""Small repositories with histories, made for the tests of the replay."""

import json
import random
from pathlib import Path
from typing import Any

from tests.support import console, repositories

NOUNS = "walrus heron badger otter lynx gannet marten stoat pipit dunnock".split()
VERBS = "feed count weigh release track tag".split()


def function(rng: random.Random, number: int) -> str:
    """A function that looks like the others, with names of its own."""
    noun, verb = rng.choice(NOUNS), rng.choice(VERBS)
    return (
        f"\n\ndef {verb}_{noun}_{number}(store, limit):\n"
        f'    found = store.select("{noun}", limit=limit)\n'
        f"    if not found:\n"
        f'        raise LookupError(f"no {noun} in {{store.name}}")\n'
        f"    for one in found:\n"
        f'        store.{verb}(one, reason="{noun}_{number}")\n'
        f"    return len(found)\n"
    )


def commit(root: Path, files: dict[str, str | bytes], message: str = "more") -> str:
    """Writes files and commits everything; returns the commit's id."""
    repositories.write(root, files)
    repositories.git(root, "add", "-A")
    repositories.git(root, "commit", "-q", "-m", message)
    return repositories.git(root, "rev-parse", "HEAD").strip()


def growing(root: Path, commits: int, seed: int = 1, files: int = 4) -> Path:
    """A repository whose commits each add functions to some modules; function numbers tell the commit."""
    rng = random.Random(seed)
    texts = {f"src/area{n % 2}/module_{n}.py": f'"""Module {n}."""\n' for n in range(files)}
    for path in texts:
        texts[path] += function(rng, 0) + function(rng, 0)
    repositories.repository(root, dict(texts))
    for number in range(1, commits + 1):
        for path in rng.sample(sorted(texts), 2):
            texts[path] += function(rng, number)
        commit(root, dict(texts), f"commit {number}")
    return root


def evaluate(root: Path, data: Path, *options: str | Path) -> Any:
    """The real command."""
    return console.run("eval", root, *options, data=data)


def report(root: Path, data: Path, *options: str | Path) -> dict[str, Any]:
    """Its report."""
    done = evaluate(root, data, "--json", *options)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)
