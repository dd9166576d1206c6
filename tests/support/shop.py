"""A repository of five modules that each load and save one kind of thing, in the same words."""

from pathlib import Path

from tests.support.repositories import git

LOADERS = '''"""Reading {name}s."""

import json


def load_{name}(path):
    """Return the {name} that is kept in a file."""
    with open(path, encoding="utf-8") as source:
        return json.load(source)


def save_{name}(path, {name}):
    """Keep a {name} in a file."""
    with open(path, "w", encoding="utf-8") as target:
        json.dump({name}, target, indent=2, ensure_ascii=False)
'''
NAMES = ("order", "invoice", "customer", "parcel", "refund")
# A new module in the same words, up to the cursor.
TYPED = "import json\n\n\ndef load_voucher(path):\n    with open(path, "


def shop(path: Path, *, history: bool = True) -> Path:
    """Make it at ``path``: one commit a module, or no repository at all."""
    path.mkdir()
    if history:
        git(path, "init", "-q")
    for name in NAMES:
        (path / f"{name}s.py").write_text(LOADERS.format(name=name))
        if history:
            git(path, "add", ".")
            git(path, "commit", "-q", "-m", f"Keep {name}s")
    return path
