"""Repeats edits by pattern in files of public repositories over the real protocol, and counts the offers.

    python benchmarks/bench_pattern_edits.py --clones DIR [--set NAME ...] [--only WORD ...] [--show] [--out FILE]

``pattern_edits.json`` names a file of a repository at a commit, and a pattern whose places become other text. The first
places are typed key by key, as an editor reports it. After the second and each further one the next edit is asked for
where the typing ended: "elsewhere". Then the cursor goes over the lines that follow, and the next edit is asked for on
each that is not blank: "here". Right offers are accepted, others are shown and left alone. Once more two places are
typed, and then offers elsewhere are taken one after the other for as long as they are right: "followed".

An offer is right if all of it brings the file nearer to the text after the pattern. People may well want a place that
the pattern leaves out, so wrong ones are an upper bound. Nothing is downloaded; a clone is a folder OWNER+NAME.
``--show`` prints each offer that was wrong and each line that was missed, and so code of others: not for results.
"""

import argparse
import difflib
import json
import re
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from clones import environment, find
from made_on import made_on, publish

from lsp_server.commands.lsp_client import Client, edit
from lsp_server.server.index_process import console_script

CASES: Final = Path(__file__).parent / "pattern_edits.json"
TYPED: Final = 4
"""Places that are typed, at most; at least two stay."""

WALKED: Final = 400
"""Lines behind the first place over which the cursor goes."""

FOLLOWED: Final = 12
"""Offers elsewhere that are taken one after the other, at most."""

PAUSE_S: Final = 0.45
"""Longer than the pause after which an edit counts as made (``next_edits.PAUSE_S``)."""

_TOKENS: Final = re.compile(r"\w+|\s|[^\w\s]")

Hunk = tuple[int, int, list[str]]
"""Half-open range of lines, and what they become."""


def hunks(old: Sequence[str], new: Sequence[str]) -> list[Hunk]:
    """Return what makes ``new`` of ``old``, line by line where as many lines come as go."""
    found: list[Hunk] = []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "replace" and b - a == d - c:
            found += [(a + at, a + at + 1, [new[c + at]]) for at in range(b - a)]
        elif kind != "equal":
            found.append((a, b, list(new[c:d])))
    return found


def distance(old: Sequence[str], new: Sequence[str]) -> int:
    """Return how many lines of two texts are not in the other one."""
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    return sum(b - a + len(lines) for a, b, lines in hunks(old[head:], new[head:]))


def after(text: str, case: dict[str, str]) -> str:
    """Return a file after the edit; ``{n}`` of the replacement is the number of the place, from 0."""
    numbers = iter(range(len(text)))

    def replaced(match: re.Match[str]) -> str:
        number, made = next(numbers), case["replacement"]
        return match.expand(made.replace("{n}", str(number)))

    return re.sub(case["pattern"], replaced, text, flags=re.MULTILINE)


@dataclass
class Typist:
    """One file, open in the editor, and what is typed into it.

    :param lines: as the editor has them. :param wanted: as they are to become.
    """

    client: Client
    uri: str
    lines: list[str]
    wanted: list[str]
    version: int = 1
    counts: "Counter[str]" = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def send(self, first: int, start: int, last: int, end: int, text: str) -> None:
        """Replace a range, in code points."""
        self.version += 1
        columns = _utf16(self.lines[first][:start]), _utf16(self.lines[last][:end])
        self.client.change(self.uri, self.version, edit(first, columns[0], text, end=(last, columns[1])))
        made = self.lines[first][:start] + text + self.lines[last][end:]
        self.lines[first : last + 1] = made.split("\n")

    def keys(self, line: int, column: int, text: str) -> None:
        """Type characters; a line end comes with the indentation that an editor gives."""
        for key in re.findall(r"\n[ \t]*|[^\n]", text):
            self.send(line, column, line, column, key)
            line, column = (line + 1, len(key) - 1) if key[0] == "\n" else (line, column + len(key))

    def make(self, hunk: Hunk) -> int:
        """Type what a hunk changes, and return the line where that ends."""
        first, last, new = hunk
        if first == last:
            if first:
                self.keys(first - 1, len(self.lines[first - 1]), "\n" + "\n".join(new))
            else:
                self.keys(0, 0, "\n".join(new) + "\n")
            return first + len(new) - 1
        if not new:
            self.send(first, 0, last, 0, "")
            return min(first, len(self.lines) - 1)
        old = "\n".join(self.lines[first:last])
        before, behind = _TOKENS.findall(old), _TOKENS.findall("\n".join(new))
        codes = difflib.SequenceMatcher(None, before, behind, autojunk=False).get_opcodes()
        for kind, a, b, c, d in reversed(codes):
            if kind != "equal":
                start, end = _place(old, len("".join(before[:a]))), _place(old, len("".join(before[:b])))
                if start != end:
                    self.send(first + start[0], start[1], first + end[0], end[1], "")
                self.keys(first + start[0], start[1], "".join(behind[c:d]))
        return first + len(new) - 1

    def ask(self, line: int, column: int = 0) -> dict[str, Any] | None:
        """Return the next edit of this file for a cursor; None for none."""
        place = {"line": line, "character": column}
        document = {"uri": self.uri, "version": self.version}
        found = self.client.request("textDocument/copilotInlineEdit", {"textDocument": document, "position": place})
        offers = [offer for offer in found["edits"] if offer["textDocument"]["uri"] == self.uri]
        if not offers:
            return None
        self.client.notify("textDocument/didShowInlineEdit", {"item": {"command": offers[0]["command"]}})
        return dict(offers[0])

    def applied(self, offer: dict[str, Any]) -> list[str]:
        """Return the lines with an offer in them."""
        start, end = offer["range"]["start"], offer["range"]["end"]
        head = _cut(self.lines[start["line"]], start["character"])[0]
        behind = _cut(self.lines[end["line"]], end["character"])[1] if end["line"] < len(self.lines) else ""
        return self.lines[: start["line"]] + (head + offer["text"] + behind).split("\n") + self.lines[end["line"] + 1 :]

    def right(self, offer: dict[str, Any]) -> bool:
        """Whether all of an offer brings the file nearer to what is wanted."""
        made = self.applied(offer)
        size = distance(self.lines, made)
        return size > 0 and distance(self.lines, self.wanted) - distance(made, self.wanted) == size

    def accept(self, offer: dict[str, Any]) -> None:
        """Take an offer, as an editor does."""
        made = self.applied(offer)
        self.version += 1
        self.client.change(self.uri, self.version, {"range": offer["range"], "text": offer["text"]})
        self.lines = made
        self.client.command(offer["command"]["command"], *offer["command"]["arguments"])

    def count(self, what: str, line: int, offer: dict[str, Any] | None = None) -> None:
        """Count one moment, and note what would be shown for it."""
        self.counts[what] += 1
        if what.endswith(("wrong", "missed", "silent")):
            shown = "" if offer is None else "\n".join(_changed(self.lines, self.applied(offer)))
            self.notes.append(f"{what} at {line + 1}: {self.lines[line].strip()}\n{shown}")

    def type_places(self, most: int) -> int:
        """Type the first places and ask elsewhere after each but the first; return the line of the last one."""
        at = 0
        for number in range(most):
            left = hunks(self.lines, self.wanted)
            if not left:
                break
            at = self.make(left[0])
            time.sleep(PAUSE_S)
            if number:
                offer = self.ask(at, _utf16(self.lines[at]))
                good = offer is not None and self.right(offer)
                self.count("elsewhere_" + ("silent" if offer is None else "right" if good else "wrong"), at, offer)
        return at

    def walk(self) -> None:
        """Go over the lines with the cursor."""
        left = hunks(self.lines, self.wanted)
        line = next((first for first, _, _ in hunks(self.started, self.lines)), 0)
        end = line + WALKED
        while line < min(end, len(self.lines)):
            if not self.lines[line].strip():
                line += 1
                continue
            offer = self.ask(line)
            if offer is not None and offer["range"]["start"]["line"] <= line <= offer["range"]["end"]["line"]:
                good = self.right(offer)
                self.count("here_right" if good else "here_wrong", line, offer)
                if good:
                    self.accept(offer)
                    left = hunks(self.lines, self.wanted)
                    line += offer["text"].count("\n") + bool(offer["text"])
                    continue
            else:
                missed = any(first <= line < max(last, first + 1) for first, last, _ in left)
                self.count("here_missed" if missed else "here_quiet", line)
            line += 1

    def follow(self, at: int) -> None:
        """Take offers elsewhere for as long as they are right."""
        for _ in range(FOLLOWED):
            if not hunks(self.lines, self.wanted):
                break
            at = min(at, len(self.lines) - 1)
            offer = self.ask(at, _utf16(self.lines[at]))
            good = offer is not None and self.right(offer)
            self.count(
                "followed_right" if good else "followed_silent" if offer is None else "followed_wrong", at, offer
            )
            if offer is None or not good:
                break
            self.accept(offer)
            at = offer["range"]["start"]["line"]
            time.sleep(PAUSE_S)

    def __post_init__(self) -> None:
        self.started = list(self.lines)


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _cut(line: str, units: int) -> tuple[str, str]:
    data = line.encode("utf-16-le")
    return data[: 2 * units].decode("utf-16-le"), data[2 * units :].decode("utf-16-le")


def _place(text: str, offset: int) -> tuple[int, int]:
    head = text[:offset]
    return head.count("\n"), len(head) - head.rfind("\n") - 1


def _changed(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    lines = difflib.unified_diff(old, new, lineterm="", n=0)
    return (f"    {line}" for line in lines if line[:2] not in ("--", "++", "@@"))


def text_of(clones: Path, case: dict[str, str]) -> str:
    """Return the file of a case.

    :raises SystemExit: the clone or the commit is not there.
    """
    clone = find(clones, case["repository"])
    if clone is None:
        raise SystemExit(f"no clone of {case['repository']} in {clones}")
    command = ["git", "-C", str(clone), "show", f"{case['commit']}:{case['path']}"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"{case['repository']} has no {case['path']} at {case['commit']}")
    return done.stdout.decode("utf-8").replace("\r\n", "\n").removeprefix("\ufeff")


def played(client: Client, roots: Sequence[Path], case: dict[str, str], text: str) -> tuple[Counter[str], list[str]]:
    """Play one case twice, in folders that know nothing of each other: with the cursor going over the file, and with
    offers taken one after the other."""
    wanted = after(text, case).split("\n")
    places = len(hunks(text.split("\n"), wanted))
    counts: Counter[str] = Counter(places=places)
    notes: list[str] = []
    for number, root in enumerate(roots):
        file = root / Path(case["path"]).name
        file.write_text(text, "utf-8")
        client.open(file.as_uri(), text, case["language"])
        typist = Typist(client, file.as_uri(), text.split("\n"), wanted)
        if number:
            at = typist.type_places(2)
            typist.counts.clear()
            typist.notes.clear()
            typist.follow(at)
        else:
            typist.type_places(min(TYPED, max(2, places - 2)))
            typist.walk()
        client.notify("textDocument/didClose", {"textDocument": {"uri": file.as_uri()}})
        counts.update(typist.counts)
        notes += typist.notes
    return counts, notes


def main() -> None:
    """Measure all cases, or those of a set or with a word in their names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clones", type=Path, required=True)
    parser.add_argument("--set", nargs="*", default=[])
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    cases: list[dict[str, str]] = json.loads(CASES.read_text("utf-8"))
    cases = [case for case in cases if not given.set or case["set"] in given.set]
    cases = [case for case in cases if not given.only or any(word in case["name"] for word in given.only)]
    texts = [text_of(given.clones, case) for case in cases]
    found: list[dict[str, Any]] = []
    sums: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory(prefix="edits-") as work:
        folders = [(Path(work) / f"{number}a", Path(work) / f"{number}b") for number in range(len(cases))]
        for folder in (one for pair in folders for one in pair):
            folder.mkdir()
        command = [*console_script(), "serve", "--stdio", "--data-dir", f"{work}/data"]
        with Client(command, env=environment()) as client:
            roots = [one for pair in folders for one in pair]
            client.initialize(roots, encodings=["utf-16"], options={"nextEdits": True})
            for case, text, pair in zip(cases, texts, folders, strict=True):
                counts, notes = played(client, pair, case, text)
                sums.setdefault(case["set"], Counter()).update(counts)
                found.append({"name": case["name"], "repository": case["repository"], **counts})
                print(case["set"], case["name"], dict(counts), flush=True)
                if given.show:
                    print(*(f"  {note}" for note in notes), sep="\n", flush=True)
    result = {"machine": made_on(), "sets": {name: dict(counts) for name, counts in sums.items()}, "cases": found}
    publish(result, given.out)


if __name__ == "__main__":
    main()
