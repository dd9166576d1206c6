"""What a page of the dashboard consists of; the template draws it and escapes all text."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Field:
    """A field of a form.

    :param choices: proposed values; the user may write another one. :param kind: ``text`` or ``number``.
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
    """Lines of code under a title; ``notes`` are sentences above them, ``links`` (label, address) next to the title."""

    title: str
    lines: Sequence[Line] = ()
    notes: Sequence[str] = ()
    links: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Table:
    """A table with a title; ``empty`` is the sentence that stands there if it has no rows."""

    title: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    empty: str = ""
    note: str = ""


@dataclass(frozen=True)
class Page:
    """What one page shows.

    :param form: fields that the user fills in; the answer is the same page. :param listings: code.
    :param tiles: (label, value). :param plots: inline SVG. :param problems: sentences about what cannot be read.
    """

    title: str
    form: Form | None = None
    tiles: list[tuple[str, str]] = field(default_factory=list)
    plots: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    listings: list[Listing] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
