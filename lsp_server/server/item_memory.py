"""The last item of each document, and the rest of it while the user types what it says.

Neovim asks after every keystroke; without this memory the ghost text would flicker.
"""

from dataclasses import dataclass, replace

from lsp_server.hangul import is_composing
from lsp_server.types import Suggestion


@dataclass(frozen=True, slots=True)
class Item:
    """A suggestion in a document: replace ``[start, end)`` (code points of the document) by ``text``."""

    id: str
    text: str
    start: int
    end: int
    suggestion: Suggestion


@dataclass(frozen=True, slots=True)
class _Remembered:
    """An item, and the text and the cursor it was made for."""

    item: Item
    text: str
    offset: int

    def rest(self, text: str, offset: int) -> Item | None:
        """The rest of the item after typing its beginning; None where something else was typed.

        While an input method composes a syllable of it, that syllable is part of the rest, which replaces its state.
        """
        item, before = self.item, self.text
        typed = offset - self.offset
        if typed < 0 or len(text) != len(before) + typed:
            return None
        if item.text[: self.offset - item.start] != before[item.start : self.offset]:
            return None
        inserted, wanted = text[self.offset : offset], item.text[self.offset - item.start :]
        composing = is_composing(inserted, wanted)
        if not composing and not wanted.startswith(inserted):
            return None
        if text[: self.offset] != before[: self.offset] or text[offset:] != before[self.offset :]:
            return None
        start = offset - composing
        if start - item.start >= len(item.text):
            return None
        return replace(item, text=item.text[start - item.start :], start=start, end=item.end + typed)


class ItemMemory:
    """The last item of each document, by the document's key."""

    def __init__(self) -> None:
        self._last: dict[str, _Remembered] = {}

    def remember(self, key: str, item: Item, text: str, offset: int) -> None:
        """Remember the item that a document with this text and cursor got."""
        self._last[key] = _Remembered(item, text, offset)

    def forget(self, key: str) -> None:
        """Forget a document's item."""
        self._last.pop(key, None)

    def clear(self) -> None:
        """Forget every item."""
        self._last.clear()

    def rest(self, key: str, text: str, offset: int) -> Item | None:
        """The rest of a document's item, with the same id; None where what was typed does not agree with it."""
        last = self._last.get(key)
        return last.rest(text, offset) if last is not None else None

    def still_offered(self, key: str, item: Item, text: str | None) -> bool:
        """Whether an item is the last one of its document, whose text now agrees with it.

        :param text: the document's text now; None where it has none.
        """
        last = self._last.get(key)
        if last is None or last.item.id != item.id or text is None:
            return False
        return text == last.text or last.rest(text, last.offset + len(text) - len(last.text)) is not None

    def find(self, identifier: str) -> list[tuple[str, Item]]:
        """The documents (by key) whose last item has this id, each with the item."""
        return [(key, last.item) for key, last in self._last.items() if last.item.id == identifier]
