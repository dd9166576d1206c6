"""Refuses idioms that a first-time reader has to decode, in texts, comments, docstrings and messages.

``python scripts/check_words.py`` lists each hit with the words to use instead, and ends with 1 if there is one;
``--count`` prints how many there are in each folder. Phrases are found across line breaks, comment signs and joined
strings. In the log of experiments only the newest entry is read, and the list of words in CONTRIBUTING.md is left out.
"""

import argparse
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
SUFFIXES: Final = (".py", ".ts", ".mjs", ".lua", ".md", ".txt", ".toml", ".json", ".vim", ".sh", ".yml")
LEFT_OUT: Final = (
    "scripts/check_words.py",
    "tests/test_texts.py",
    "benchmarks/results/",
    "tests/fixtures/",
    "package-lock.json",
    "/data/",
)

WORDS: Final = {
    "unasked": "automatically",
    "anew": "again, from scratch",
    "gr[ea]y text": "ghost text",
    "duets?": "hybrid engine",
    "copiers?": "retrieval engine",
    "(what|the one that|(version|adapter) that) serves": "the current adapter, the served model",
    "(came|comes|become|becomes|became) of (it|its?|them|that|this|the)": "result, outcome",
    "(is|are|was|were|be|been) told(?! to| what to)": "is reported, receives",
    "told (apart|from)": "distinguished",
    "beside": "with, next to, in addition to",
    "scenes?": "cursor context",
    "manners": "display rules",
    "nobody's": "say it directly",
    "as good as none": "say it directly",
    "(in|of) so many": "one in N",
    "ask(s|ed)? (for (it )?)?by hand": "invoke, invoked",
}
GAP: Final = r"(?:[\s\"'#/*]|--|\bf(?=\"))+"
"""What may stand between two words of a phrase where a text is wrapped."""

PATTERN: Final = re.compile(
    "|".join(rf"(?P<w{n}>(?<![\w-])(?:{words.replace(' ', GAP)})(?![\w+-]))" for n, words in enumerate(WORDS)),
    re.IGNORECASE,
)


def files() -> list[str]:
    """The texts that git keeps, as paths from the root."""
    found = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return [path for path in found if path.endswith(SUFFIXES) and not any(part in path for part in LEFT_OUT)]


def readable(path: str) -> str:
    """The part of a file that is checked; what is left out becomes blank lines."""
    text = (ROOT / path).read_text("utf-8")
    if path == "docs/log.md":
        entries = [match.start() for match in re.finditer(r"^## ", text, re.MULTILINE)]
        return text[: entries[1]] if len(entries) > 1 else text
    if path == "CONTRIBUTING.md":
        return re.sub(
            r"^\| not \| but \|\n(\|.*\n)+", lambda match: "\n" * match[0].count("\n"), text, flags=re.MULTILINE
        )
    return text


def hits(path: str) -> Iterator[tuple[int, str, str]]:
    """Line, words found and words to use instead."""
    text = readable(path)
    for match in PATTERN.finditer(text):
        number = int(str(match.lastgroup)[1:]) if match.lastgroup else 0
        found = re.sub(GAP, " ", match[0])
        yield text.count("\n", 0, match.start()) + 1, found, list(WORDS.values())[number]


def area(path: str) -> str:
    """The folder that a file is counted under."""
    return "/".join(Path(path).parent.parts[:2]) or "."


def main() -> int:
    """List hits or counts; 1 if there is a hit."""
    parser = argparse.ArgumentParser(description="Find idioms that a first-time reader has to decode.")
    parser.add_argument("--count", action="store_true", help="Print the number of hits in each folder.")
    counts: Counter[str] = Counter()
    listing = not parser.parse_args().count
    for path in files():
        for line, found, instead in hits(path):
            counts[area(path)] += 1
            if listing:
                print(f"{path}:{line}: {found!r}; say {instead}")
    for name, count in sorted(counts.items()) if not listing else []:
        print(f"{count:5d}  {name}")
    print(f"{counts.total()} hits" if counts else "no hits")
    return 1 if counts else 0


if __name__ == "__main__":
    sys.exit(main())
