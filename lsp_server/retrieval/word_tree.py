"""The words of the best options as one tree, with numbers that say how likely each word is to come next.

A node is a word of an option, given all words before it: a token with the blanks before it, or the end of the line.
Options that begin alike share nodes, so the common beginning of options that part later is a path of its own.
``gate`` turns a node's numbers into the probability that the author writes its word, given that the words before it are
right.
"""

import math
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from indexer.text.tokens import END as NO_TOKEN
from indexer.text.tokens import NEWLINE, TOKEN, token_id
from lsp_server.retrieval.cursor import WINDOW, CursorContext, LineContext, pair_keys, triple_keys
from lsp_server.retrieval.ranker import Option, Ranked
from lsp_server.retrieval.ranker_features import FEATURES

Floats = NDArray[np.float64]

SPELLED: Final = 4
"""Options whose words become nodes; all options vote."""

WORDS: Final = 24
"""Words of an option, at most; the text behind them is not proposed."""

FAR: Final = 6.0
"""Larger differences of scores count as this."""

NODE_FEATURES: Final = (
    "number",
    "before",
    "left",
    "share",
    "share_of_all",
    "votes",
    "votes_share",
    "score",
    "margin",
    "rank",
    "letters",
    "kind",
    "blanks",
    "in_text",
    "options",
    "second",
    "ends",
    "typed",
    "typed_kind",
    "known",
    "near",
    "pair",
    "pair_count",
    "triple",
    "triple_count",
    "lines_begin",
    "lines_agree",
    "line_below",
    "line_above",
    "backed",
    "backed_share",
    "backed_score",
    "backed_candidates",
    "backed_longest",
    "backed_lead",
    "said",
    "said_lately",
    "asked",
    "asked_right",
)
NOTHING_SAID: Final = {"said": 0.0, "said_lately": -1.0, "asked": 0.0, "asked_right": -1.0}
"""What these numbers are where the line was not asked about before."""

INPUTS: Final = (*(f"word_{name}" for name in NODE_FEATURES), *FEATURES)

_SHARE: Final = FEATURES.index("share")
_LONGEST: Final = FEATURES.index("longest")
_WORD = re.compile(rf"\s*(?:{TOKEN.pattern})")
_QUOTES: Final = "\"'`"
_KINDS: Final = {
    **dict.fromkeys("([{", 1.0),
    **dict.fromkeys(")]}", 2.0),
    **dict.fromkeys(_QUOTES, 3.0),
    **dict.fromkeys(",;:.", 4.0),
}
_NAME, _NUMBER, _BLANK, _MARK = 5.0, 6.0, 7.0, 8.0


@dataclass(eq=False)
class WordTree:
    """The nodes in columns. Node 0 is the root, and parents come before their children.

    :ivar text: of each node, the text from the cursor up to and with its word.
    :ivar parent: the node before. :ivar option: number of the best option that goes through the node.
    :ivar ends: whether the node is the end of the line.
    :ivar rows: float64 ``(nodes, len(INPUTS))``; the root's row is 0.
    """

    text: list[str] = field(default_factory=lambda: [""])
    parent: list[int] = field(default_factory=lambda: [-1])
    option: list[int] = field(default_factory=lambda: [0])
    ends: list[bool] = field(default_factory=lambda: [False])
    children: list[list[int]] = field(default_factory=lambda: [[]])
    rows: Floats = field(default_factory=lambda: np.zeros((1, len(INPUTS))))

    def add(self, parent: int, word: str, option: int) -> int:
        """Add a node and return its number; "" is the end of the line."""
        number = len(self.text)
        self.text.append(self.text[parent] + word)
        self.parent.append(parent)
        self.option.append(option)
        self.ends.append(not word)
        self.children.append([])
        self.children[parent].append(number)
        return number

    def copy(self) -> "WordTree":
        """Return the same nodes in a tree of their own, without their rows."""
        children = [list(one) for one in self.children]
        return WordTree(list(self.text), list(self.parent), list(self.option), list(self.ends), children)

    def word(self, node: int) -> str:
        """Return the word of a node, with the blanks before it."""
        return self.text[node][len(self.text[self.parent[node]]) :] if node else ""

    def path(self, words: Sequence[str]) -> list[int]:
        """Return the nodes of a text's words, as far as the tree has them."""
        path = [0]
        for word in words:
            path += [child for child in self.children[path[-1]] if self.word(child) == word and not self.ends[child]]
        return path[1:]


def words_of(text: str) -> list[str]:
    """Return the words of a text, at most ``WORDS``, each with the blanks before it."""
    return _WORD.findall(text)[:WORDS]


def word_tree(ranked: Ranked) -> WordTree:
    """Return the tree of the words of the best options."""
    cursor, options, ends = ranked.cursor, ranked.options, ranked.ends
    tree, facts = _vote(options, ends)
    if len(tree.text) == 1:
        return tree
    columns = {name: np.array(values) for name, values in zip(NODE_FEATURES, zip(*facts, strict=True), strict=False)}
    depths = columns["number"].astype(np.int64)
    columns |= _words(cursor, tree) | _usage(cursor, tree) | _lines(cursor, tree) | _support(ranked, tree, depths)
    columns |= _earlier_keys(cursor, tree)
    best = options[0].score
    second = max(-2 * FAR, options[1].score - best) if len(options) > 1 else -2 * FAR
    setting = {
        "options": float(len(options)),
        "second": second,
        "ends": FAR if ends is None else max(-FAR, min(FAR, best - ends)),
        "typed": float(len(cursor.prefix.strip())),
        "typed_kind": _kind(cursor.prefix[-1:]),
    }
    rows = np.empty((len(tree.text), len(INPUTS)))
    for column, name in enumerate(NODE_FEATURES):
        rows[:, column] = setting[name] if name in setting else columns[name]
    rows[:, len(NODE_FEATURES) :] = np.array([option.features for option in options[:SPELLED]])[tree.option]
    rows[0] = 0
    tree.rows = rows
    return tree


def _vote(options: Sequence[Option], ends: float | None) -> tuple[WordTree, list[tuple[float, ...]]]:
    """Return the nodes without their rows, and for each the first ten of ``NODE_FEATURES``."""
    words = [words_of(option.text) for option in options]
    scores = [option.score for option in options]
    top = max([*scores, -FAR if ends is None else ends])
    weights = [math.exp(score - top) for score in scores]
    ending = 0.0 if ends is None else math.exp(ends - top)
    whole = sum(weights) + ending
    tree, facts = WordTree(), [tuple(0.0 for _ in range(10))]
    queue: list[tuple[int, list[int], int]] = [(0, list(range(len(options))), 0)]
    for node, through, depth in queue:
        children: dict[str, list[int]] = {}
        for option in through:
            if depth < len(words[option]):
                children.setdefault(words[option][depth], []).append(option)
            elif depth < WORDS:
                children.setdefault("", []).append(option)
        total = sum(weights[option] for option in through) + (0.0 if node else ending)
        for word, members in children.items():
            best = members[0]
            if best >= SPELLED:
                continue
            inside = sum(weights[option] for option in members)
            rivals = [scores[option] for option in through if option not in members]
            if ends is not None and not node:
                rivals.append(ends)
            margin = max(-FAR, min(FAR, scores[best] - max(rivals, default=scores[best] - FAR)))
            here, length = len(tree.text[node]), len(options[best].text)
            share = (inside / max(total, 1e-9), inside / whole, len(members), len(members) / len(through))
            facts.append((depth, here, length - here - len(word), *share, scores[best], margin, best))
            number = tree.add(node, word, best)
            if word:
                queue.append((number, members, depth + 1))
    return tree, facts


def _support(ranked: Ranked, tree: WordTree, depths: NDArray[np.int64]) -> dict[str, Floats]:
    """Return how far all candidates, not only the best options, go the same way.

    :param depths: the number of words before each node.
    """
    candidates, matches = ranked.candidates, ranked.matches
    windows, readings = matches.window[candidates.best], matches.reading[candidates.best]
    votes, longest = candidates.rows[:, _SHARE], candidates.rows[:, _LONGEST]
    likely = np.exp(ranked.scores - ranked.scores.max())
    likely /= likely.sum()
    out = {name: np.zeros(len(tree.text)) for name in NODE_FEATURES if name.startswith("backed")}
    option_of, deep = np.array(tree.option), np.minimum(depths, WINDOW - 1)
    windows = windows[:, : deep.max() + 1]  # no node is deeper
    for number, option in enumerate(ranked.options[:SPELLED]):
        same = (windows == windows[option.candidate]) & (readings == readings[option.candidate])[:, None]
        agree = np.concatenate((np.ones((len(same), 1)), np.cumprod(same, axis=1)), axis=1)  # by tokens that agree
        by_votes, by_score, count = votes @ agree, likely @ agree, agree.sum(axis=0)
        best = (longest[:, None] * agree).max(axis=0)
        rival = (longest[:, None] * (agree[:, :-1] - agree[:, 1:])).max(axis=0)
        nodes = np.flatnonzero((option_of == number) & (np.arange(len(option_of)) > 0))
        at = deep[nodes]
        out["backed"][nodes] = by_votes[at + 1] / np.maximum(by_votes[at], 1e-12)
        out["backed_share"][nodes] = by_votes[at + 1]
        out["backed_score"][nodes] = by_score[at + 1] / np.maximum(by_score[at], 1e-12)
        out["backed_candidates"][nodes] = np.log1p(count[at + 1])
        out["backed_longest"][nodes] = best[at + 1]
        out["backed_lead"][nodes] = best[at + 1] - rival[at]
    return out


def _earlier_keys(cursor: CursorContext, tree: WordTree) -> dict[str, Floats]:
    """Return how well the best options at earlier keys of the line foresaw it, and how many said each word.

    An option that was right so far, and goes on with the words of a node, said the node.
    """
    line, size = cursor.prefix, len(tree.text)
    # The line's text since each key, and what the best option said then.
    asked = [
        (line[len(prefix) :], text)
        for prefix, text in cursor.line_context.predicted.items()
        if prefix != line and line.startswith(prefix)
    ]
    right = [text for since, text in asked if text.startswith(since) or since.startswith(text)]
    goes_on = [text[len(since) :] for since, text in asked if text.startswith(since)]
    last = goes_on[-1] if goes_on and asked[-1][1].startswith(asked[-1][0]) else None
    said = [sum(_says(text, tree, node) for text in goes_on) / max(1, len(asked)) for node in range(size)]
    return {
        "said": np.array(said),
        "said_lately": np.array([-1.0 if last is None else float(_says(last, tree, node)) for node in range(size)]),
        "asked": np.full(size, float(len(asked))),
        "asked_right": np.full(size, len(right) / len(asked) if asked else -1.0),
    }


def _says(text: str, tree: WordTree, node: int) -> bool:
    """Return whether a text goes through a node."""
    return text == tree.text[node] if tree.ends[node] else text.startswith(tree.text[node])


def _kind(word: str) -> float:
    """Return the kind of a word by its first character; 0 for none."""
    first = word[:1]
    if not first or first.isspace():
        return _BLANK if first else 0.0
    return _KINDS.get(first, _NAME if first.isalpha() or first == "_" else _NUMBER if first.isdigit() else _MARK)


def _words(cursor: CursorContext, tree: WordTree) -> dict[str, Floats]:
    """Return what each word is: its length, kind and blanks, and whether it stands in a string."""
    bare = [tree.word(node).lstrip() for node in range(len(tree.text))]
    typed = sum(cursor.prefix.count(mark) for mark in _QUOTES)
    quotes = [typed]
    for node in range(1, len(bare)):
        quotes.append(quotes[tree.parent[node]] + sum(bare[node].count(mark) for mark in _QUOTES))
    return {
        "letters": np.array([float(len(word)) for word in bare]),
        "kind": np.array([_kind(word) for word in bare]),
        "blanks": np.array([float(len(tree.word(node)) - len(word)) for node, word in enumerate(bare)]),
        "in_text": np.array([float(quotes[max(0, parent)] % 2) for parent in tree.parent]),
    }


def _usage(cursor: CursorContext, tree: WordTree) -> dict[str, Floats]:
    """Return how often the document has each word, and how often after the one and the two words before it."""
    context = cursor.line_context
    ids, one, two = _ids(cursor, tree)
    pair = pair_keys(one, ids)
    before, before_two = _count(one, *context.counts), _count(pair_keys(two, one), *context.pair_counts)
    return {
        "known": np.log1p(_count(ids, *context.counts)),
        "near": _count(ids, context.near, np.ones(len(context.near), np.int64)),
        "pair": _count(pair, *context.pair_counts) / np.maximum(before, 1),
        "pair_count": np.log1p(before),
        "triple": _count(triple_keys(two, pair), *context.triple_counts) / np.maximum(before_two, 1),
        "triple_count": np.log1p(before_two),
    }


def _ids(cursor: CursorContext, tree: WordTree) -> tuple[NDArray[np.uint32], ...]:
    """Return the token of each node, the token before it, and the one before that."""
    size = len(tree.text)
    ids, one, two = np.zeros(size, np.uint32), np.zeros(size, np.uint32), np.zeros(size, np.uint32)
    readings = cursor.readings[0], cursor.readings[-1]
    within = readings[1]
    behind, inside = ([NO_TOKEN, NO_TOKEN, *cursor.context(reading, 2)][-2:] for reading in readings)
    for node in range(1, size):
        word, up = tree.word(node), tree.parent[node]
        token = word.lstrip()
        if up:
            two[node], one[node] = one[up], ids[up]
        elif within.partial and word == token and _kind(word) in (_NAME, _NUMBER):
            two[node], one[node] = inside
            token = within.partial + token
        else:
            two[node], one[node] = behind
        ids[node] = token_id(token) if token else NEWLINE
    return ids, one, two


def _count(values: NDArray[np.generic], ordered: NDArray[np.generic], counts: NDArray[np.int64]) -> Floats:
    """Return the counts of values among distinct sorted ones; 0 for those that are not there."""
    if not len(ordered):
        return np.zeros(len(values))
    at = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return np.where(ordered[at] == values, counts[at], 0).astype(np.float64)


def _lines(cursor: CursorContext, tree: WordTree) -> dict[str, Floats]:
    """Return how many lines of the document begin like the line before each word, and which part goes on with it.

    ``line_below`` and ``line_above`` say which part of a line near the cursor the line up to this word repeats.
    """
    context = cursor.line_context
    counts: dict[str, int] = {}

    def beginning(start: str, after: str = "\U0010ffff") -> int:
        key = start + after
        if key not in counts:
            lines = context.sorted_lines
            counts[key] = bisect_left(lines, key) - bisect_left(lines, start)
        return counts[key]

    begun = cursor.prefix.lstrip()
    full = [(begun + text).strip() for text in tree.text]
    size = len(full)
    begins, agrees = np.zeros(size), np.zeros(size)
    for node in range(1, size):
        total = beginning(full[tree.parent[node]])
        begins[node] = math.log1p(total)
        agrees[node] = beginning(full[node], "\x00" if tree.ends[node] else "\U0010ffff") / max(1, total)
    below, above = _near_lines(context)
    return {
        "lines_begin": begins,
        "lines_agree": agrees,
        "line_below": np.array([_repeats(text, below) for text in full]),
        "line_above": np.array([_repeats(text, above) for text in full]),
    }


def _near_lines(context: LineContext) -> tuple[list[str], list[str]]:
    """Return the next three lines and the last five that are not blank."""
    below = [line.strip() for line in context.after.lines[:8]]
    above = [line.strip() for line in context.before.lines[-8:]]
    return [line for line in below if line][:3], [line for line in above if line][-5:]


def _repeats(text: str, lines: Sequence[str]) -> float:
    """Return which part of one of the lines a text is the beginning of; 0 where it is of none."""
    return max((len(text) / len(line) for line in lines if line.startswith(text)), default=0.0)
