"""The pages of the documentation and the commands in them."""

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_FOLDERS: Final = ("editors/*", "benchmarks", "scripts")
PAGES: Final = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(page for folder in _FOLDERS for page in ROOT.glob(f"{folder}/README.md")),
    ]
)


def quoted_commands(page: Path) -> list[str]:
    """What follows the word ``ondol`` in blocks of code and in code within a sentence."""
    text = page.read_text("utf-8")
    found = re.findall(r"`ondol ([a-z][^`\n]*)`", text)
    for block in re.findall(r"^```.*?^```", text, re.DOTALL | re.MULTILINE):
        joined = re.sub(r"\\\n\s*", "", block)
        found += re.findall(r"(?:^|[ /])ondol ([a-z][^\n#;&|]*)", joined, re.MULTILINE)
    return found
