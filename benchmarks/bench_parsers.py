"""Judges accepted texts with parsers of other projects: those that ``bench_sound.py`` shares with the product may err.

    python benchmarks/bench_parsers.py --clones DIR --only NAME ... [--cases N] [--show FILE]

A server is started in the tree from before the commits; at each cursor of ``sound_cases`` the document is opened and
changed over the protocol, a completion is requested and the first item accepted. A text is *wrong* where the program of
``parsers.py`` does not take the file with it, though it takes the file with the author's line in its place, or what of
that line is as long. Each is tried before the lines that stood below then, before those of the author's finished file,
and before what closes all that is open; what the text leaves open is closed. Where the author's line parses in none of
these, nobody can say.

Prints, for each repository, the texts that were judged and the wrong ones, and both as ``sound_judge`` sees them;
``--show`` writes the texts on which the two judges differ, or that both call wrong, to a file.
"""

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from clones import copy_at, environment, find
from parsers import judge_of
from sound_cases import from_top
from sound_judge import cut_as, ends, judge

from finetune.commits.cases import Case, choose
from finetune.commits.stages import ReplayPlan
from finetune.commits.windows import SkipReport, Tree, edits, windows
from indexer.config import Settings
from indexer.languages.grammars import language_in, language_of
from indexer.repository.policy import accepts_path
from lsp_server.commands.lsp_client import Client
from lsp_server.types import Suggestion

HERE = Path(__file__).parent
ONDOL = HERE.parent / ".venv/bin/ondol"
COMMITS, CASES, SEED = 60, 100, 20261128


def measured(clone: Path, commit: str, cases: int, show: TextIO) -> dict[str, int]:
    """Return the counts of one repository."""
    settings, counts = replace(Settings(), workers=1), Counter[str]()
    plan = ReplayPlan(cases // 2, cases - cases // 2, SEED)
    with tempfile.TemporaryDirectory(prefix="parsers-") as work:
        copy = copy_at(clone, commit, Path(work) / "repository")
        window = windows(copy, COMMITS, 1)[0]
        tree = Tree(copy, Path(work).resolve() / "tree", settings.max_file_bytes)
        tree.move_to(window.base, lambda path: accepts_path(path, settings) is None)
        changed = list(edits(copy, window, settings, SkipReport()))
        command = [str(ONDOL), "serve", "--stdio", "--data-dir", f"{work}/data"]
        with Client(command, env=environment()) as client:
            client.initialize([tree.folder], encodings=["utf-32"])
            client.wait_state("ready", 300)
            for case, finished in from_top(choose(changed, plan.share(0, 1), SEED), changed):
                _one(client, tree.folder, (case, finished), counts, show)
    return dict(counts)


def _one(client: Client, folder: Path, typed: tuple[Case, str], counts: Counter[str], show: TextIO) -> None:
    case, finished = typed
    language = language_in(language_of(case.path), case.path, case.text)
    parses = judge_of(language)
    if parses is None:
        return
    uri = (folder / case.path).as_uri()
    client.open(uri, case.opened, language_of(case.path))
    client.change(uri, 2, {"text": case.text})
    start = case.text.rfind("\n", 0, case.offset) + 1
    items = client.complete(uri, case.line, case.offset - start)
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    counts["asked"] += 1
    if not items:
        return
    counts["shown"] += 1
    first, last = (start + items[0]["range"][end]["character"] for end in ("start", "end"))
    wrong = _is_wrong(case, finished, items[0]["insertText"][case.offset - first :], last, language)
    if wrong is None:
        return
    suggestion = Suggestion(items[0]["insertText"], first, last, 0.0, "")
    ours = judge(case, suggestion, finished).fair
    counts["judged"] += 1
    counts["wrong"] += wrong
    counts["wrong_by_both"] += wrong and bool(ours)
    counts["wrong_by_ours"] += bool(ours)
    if wrong or ours:
        texts = {"typed": case.text[start : case.offset], "text": items[0]["insertText"], "rest": case.rest}
        show.write(json.dumps({"path": case.path, "line": case.line, "wrong": wrong, "ours": ours, **texts}) + "\n")


def _is_wrong(case: Case, finished: str, added: str, last: int, language: str) -> bool | None:
    """Return whether a file is wrong with a text, and not with the author's line; None where the parser cannot say."""
    above, end = case.text[: case.offset], case.text.find("\n", case.offset)
    end = len(case.text) if end < 0 else end
    typed, behind = above[above.rfind("\n") + 1 :], case.text[last:end]
    parses = judge_of(language)
    assert parses is not None

    def sound(text: str, closed: Sequence[str]) -> bool:
        alone = _closed(language, above, text)
        texts = (*(one + below for below in (finished, case.text[end:]) for one in closed), *alone)
        return any(parses(above + one, case.path) for one in texts)

    if not sound(case.rest, [case.rest]):
        return None
    if sound(added + behind, _closed(language, typed, added + behind)):
        return False
    cut = cut_as(case.rest, added + behind)
    return cut == case.rest or sound(cut, [cut])


def _closed(language: str, above: str, text: str) -> list[str]:
    """Return a text, and the text with a value and with what may close all that it and the text above leave open."""
    closings = ("", " x", *ends(language, above, text))
    return list(dict.fromkeys(text + closing for closing in closings))


def main() -> None:
    """Measure the repositories that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clones", type=Path, required=True, help="folder with the clones")
    parser.add_argument("--only", nargs="+", required=True, help="names of repositories, OWNER/NAME")
    parser.add_argument("--cases", type=int, default=CASES, help="cursors in each repository")
    parser.add_argument(
        "--show", type=Path, default=Path("/dev/null"), help="write the texts that are wrong to this file"
    )
    options = parser.parse_args()
    known = {one["name"]: one["commit"] for one in json.loads((HERE / "repositories.json").read_text("utf-8"))}
    for name in options.only:
        clone = find(options.clones, name)
        if clone is None:
            print(f"{name}: no clone in {options.clones}, skipped", flush=True)
            continue
        with options.show.open("a", encoding="utf-8") as show:
            print(json.dumps({"repository": name, **measured(clone, known[name], options.cases, show)}), flush=True)


if __name__ == "__main__":
    main()
