"""Derives the next row of a series: the line above, with its changing word replaced by the next one.

Ports, parameters, cases, fields and imports come in rows of one form. Lines above the cursor that have the form of the
typed text are templates. The first word in which the last two of them differ is the changing word. Its replacement is a
name of the document that begins with the typed letters, the nearest first; the word that follows it elsewhere in the
document, where the same things are listed in another form; or, for a number, the next number.

This module does not judge the result; the ranker does.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from indexer.text.lines import leading_blanks
from indexer.text.tokens import TOKEN
from lsp_server.retrieval.columns import LONGEST
from lsp_server.retrieval.cursor import REACH, WINDOW, CursorContext
from lsp_server.retrieval.listed_items import WORD, exchangeable
from lsp_server.retrieval.matches import (
    COUNTED_RANK,
    FIRST_NAME_RANK,
    DerivedMatches,
    NextRow,
    as_derived,
)
from lsp_server.retrieval.renamed_copies import apply, changed_parts

TEMPLATES: Final = 3
"""Lines above that serve as templates, at most."""

NAMES: Final = 5
"""Words of each kind that are tried, at most."""

LONGEST_FORM: Final = 12
"""As many tokens before the cursor count as equal, at most."""

SEEN: Final = 12
"""Occurrences of a word that are looked at on either side of the cursor, at most."""

_NUMBERED = re.compile(r"(.*?)(\d+)(\D*)")


@dataclass(frozen=True, slots=True)
class Template:
    """A line above that has the form of the typed text.

    :param row: its number. :param names: the new line's words for those of the template, as far as they are typed.
    """

    row: int
    text: str
    tokens: list[str]
    names: dict[str, str]


def next_rows(cursor: CursorContext) -> DerivedMatches | None:
    """Return the next rows of the series that the cursor stands in; None where it stands in none."""
    rows: list[NextRow] = []
    seen: set[tuple[int, str]] = set()
    for number, reading in enumerate(cursor.readings):
        typed = TOKEN.findall(cursor.prefix)[: len(reading.typed)]
        templates = _templates(cursor, typed)
        for template, before in zip(templates, (*templates[1:], None), strict=False):
            for rest, rank in _fillings(cursor, template, before, len(typed), reading.partial, templates):
                if (number, rest) not in seen:
                    seen.add((number, rest))
                    length = min(len(typed), LONGEST_FORM)
                    rows.append(NextRow(number, len(typed), template.row, rest, length, rank))
    return as_derived(cursor.line_context, rows) if rows else None


def _templates(cursor: CursorContext, typed: Sequence[str]) -> list[Template]:
    """Return the nearest lines above, with the cursor's indentation, that begin in the form of the typed text."""
    found: list[Template] = []
    indent = leading_blanks(cursor.prefix)
    for row, blanks, tokens in cursor.line_context.rows_above:
        names = _names(tokens, typed) if blanks == indent and len(typed) < len(tokens) <= WINDOW else None
        if names is not None:
            found.append(Template(row, cursor.line_context.before.lines[row], tokens, names))
        # At a line's start only the line right above begins a series.
        if len(found) > TEMPLATES or not (typed or found):
            break
    return found


def _names(tokens: Sequence[str], typed: Sequence[str]) -> dict[str, str] | None:
    """Return the typed line's words for those of a line above; None where the forms differ."""
    names: dict[str, str] = {}
    for one, other in zip(tokens, typed, strict=False):
        if one == other:
            continue
        if not exchangeable(one, other):
            return None
        names.setdefault(one, other)
    return names


def _fillings(
    cursor: CursorContext,
    template: Template,
    before: Template | None,
    typed: int,
    partial: str,
    series: Sequence[Template],
) -> Iterator[tuple[str, int]]:
    """Yield the template's rest with each possible replacement of its changing word, and the word's rank."""
    tokens = template.tokens
    changing = typed if partial else _changing_token(template, before, typed)
    if changing is None:
        return
    word = tokens[changing]
    rest = _behind(template, typed)
    if before is not None and not partial:
        counted = _counted(template, before, typed)
        if counted is not None:
            yield counted, COUNTED_RANK
    if not WORD.fullmatch(word):
        return
    used = {one.tokens[changing] for one in series if changing < len(one.tokens)}
    named = _begun(cursor, partial) if partial else []
    for rank, new in [*enumerate(_following(cursor, word)), *enumerate(named, FIRST_NAME_RANK)]:
        if new in used or not new.startswith(partial) or new == partial:
            continue
        names = {**template.names, word: new}
        parts = {f"\0{a}": b for one, other in names.items() for a, b in changed_parts(one, other)}
        yield apply(rest, {**parts, **names})[0], rank


def _changing_token(template: Template, before: Template | None, typed: int) -> int | None:
    """Return the first token behind the typed ones in which two rows differ; None where they are no series."""
    if before is None or len(before.tokens) != len(template.tokens):
        return None
    changing = None
    for number, (one, other) in enumerate(zip(template.tokens, before.tokens, strict=True)):
        if one != other:
            if not exchangeable(one, other):
                return None
            if changing is None and number >= typed:
                changing = number
    return changing


def _counted(template: Template, before: Template, typed: int) -> str | None:
    """Return the template's rest with every number that grew from row to row grown again; None where none did."""
    if len(before.tokens) != len(template.tokens):
        return None
    names: dict[str, str] = {}
    for one, other in zip(template.tokens, before.tokens, strict=True):
        new, old = _NUMBERED.fullmatch(one), _NUMBERED.fullmatch(other)
        if one == other:
            continue
        if not new or not old or (new[1], new[3]) != (old[1], old[3]):
            return None
        names[one] = (
            f"{new[1]}{str(2 * int(new[2]) - int(old[2])).zfill(len(new[2]) if new[2][0] == '0' else 0)}{new[3]}"
        )
    if not names or any("-" in name for name in names.values()):
        return None
    rest = _behind(template, typed)
    return TOKEN.sub(lambda match: names.get(match[0], match[0]), rest)


def _behind(template: Template, typed: int) -> str:
    """Return the template's text behind its first tokens."""
    if not typed:
        return template.text.strip()
    end = 0
    for number, match in enumerate(TOKEN.finditer(template.text), 1):
        end = match.end()
        if number == typed:
            break
    return template.text[end:].rstrip()


def _begun(cursor: CursorContext, partial: str) -> Iterator[str]:
    """Return names of the document that begin like this, the nearest first."""
    longer = (name for name in cursor.line_context.names if name.startswith(partial) and name != partial)
    return islice(longer, NAMES)


def _following(cursor: CursorContext, word: str) -> list[str]:
    """Return words that stand in a word's position on the line below it, elsewhere in the document."""
    context = cursor.line_context
    if word not in context.followers:
        pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
        texts = (context.after.text[:REACH], context.before.text[-REACH:])
        found = (_below(text, match) for text in texts for match in islice(pattern.finditer(text), SEEN))
        context.followers[word] = [*islice(dict.fromkeys(filter(None, found)), NAMES)]
    return context.followers[word]


def _below(text: str, match: "re.Match[str]") -> str | None:
    """Return the word in the position of a matched word on the next line."""
    start, end = text.rfind("\n", 0, match.start()) + 1, text.find("\n", match.end())
    if end < 0 or end - start > LONGEST:
        return None
    following = text[end + 1 : end + 1 + LONGEST].split("\n", 1)[0]
    return _counterpart(
        TOKEN.findall(text[start:end]), TOKEN.findall(following), len(TOKEN.findall(text[start : match.start()]))
    )


def _counterpart(this: Sequence[str], following: Sequence[str], number: int) -> str | None:
    """Return the word of the following line that is as far from its start, or from its end, as the word is in its own.

    :param number: of the word in ``this`` line.
    """
    for at in (number, len(following) - (len(this) - number)):
        if 0 <= at < len(following):
            new = following[at]
            around = [
                at - 1 >= 0 and number - 1 >= 0 and following[at - 1] == this[number - 1],
                at + 1 < len(following) and number + 1 < len(this) and following[at + 1] == this[number + 1],
            ]
            if WORD.fullmatch(new) and new not in this and any(around):
                return new
    return None
