"""What a page of the dashboard consists of; the template draws it and escapes all text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Field:
    """A field of a form.

    :param choices: proposed values; the user may write another one, except of the kind ``choice``.
    :param kind: ``text``, ``number`` or ``choice``.
    """

    name: str
    label: str
    value: str = ""
    kind: str = "text"
    choices: Sequence[str] = ()


@dataclass(frozen=True)
class Form:
    """Fields and the word on the button; the fields stand in the address of the answer."""

    fields: tuple[Field, ...]
    button: str


@dataclass(frozen=True)
class Question:
    """Something that the page would change, with the button that does it.

    :param values: sent with the answer. :param cancel: the address of the page without the question.
    """

    text: str
    button: str
    values: Mapping[str, str]
    cancel: str


@dataclass(frozen=True)
class Link:
    """A cell of a table that leads somewhere."""

    text: str
    address: str


@dataclass(frozen=True)
class Line:
    """A line of code.

    :param number: counted from 1; 0 for none. :param link: where its number leads. :param ghost: text behind ``text``
        that nobody has typed. :param rest: what stands behind the cursor. :param here: whether the cursor is in it.
    """

    number: int
    text: str
    link: str = ""
    ghost: str = ""
    rest: str = ""
    here: bool = False


@dataclass(frozen=True)
class Listing:
    """Lines of code under a title; ``notes`` are sentences above them, ``links`` (label, address) next to the title.

    :param here: the address of the page with this cursor.
    """

    title: str
    lines: Sequence[Line] = ()
    notes: Sequence[str] = ()
    links: Sequence[tuple[str, str]] = ()
    here: str = ""


@dataclass(frozen=True)
class Table:
    """A table with a title; ``empty`` is the sentence that stands there if it has no rows."""

    title: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str | Link, ...]]
    empty: str = ""
    note: str = ""


@dataclass(frozen=True)
class Page:
    """What one page shows.

    :param form: fields that the user fills in; the answer is the same page. :param listings: code.
    :param tiles: (label, value). :param plots: (title, inline SVG). :param problems: what cannot be read, in sentences.
    :param notes: sentences that answer the question of the page. :param done: a sentence about what was just changed.
    :param question: what the user is asked to confirm.
    """

    title: str
    form: Form | None = None
    done: str = ""
    question: Question | None = None
    tiles: list[tuple[str, str]] = field(default_factory=list)
    plots: list[tuple[str, str]] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    listings: list[Listing] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
