"""Edits that all did one and the same, at places where that would be done to something else.

Each edit alone may mean every name or every string that stands where its own stood. Where two edits or more changed the
same words into the same others, nothing says so: ``class`` to ``className`` twice makes no ``valueName`` of ``value``,
and a ``'`` before ``0`` twice none before ``state_d``.
"""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from lsp_server.edits.call_parts import calls
from lsp_server.edits.changed_lines import GONE, is_block
from lsp_server.edits.proposals import Evidence, Taught
from lsp_server.edits.token_lines import BEGIN, END, common_ends, is_name, is_word, kind_of, parse
from lsp_server.edits.views import View

Change = tuple[tuple[str, ...], tuple[str, ...]]
"""The tokens of a line from the first to the last one that changes, and what they become."""

_CLOSE: Final = frozenset(")]}")
_BEFORE: Final = frozenset(("(", "[", "{", ",", ";", BEGIN))
_BEHIND: Final = frozenset((")", "]", "}", ",", ";", END))
_ENDS: Final = (_BEFORE, _BEHIND)
"""Tokens before and behind a part of a line, or a whole line."""

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
    if _other_words(evidence, pairs, line, text) or _other_neighbour(pairs, line, text):
        return True
    return not _one_function((*pairs, (line, text))) and _other_place(pairs, line, text)


def in_other_block(sources: Sequence[Taught], line: str, text: str, view: View, at: int) -> bool:
    """Whether a text brings words or lines to a block of another kind than those in which all of its edits stand.

    The heads of their blocks have names in common, and that of its own has none of these. Of 15 such offers 1 was right
    (twelve repositories). A call of the function that all edits changed, and a line next to which all of them inserted
    theirs, tell the place by themselves.
    """
    if text == GONE or ("\n" not in text and not (_only_brings(line, text) and _words(line, text)[1])):
        return False
    pairs = [(source.lesson.old_text, source.lesson.new_text) for source in sources]
    if any(old.strip() == line.strip() for old, _ in pairs) if "\n" in text else _one_function((*pairs, (line, text))):
        return False
    lines = {source.step: source.line for source in sources if source.uri == view.uri}
    if len(lines) < 2 or len(lines) < len({source.step for source in sources}):
        return False
    shared = frozenset.intersection(*(view.around(there)[2] for there in lines.values()))
    names = {text for text in shared if len(text) > 1 and is_name(text)}
    return bool(names) and names.isdisjoint(view.around(at)[2])


def _other_words(evidence: Evidence, pairs: Sequence[tuple[str, str]], line: str, text: str) -> bool:
    """Whether a text leaves the words that all edits took away, or changes what stands around another word than theirs.

    Signs that come around a word alone, such as quotes, may come around any.
    """
    if "part" in evidence.kinds or any(rule.worded for rule, _ in evidence.rules):
        return False
    if _one_function((*pairs, (line, text))):
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
    """Whether something comes next to another word than the one that all edits put it to, without a blank between.

    A number counts for signs only: ``-2016`` behind 2015 may come behind 2014 too.
    """
    every = (*pairs, (line, text))
    if not all(_only_brings(*pair) for pair in every):
        return False
    tells = is_name if any(any(map(is_word, _change(*pair)[0][1])) for pair in every) else is_word
    there = _change(line, text)[1]
    for mine, theirs in zip(there, zip(*(_change(*pair)[1] for pair in pairs), strict=True), strict=True):
        if len(set(theirs)) == 1 and theirs[0] and tells(theirs[0]) and mine != theirs[0]:
            return True
    return False


def _other_place(pairs: Sequence[tuple[str, str]], line: str, text: str) -> bool:
    """Whether words come where nothing like it stands on one side as where edits brought some.

    Those are two tokens of the same kinds on each side, and behind them the same word if all edits have that. So
    ``readonly`` before two ``name: type;`` says nothing of ``return name;``, nor ``public`` before two ``func`` of
    ``private func``. Beyond the comma of an argument that comes stands another one, which says nothing. Of 9 such
    offers none was right (fourteen repositories).
    """
    every = (*pairs, (line, text))
    if not all(_only_brings(*pair) for pair in every) or not any(any(map(is_word, _change(*p)[0][1])) for p in pairs):
        return False
    (before, behind), others = _around(line, text), [_around(*pair) for pair in pairs]
    come, words = _change(line, text)[0][1], {other[1][0] for other in others}
    if len(words) == 1 and is_name(min(words)) and behind[0] not in words and come[-1] != ",":
        return True
    kinds = _kinds(before, _BEFORE), _kinds(behind, _BEHIND)
    sides = [side for side, comma in enumerate((come[0], come[-1])) if comma != ","]
    return any(kinds[side] not in [_kinds(other[side], _ENDS[side]) for other in others] for side in sides)


def _kinds(tokens: tuple[str, str], ends: frozenset[str]) -> tuple[str, ...]:
    """Return the kinds of the two tokens next to a place; what stands beyond a bracket or a comma says nothing."""
    first, second = ("" if token in ends else kind_of(token) for token in tokens)
    return (first,) if first == "" or tokens[0] in _CLOSE else (first, second)


@lru_cache(KEPT)
def _around(old: str, new: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return the two tokens before what comes and the two behind it, the nearest first."""
    before, after = parse(old), parse(new)
    head, tail = common_ends(before.texts, after.texts)
    left = (BEGIN, BEGIN, *before.texts[:head])
    right = (*before.texts[len(before.texts) - tail :], END, END)
    return (left[-1], left[-2]), (right[0], right[1])


def _one_function(pairs: Sequence[tuple[str, str]]) -> bool:
    """Whether changes are all among the arguments of calls of one function."""
    functions = {_function(*pair) for pair in pairs}
    return len(functions) == 1 and "" not in functions


def _function(old: str, new: str) -> str:
    """Return the name of the innermost function around what changes among the arguments of a call; empty for none."""
    line = parse(old).texts
    head, tail = common_ends(line, parse(new).texts)
    around = [call for call in calls(line) if call.name + 1 < head and call.end >= len(line) - tail]
    return line[max(around, key=lambda call: call.name).name] if around else ""


def _only_brings(old: str, new: str) -> bool:
    (gone, come), _ = _change(old, new)
    return not gone and bool(come)


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
