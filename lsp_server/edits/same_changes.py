"""Edits that all did one and the same, at places where that would be done to something else.

Each edit alone may mean every name or every string that stands where its own stood. Where two edits or more changed the
same words into the same others, nothing says so: ``class`` to ``className`` twice makes no ``valueName`` of ``value``,
and a ``'`` before ``0`` twice none before ``state_d``.
"""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from lsp_server.edits.calls import calls
from lsp_server.edits.changed_lines import is_block
from lsp_server.edits.proposals import Evidence, Taught
from lsp_server.edits.token_lines import common_ends, is_word, parse

Change = tuple[tuple[str, ...], tuple[str, ...]]
"""The tokens of a line from the first to the last one that changes, and what they become."""

KEPT: Final = 2_048
"""Changes of lines that are kept."""


def done_otherwise(evidence: Evidence, sources: Sequence[Taught], line: str, text: str) -> bool:
    """Whether a text does to another thing what all of its edits did to the same one.

    A rule that names a word does it to that word. Parts of names stand in names of all kinds, and an argument of a call
    is known by its place. Of 11 such offers 1 was right.

    :param sources: the edits behind the text.
    """
    if len({source.step for source in sources}) < 2 or is_block(text):
        return False
    pairs = [(source.lesson.old_text, source.lesson.new_text) for source in sources]
    if any(is_block(new) for _, new in pairs):
        return False
    return _other_words(evidence, pairs, line, text) or _other_neighbour(pairs, line, text)


def _other_words(evidence: Evidence, pairs: Sequence[tuple[str, str]], line: str, text: str) -> bool:
    """Whether a text leaves the words that all edits took away, or changes what stands around another word than theirs.

    Signs that come around a word alone, such as quotes, may come around any.
    """
    if "part" in evidence.kinds or any(rule.worded for rule, _ in evidence.rules):
        return False
    if len(functions := {_function(*pair) for pair in (*pairs, (line, text))}) == 1 and "" not in functions:
        return False
    (gone, come), *others = (_words(*pair) for pair in pairs)
    if gone:
        return all(other[0] == gone for other in others) and not gone <= _words(line, text)[0]
    changes = {_change(*pair)[0] for pair in pairs}
    if len(changes) > 1 or _change(line, text)[0] in changes:
        return False
    ((old, new),) = changes
    return bool(old) and (bool(come) or not Counter(new) - Counter(old))


def _other_neighbour(pairs: Sequence[tuple[str, str]], line: str, text: str) -> bool:
    """Whether signs come next to another word than the one that all edits put them to, without a blank between."""
    if not all(_brings_signs(*pair) for pair in (*pairs, (line, text))):
        return False
    there = _change(line, text)[1]
    for mine, theirs in zip(there, zip(*(_change(*pair)[1] for pair in pairs), strict=True), strict=True):
        if len(set(theirs)) == 1 and theirs[0] and is_word(theirs[0]) and mine != theirs[0]:
            return True
    return False


def _function(old: str, new: str) -> str:
    """Return the name of the innermost function around what changes among the arguments of a call; empty for none."""
    line = parse(old).texts
    head, tail = common_ends(line, parse(new).texts)
    around = [call for call in calls(line) if call.name + 1 < head and call.end >= len(line) - tail]
    return line[max(around, key=lambda call: call.name).name] if around else ""


def _brings_signs(old: str, new: str) -> bool:
    (gone, come), _ = _change(old, new)
    return not gone and bool(come) and not any(map(is_word, come))


@lru_cache(KEPT)
def _words(old: str, new: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the words that a change takes away from a line, and those that it brings."""
    before, after = Counter(filter(is_word, parse(old).texts)), Counter(filter(is_word, parse(new).texts))
    return frozenset(before - after), frozenset(after - before)


@lru_cache(KEPT)
def _change(old: str, new: str) -> tuple[Change, tuple[str, str]]:
    """Return what changes in a line, and the tokens that touch what comes on its left and on its right."""
    before, after = parse(old), parse(new)
    head, tail = common_ends(before.texts, after.texts)
    last = len(after.texts) - tail
    left = after.texts[head - 1] if head and head < len(after.texts) and not after.spaces[head] else ""
    right = after.texts[last] if tail and not after.spaces[last] else ""
    return (before.texts[head : len(before.texts) - tail], after.texts[head:last]), (left, right)
