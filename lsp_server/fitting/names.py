"""Finds out whether a line gives a name that its scope has already: a function, a port, a key, a case label.

Two lines are of one scope where the same block is the innermost open one, or where they are indented alike in a
language that nests by indentation. Only the lines that were read around the cursor are compared.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from indexer.text.lines import indent_of
from lsp_server.fitting.families import PYTHONS
from lsp_server.fitting.marks import Open, State, opened
from lsp_server.fitting.name_rules import NameRule, NameRules
from lsp_server.fitting.name_table import RULES
from lsp_server.fitting.surroundings import Surroundings

LONGEST: Final = 300
"""Characters of the longest line that is compared."""

REWRITTEN: Final = 4
"""Lines just below a cursor that a line may be going to replace, so that their names are free; not the next line. Where
lines are known to be gone, all names below are free."""

DECORATED: Final = 12
"""Lines above a line among which a decorator or the parameters of a template may begin."""

HEAD_LINES: Final = 8
"""Lines of the longest statement that is read as the head of a block."""

COPIED: Final = 8
"""Lines just above the cursor whose names are looked for below it."""

_FREE: Final = frozenset({"_", "init", "main", ".PHONY"})
_COMMENT = re.compile(r"\s*(?:#(?!\s*(?:include|define))|//|/?\*|--)")
_LABEL = re.compile(r"\s*(?:case\b|default\s*:)")
OVERLOAD = re.compile(r"^\s*(?:@.*(?:overload|register|\.setter|\.getter|\.deleter)|#\[cfg)")
_ALLOWING = re.compile(
    r"template\b|\[<|#\[\s*(?:cfg|rustversion)|@(?!Override\b)[\w.]*\b(?:overload|register|setter|getter|deleter)\b"
)
_REGISTERS = re.compile(r"@(?!pytest\b|mock\b|patch\b|unittest\b|functools\b|hypothesis\b)\w+(?:\.\w+)+\s*\(")
"""A call that may register a function of Python under another name: a route, a command."""

_GOES_ON = re.compile(r"\s*(?:[)\]]|&&|\|\||(?:and|or|where)\b)")
_BLOCK = re.compile(
    r"(?:(?:pub|public|private|protected|internal|static|final|abstract|async|export|local|override|sealed)\s+)*"
    r"(?:(?:class|struct|interface|trait|impl|module|namespace|def|defp|defmodule|for|foreach|while|until|if|unless|elsif"
    r"|elif|switch|case|match|guard)\b\s*[^\s{]|(?:func|function|fn|fun)\s+[\w(]|\w+\(\)\s*\{$)"
)
_BLANKS = re.compile(r"\s+")


def defined_twice(
    line: str,
    around: Surroundings,
    state: State | None = None,
    above: Sequence[str] = (),
    *,
    strict: bool = False,
) -> bool:
    """Return whether a line gives a name that its scope has already, or begins the block that it would stand in.

    :param line: the whole line. :param state: what is open before it; None for the cursor's line.
    :param above: lines between the cursor's line, with it, and this one; they are not compared.
    :param strict: whether the lines just below the cursor count too. The user may be going to replace them: without
        them 0.1 instead of 0.4 % of the authors' own lines are taken for a second definition.
    """
    state = around.state if state is None else state
    if state.span < 0 and _around_itself(line, state, around):
        return True
    rules = RULES.get(around.language)
    for rule, key in names_given(line, around, state, above):
        assert rules is not None
        above_it, below_it = _siblings(line, rules, around, state, strict)
        if any(gives(rule, key, other) for other in above_it):
            return True
        below = list(below_it)
        if not any(gives(rule, key, other) for other in below) or around.rewritten(line):
            return False
        if strict:
            return True
        over, under = _siblings(line, rules, around, state, strict=True)
        return not _copied(rule, islice(over, COPIED), [*under])
    return False


def names_given(
    line: str, around: Surroundings, state: State, above: Sequence[str] = ()
) -> Iterator[tuple[NameRule, tuple[str, str]]]:
    """Yield the names that a line gives in the block that is open before it, with the rule that says so."""
    rules = RULES.get(around.language)
    if (
        rules is None
        or len(line) > LONGEST
        or state.span >= 0
        or _allowed_again(line, [*around.above[-DECORATED:], *above], around.language)
    ):
        return
    for rule in rules.rules:
        found = rule.pattern.match(line)
        if found is not None and found["name"] not in _FREE and _belongs(rule, state.code, around):
            yield rule, _key(found)


def _around_itself(line: str, state: State, around: Surroundings) -> bool:
    """Return whether a line begins a block which is open around it: a class within itself, a loop in the same loop.

    In seventeen repositories seven of some 22,000 lines that begin a block did, all of them conditions.
    """
    text = line.strip()
    if _BLOCK.match(text) is None:
        return False
    heads = (head_of(node, around.above) for node in opened(state.code) if node.mark not in ("(", "["))
    return any(head in (text, text + " {") for head in heads)


def _copied(rule: NameRule, above: Iterable[str], below: Sequence[str]) -> bool:
    """Return whether a line above gives a name that one below gives too: then these lines are about to be deleted."""
    found = filter(None, map(rule.pattern.match, above))
    return any(gives(rule, _key(one), other) for one in found for other in below)


def _allowed_again(line: str, above: Sequence[str], language: str) -> bool:
    """Return whether what stands right before a line allows its name once more: a setter, an overload, a template.

    Other decorators and attributes say nothing about the name.
    """
    depth = indent_of(line)
    for other in reversed(above):
        text = other.lstrip()
        if _ALLOWING.match(text) or (language in PYTHONS and _REGISTERS.match(text)):
            return True
        # A decorator of several lines ends in a bracket.
        if not text.startswith(("@", "#[", "[", ")", "]", "}")) and indent_of(other) <= depth:
            return False
    return False


def _key(found: re.Match[str]) -> tuple[str, str]:
    groups = found.groupdict()
    return ("function" if groups.get("kind") == "function" else "", _BLANKS.sub(" ", groups["name"]))


def gives(rule: NameRule, key: tuple[str, str], line: str) -> bool:
    """Return whether a line gives a name by a rule."""
    if key[1].split(" ", 1)[0] not in line:
        return False
    found = rule.pattern.match(line)
    return found is not None and _key(found) == key


def _belongs(rule: NameRule, block: Open | None, around: Surroundings) -> bool:
    """Return whether a rule holds in a block."""
    if rule.marks is not None and (block.mark if block is not None else "") not in rule.marks:
        return False
    return not rule.head or (block is not None and rule.in_block.search(head_of(block, around.above)) is not None)


def head_of(block: Open, above: Sequence[str]) -> str:
    """Return the line that begins a block; where its bracket stands alone, with the statement before it.

    :param above: lines above the cursor, with those of the text.
    """
    if block.head != block.mark:
        return block.head
    rows = range(len(above) - 1, -1, -1)
    row = next((n for n in rows if above[n].strip() == block.mark and indent_of(above[n]) == block.indent), 0)
    parts = [block.head]
    for line in reversed(above[max(0, row - HEAD_LINES) : row]):
        parts.append(line.strip())
        if indent_of(line) <= block.indent and not _GOES_ON.match(line):
            break
    return " ".join(reversed(parts))


def _siblings(
    line: str, rules: NameRules, around: Surroundings, state: State, strict: bool
) -> tuple[Iterator[str], Iterator[str]]:
    """Return the lines above the cursor that are of the same scope as a line, and those below it."""
    above, below = around.above, around.below
    before = (around.states[number - 1] if number else None for number in range(len(above) - 1, -1, -1))
    over = _of_scope(line, rules, state, zip(above[::-1], before, [*above[-2::-1], ""], strict=False))

    def ends(other: str) -> bool:
        outside = rules.indented and other.strip() != "" and indent_of(other) < indent_of(line)
        return outside or rules.end.match(other) is not None

    def under() -> Iterator[str]:
        # Behind the cursor's line the same blocks are open as before it, where the line opens none.
        seen = (other if strict or not 0 < n < REWRITTEN or ends(other) else "" for n, other in enumerate(below))
        yield from _of_scope(line, rules, state, zip(seen, around.states_below(), ["", *below], strict=False))

    return over, under()


def _of_scope(
    line: str, rules: NameRules, state: State, others: Iterable[tuple[str, State | None, str]]
) -> Iterator[str]:
    """Yield those of some lines that are of the same scope, up to where it ends.

    :param others: each line with what is open before it (None: unknown) and the line before it.
    """
    indent = indent_of(line)
    for other, before, previous in others:
        if rules.end.match(other) or (_LABEL.match(other) and not _LABEL.match(line)):
            return
        if not other.strip() or _COMMENT.match(other):
            continue
        depth = indent_of(other) if rules.indented else indent
        if depth < indent and other.lstrip()[:1] not in ")]}":
            return
        if before is None:
            same = state.code is None
        else:
            same = before.code is state.code and before.conditions is state.conditions and before.span < 0
        if same and depth == indent and len(other) <= LONGEST and not OVERLOAD.search(previous):
            yield other
