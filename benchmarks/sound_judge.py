"""Judges accepted texts for ``bench_sound.py``: the document before and after, parsed as a whole.

A text *adds an error* where the document after the accept has more errors than it had before. Two readings are kept
apart, since many texts are the beginning of a line or of a block:

- ``strict``: nothing follows the text. The head of a block whose end is still to be typed counts as an error.
- ``fair``: what the text leaves open is closed behind it, and a beginning of a line is compared with the author's own
  line, cut after as many tokens; a text of several lines with as many lines of the author's. What is wrong in those as
  well (a comment of a new file that has no end yet) is not held against the text. Nor is what is sound as soon as the
  author goes on: a row of a list whose end is not typed yet, judged in the author's finished file.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from finetune.commits.cases import Case
from indexer.languages.grammars import language_in, language_of, parser
from indexer.text.lines import columns, leading_blanks
from indexer.text.tokens import TOKEN
from lsp_server.fitting.frame import TRY_ENDS
from lsp_server.fitting.indentation import BEGINS_BLOCK, unit_of, width_of
from lsp_server.fitting.marks import START, LineReader, Open, rules_of
from lsp_server.types import Suggestion

_TRY = re.compile(r"\btry\b[^;{}]*\{\s*$")
_LISTS = re.compile(r"[(\[]\s*$")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an accepted text does to its document.

    :param strict, fair: whether it adds an error, in the two readings above; None without a grammar.
    :param right: whether it is what the author wrote next, up to its end. :param part: whether the author's line went
        on behind it. :param lines: of the text. :param left_open: whether a text of several lines leaves a block open.
    :param other_unit: whether its levels differ from the document's.
    """

    strict: bool | None
    fair: bool | None
    right: bool
    part: bool
    lines: int
    left_open: bool
    other_unit: bool


@cache
def _counter(language: str) -> Callable[[str], int] | None:
    found = parser(language)
    return None if found is None else lambda text: _count(found.parse(text.encode("utf-8", "replace")).root_node)


def _count(root: Any) -> int:
    """Return the number of errors of a tree, without those within another one."""
    number, nodes = 0, [root]
    while nodes:
        node = nodes.pop()
        if node.is_error or node.is_missing:
            number += 1
        elif node.has_error:
            inner = [child for child in node.children if child.has_error]
            nodes.extend(inner)
            number += not inner  # a line end of Python that is missing has no node
    return number


def judge(case: Case, suggestion: Suggestion, finished: str | None = None) -> Judgement:
    """Judge a suggestion at the cursor of a case.

    :param finished: what stands below the line in the author's finished file, with the line end before it.
    """
    text, offset = case.text, case.offset
    language = language_in(language_of(case.path), case.path, text)
    start, end = text.rfind("\n", 0, offset) + 1, text.find("\n", offset)
    end = len(text) if end < 0 else end
    typed, behind = text[start:offset], text[suggestion.end : end]
    added = suggestion.text[offset - suggestion.start :]
    first = (added if "\n" in added else added + behind).split("\n")[0].rstrip()
    part = len(first) < len(case.rest) and case.rest.startswith(first)
    strict = fair = None
    errors = _counter(language)
    if errors is not None:
        before = errors(text)
        after = errors(text[:offset] + added + text[suggestion.end :])
        strict = fair = after > before
        if strict:
            closings = ends(language, typed, added + behind)
            closed = min(errors(text[:offset] + added + behind + closing + text[end:]) for closing in closings)
            cut = cut_as(case.rest, first)
            limits = [before, errors(text[:offset] + case.rest + text[end:])]
            limits += [errors(text[:offset] + cut + text[end:])] if len(cut) < len(case.rest) else []
            block = "\n".join([case.rest, *case.following[: added.count("\n")]])
            limits += [errors(text[:offset] + block + text[end:])] if "\n" in added else []
            fair = min(after, closed) > max(limits)
            if fair and finished is not None:
                done = min(errors(text[:offset] + added + behind + closing + finished) for closing in ("", *closings))
                fair = done > errors(text[:offset] + case.rest + finished)
    lines = added.count("\n") + 1
    return Judgement(
        strict,
        fair,
        case.rest.startswith(first),
        part,
        lines,
        lines > 1 and _depth(language, typed + added + behind) > _depth(language, typed),
        lines > 1 and _other_unit(text.split("\n"), [typed + added.split("\n")[0], *added.split("\n")[1:]]),
    )


def cut_as(line: str, text: str) -> str:
    """Return a line up to as many tokens as a text has."""
    found = [match.end() for match in TOKEN.finditer(line)]
    tokens = len(TOKEN.findall(text))
    return line[: found[min(tokens, len(found)) - 1]] if found and tokens else ""


def _open(language: str, text: str) -> list[Open]:
    """Return what a text leaves open, the innermost first."""
    reader, state, found = LineReader(rules_of(language)), START, []
    for line in text.split("\n"):
        state = reader.read(line, state)
    node = state.code
    while node is not None:
        found.append(node)
        node = node.below
    return found


def _depth(language: str, text: str) -> int:
    return len(_open(language, text))


def ends(language: str, typed: str, text: str) -> list[str]:
    """Return what may close all that a text leaves open: its brackets may hold a value, and its statement may end."""
    closing = [
        ("" if one.mark in "([" else "\n") + one.closers[0] + (">" if one.closers[0].startswith("</") else "")
        for one in _open(language, typed + text)
    ]
    if not closing:
        if language not in ("python", "starlark") or not text.rstrip().endswith(":"):
            return [""]
        line = (typed + text).rpartition("\n")[2]
        return [f" pass\n{leading_blanks(line)}finally: pass" if line.strip() == "try:" else " pass"]
    end = "".join(closing) + (TRY_ENDS.get(language, "") if _TRY.search(typed + text) else "")
    values = ("", " x") if closing[0] in ")]" else ("",)
    return [value + end + statement for value in values for statement in ("", ";", " x;")]


def _other_unit(document: list[str], block: list[str]) -> bool:
    """Return whether a block's lines are indented in other steps than the document's.

    Lines behind one that begins a block have to be one unit deeper. Many styles indent lists by more: their first line
    has to be one unit deeper, or as deep as that of another list of the document.
    """
    unit = unit_of(document)
    if unit is None:
        return False
    of_lists = {step for above, step in _deeper(document) if _LISTS.search(above)}
    return any((line[0] == "\t") != (unit == "\t") for line in block[1:] if line[:1] in ("\t", " ")) or any(
        step != width_of(unit)
        for above, step in _deeper(block)
        if BEGINS_BLOCK.search(above) or (_LISTS.search(above) and step not in of_lists)
    )


def _deeper(lines: list[str]) -> Iterator[tuple[str, int]]:
    """Yield each line behind which the next one is deeper, and by how many columns."""
    for above, line in pairwise(lines):
        step = columns(leading_blanks(line)) - columns(leading_blanks(above))
        if step > 0 and line.strip() and above.strip():
            yield above, step
