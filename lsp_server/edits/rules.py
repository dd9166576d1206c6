"""Rules that one edit teaches: the tokens that went and came, with more or less of the tokens around them.

The idea of generalising a person's edit to rules over its syntax, from specific to general, is that of Blue-Pencil
(Miltner et al., OOPSLA 2019). Here a rule is literal in what it replaces and keeps up to three tokens on each side,
as they are or by kind only. Which rules hold is not decided here: each is a kind of evidence, and the probability of
a proposal is estimated from all kinds that agree on it (:mod:`lsp_server.edits.probability`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

from lsp_server.edits.alignment import operations
from lsp_server.edits.call_parts import divided
from lsp_server.edits.token_lines import BEGIN, END, TokenLine, is_name, is_word, kind_of, render, shifted

MAX_TOKENS: Final = 80
"""Edits of more tokens teach no rules with context."""

MAX_REGIONS: Final = 5

AS_GONE: Final = "\x00"
"""Blanks of a token behind others that go: those that stood before the first of these at the place."""

ONE: Final = ("c00", "c10", "c01", "c11", "c20", "c02", "c22", "c33", "k11", "k22", "k33")
MANY: Final = ("m00", "m11", "m22", "mk11")
SINGLE: Final = ("s00", "s11", "s22", "sk22")
OTHER: Final = ("part", "indent", "columns", "call", "analogy", "renames", "union", "gone", "gone_like")
KINDS: Final = (*ONE, *MANY, *SINGLE, *OTHER)
"""Kinds of evidence: ``c`` one region with that number of tokens left and right of it, ``k`` names and numbers among
these by kind only, ``m`` several regions, ``s`` one of several regions; then a part of a name, the indentation,
columns, the arguments of a call, an edit carried over token by token, all renames together, several rules together; the
same line deleted, a like line deleted."""


@dataclass(frozen=True)
class Region:
    """What changes at one place of a line.

    :param left: tokens before it that must agree. :param gone: tokens that go, literally.
    :param come: tokens that come, each with the blanks before it.
    :param after: blanks before the next token, where the edit changed these, or ``AS_GONE``; else None.
    :param respaced: the blanks before the first token that comes are the edit's; else those of the place.
    :param raw: the pattern as it stood in the edited line.
    """

    left: tuple[str, ...]
    gone: tuple[str, ...]
    come: tuple[tuple[str, str], ...]
    right: tuple[str, ...]
    after: str | None
    respaced: bool
    raw: str = ""

    @cached_property
    def pattern(self) -> tuple[str, ...]:
        """Everything that must agree."""
        return self.left + self.gone + self.right

    @cached_property
    def inserted(self) -> tuple[str, ...]:
        """The tokens that come where none goes; none where they may stand twice, as a single sign may."""
        come = tuple(text for _, text in self.come)
        return () if self.gone or (len(come) < 2 and not any(map(is_word, come))) else come


@dataclass(frozen=True)
class Rule:
    """One generalisation of an edit.

    :param by_kind: the context agrees if the kinds of its tokens do.
    :param indents: the indentation before and after.
    :param columns: tokens with more than one blank before them keep their columns.
    :param whole: for each two regions whether one expression stood between them: no comma stands there then.
    """

    kind: str
    regions: tuple[Region, ...]
    by_kind: bool
    indents: tuple[str, str]
    columns: bool
    whole: tuple[bool, ...] = ()

    @cached_property
    def literals(self) -> frozenset[str]:
        """Tokens that every line has to hold for the rule to apply."""
        found = {token for region in self.regions for token in region.gone}
        if not self.by_kind:
            found.update(token for region in self.regions for token in region.left + region.right)
        return frozenset(found - {BEGIN, END})

    @cached_property
    def worded(self) -> bool:
        """Whether a word is among the tokens that a line has to hold; the change of an indentation needs none."""
        return self.kind == "indent" or any(is_word(token) for token in self.literals)

    @cached_property
    def change(self) -> tuple[object, ...]:
        """What the rule makes of a place, without its context."""
        return *((r.gone, r.come, r.after, r.respaced) for r in self.regions), self.indents, self.columns

    def implies(self, wider: "Rule") -> bool:
        """Whether another rule applies wherever this one does: the same change, with a part of the context."""
        if len(self.regions) != 1 or len(wider.regions) != 1 or (self.by_kind and not wider.by_kind):
            return False
        (mine,), (other,) = self.regions, wider.regions
        if mine.gone != other.gone or len(mine.left) < len(other.left) or len(mine.right) < len(other.right):
            return False
        left, right = mine.left[len(mine.left) - len(other.left) :], mine.right[: len(other.right)]
        if wider.by_kind and not self.by_kind:
            left, right = tuple(map(kind_of, left)), tuple(map(kind_of, right))
        return left == other.left and right == other.right

    def apply(self, line: TokenLine) -> tuple[str, int] | None:
        """Return the line after the rule and the number of places that changed; None where it does not apply."""
        cuts = self.cuts(line)
        text = self.made(line, cuts) if cuts else None
        return (text, len(cuts)) if text is not None else None

    def cuts(self, line: TokenLine) -> list[int]:
        """Return the places in ``line.padded`` at which something goes or comes; none where the rule does not apply."""
        if not self.literals <= line.words:
            return []
        cuts: list[int] = []
        if len(self.regions) == 1:
            (region,) = self.regions
            end = 0
            for at in find(region, line, self.by_kind):
                if at + len(region.left) >= end:
                    cuts.append(at + len(region.left))
                    end = cuts[-1] + max(1, len(region.gone))
            return cuts
        behind = 0
        for region, whole in zip(self.regions, (False, *self.whole), strict=False):
            places = [at for at in find(region, line, self.by_kind) if at + len(region.left) >= behind]
            if len(places) != 1 or (whole and divided(line.padded[behind : places[0] + len(region.left)])):
                return []
            cuts.append(places[0] + len(region.left))
            behind = cuts[-1] + len(region.gone)
        return cuts

    def made(self, line: TokenLine, cuts: Sequence[int]) -> str | None:
        """Return the line with the change made at the places that :meth:`cuts` names; None where its indents differ."""
        indent = shifted(line.indent, *self.indents)
        if indent is None:
            return None
        regions = self.regions if len(self.regions) > 1 else self.regions * len(cuts)
        return spliced(line, list(zip(cuts, regions, strict=True)), indent, self.columns)


def find(region: Region, line: TokenLine, by_kind: bool) -> list[int]:
    """Return the places in ``line.padded`` at which the pattern of a region stands."""
    pattern, padded = region.pattern, line.padded
    size, first = len(pattern), len(region.left)
    last = first + len(region.gone)
    around, places_around = (line.kinds, line.places_by_kind) if by_kind else (padded, line.places)
    rarest = 0
    places: Sequence[int] = range(len(padded))
    for number, token in enumerate(pattern):
        there = (line.places if first <= number < last else places_around).get(token, ())
        if len(there) < len(places):
            if not there:
                return []
            rarest, places = number, there
    return [
        at
        for at in [place - rarest for place in places]
        if 0 <= at <= len(padded) - size
        and padded[at + first : at + last] == region.gone
        and around[at : at + first] == region.left
        and around[at + last : at + size] == region.right
        and not there_already(region, padded, at + first)
    ]


def there_already(region: Region, padded: Sequence[str], at: int) -> bool:
    """Whether what a region inserts stands at a place already: ``MockHandler<?>`` becomes no ``MockHandler<?><?>``.

    A single sign may stand twice, as brackets do.
    """
    come = region.inserted
    if not come:
        return False
    return tuple(padded[max(0, at - len(come)) : at]) == come or tuple(padded[at : at + len(come)]) == come


def spliced(line: TokenLine, cuts: list[tuple[int, Region]], indent: str, columns: bool) -> str:
    """Return the text of a line after regions were exchanged at places of its padded tokens, in ascending order."""
    texts, spaces, kept = list(line.texts), list(line.spaces), list(range(len(line.texts)))
    for place, region in reversed(cuts):
        at, size = place - 1, len(region.gone)
        come = list(region.come)
        if come and not region.respaced and at < len(spaces):
            come[0] = (spaces[at], come[0][1])
        if region.after is not None and at + size < len(spaces):
            spaces[at + size] = spaces[at] if region.after == AS_GONE else region.after
        texts[at : at + size] = [text for _, text in come]
        spaces[at : at + size] = [space for space, _ in come]
        kept[at : at + size] = [-1] * len(come)
    if columns:
        _keep_columns(line, texts, spaces, kept)
    if spaces and spaces[0]:
        spaces[0] = ""
    return render(indent, texts, spaces, line.tail if texts else "")


def _keep_columns(line: TokenLine, texts: list[str], spaces: list[str], kept: list[int]) -> None:
    """Put tokens that more than one blank preceded back into their columns."""
    old = columns_of(line.texts, line.spaces)
    column = 0
    for at, number in enumerate(kept):
        column += len(spaces[at])
        if number > 0 and len(line.spaces[number]) > 1 and column != old[number]:
            spaces[at] = " " * max(1, len(spaces[at]) + old[number] - column)
            column = max(old[number], column - len(spaces[at]) + 1)
        column += len(texts[at])


def columns_of(texts: tuple[str, ...], spaces: tuple[str, ...]) -> list[int]:
    """Return the column of each token, from the first one on."""
    found, column = [], 0
    for text, space in zip(texts, spaces, strict=True):
        column += len(space)
        found.append(column)
        column += len(text)
    return found


def differences(old: TokenLine, new: TokenLine) -> tuple[list[tuple[int, int, int, int]], bool]:
    """Return the changed regions as ranges of tokens of both lines, and whether columns were kept.

    Blanks that changed before an unchanged token are a region of their own, unless the token kept its column.
    """
    codes = operations(old.texts, new.texts)
    before, after = columns_of(old.texts, old.spaces), columns_of(new.texts, new.spaces)
    regions: list[tuple[int, int, int, int]] = []
    kept = False
    changed_before = False
    for name, i, j, m, n in codes:
        if name != "equal":
            regions.append((i, j, m, n))
            changed_before = True
            continue
        for at in range(j - i):
            a, b = i + at, m + at
            if a == 0 or b == 0 or old.spaces[a] == new.spaces[b]:
                continue
            if at == 0 and changed_before and (len(old.spaces[a]) <= 1 or _takes_over(old, new, regions[-1])):
                continue  # the region before says what stands between them
            if changed_before and before[a] == after[b]:
                kept = True
            else:
                regions.append((a, a + 1, b, b + 1))
    return regions, kept


def rules_of(old: TokenLine, new: TokenLine) -> list[Rule]:
    """Return the rules that one changed line teaches, the most general ones first."""
    regions, columns = differences(old, new)
    indents = (old.indent, new.indent)
    if not regions:
        return [Rule("indent", (), False, indents, False)] if old.indent != new.indent else []
    found: list[Rule] = []
    whole = (regions[0][0], regions[-1][1], regions[0][2], regions[-1][3])
    if whole[1] - whole[0] + whole[3] - whole[2] <= MAX_TOKENS:
        for kind in ONE:
            rule = _rule(kind, [whole], old, new, columns)
            if rule is not None:
                found.append(rule)
    if 2 <= len(regions) <= MAX_REGIONS:
        found += _repeated(regions, old, new, columns)
        for kind in MANY:
            rule = _rule(kind, regions, old, new, columns)
            if rule is not None:
                found.append(rule)
        for kind in SINGLE:
            for region in regions:
                rule = _rule(kind, [region], old, new, columns)
                if rule is not None:
                    found.append(rule)
    return found


def _repeated(
    regions: list[tuple[int, int, int, int]], old: TokenLine, new: TokenLine, columns: bool
) -> Iterator[Rule]:
    """Yield the rules of tokens that were inserted several times in front of one token, or behind one."""
    if len({(old.texts[i:j], new.texts[m:n]) for i, j, m, n in regions}) > 1 or regions[0][0] < regions[0][1]:
        return
    for kind, shift in (("c01", 1), ("c10", 0)):
        if len({old.padded[i + shift] for i, _, _, _ in regions}) == 1:
            rule = _rule(kind, regions[-1:], old, new, columns)
            if rule is not None:
                yield rule


def _rule(
    kind: str, regions: list[tuple[int, int, int, int]], old: TokenLine, new: TokenLine, columns: bool
) -> Rule | None:
    by_kind = "k" in kind
    left, right = int(kind[-2]), int(kind[-1])
    padded = old.kinds if by_kind else old.padded
    made = []
    for i, j, m, n in regions:
        before = padded[max(0, i + 1 - left) : i + 1]
        after = padded[j + 1 : j + 1 + right]
        come = tuple(zip(new.spaces[m:n], new.texts[m:n], strict=True))
        if not set(before + old.texts[i:j] + after) - {BEGIN, END}:
            return None
        space, respaced = spacing(old, new, (i, j, m, n))
        first, last = max(0, i - left), j + right
        raw = "".join(s + t for s, t in zip(old.spaces[first:last], old.texts[first:last], strict=True)).strip()
        made.append(Region(before, old.texts[i:j], come, after, space, respaced, raw))
    whole = tuple(not divided(old.texts[one[1] : other[0]]) for one, other in pairwise(regions))
    return Rule(kind, tuple(made), by_kind, (old.indent, new.indent), columns, whole)


def spacing(old: TokenLine, new: TokenLine, region: tuple[int, int, int, int]) -> tuple[str | None, bool]:
    """Return ``after`` and ``respaced`` of a changed region; see :class:`Region`."""
    i, j, m, n = region
    if m == n < len(new.spaces) and i < j < len(old.spaces) and new.spaces[n] == old.spaces[i]:
        return AS_GONE, False
    takes = _takes_over(old, new, region)
    after = None
    if j < len(old.spaces) and n < len(new.spaces) and old.spaces[j] != new.spaces[n]:
        after = new.spaces[n] if len(old.spaces[j]) <= 1 or takes else None
    return after, not takes if i == j else m < n and old.spaces[i] != new.spaces[m]


def _takes_over(old: TokenLine, new: TokenLine, region: tuple[int, int, int, int]) -> bool:
    """Whether tokens are inserted that take the blanks before the next token."""
    i, j, m, n = region
    return i == j < len(old.spaces) and m < n and old.spaces[i] == new.spaces[m]


def replaced_names(old: TokenLine, new: TokenLine) -> tuple[tuple[str, str], ...]:
    """Return the names that became other ones in an edit, each once."""
    regions, _ = differences(old, new)
    pairs: dict[str, str] = {}
    for i, j, m, n in regions[:MAX_REGIONS]:
        if j - i == n - m == 1 and is_name(old.texts[i]) and is_name(new.texts[m]) and old.texts[i] != new.texts[m]:
            pairs.setdefault(old.texts[i], new.texts[m])
    return tuple(pairs.items())
