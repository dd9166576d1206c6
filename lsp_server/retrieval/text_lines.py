"""The lines of a text that is kept, in one piece.

A key reads lines of up to 128 texts of the index. As lists of lines these took 18 MB at a million lines of Python, most
of it the objects' own headers; as one text and the places of its lines they take 5.
"""

from array import array
from collections.abc import Sequence
from typing import overload

import numpy as np

from indexer.text.lines import unify_line_ends


class TextLines(Sequence[str]):
    """The lines of a text without their ends, as ``lines_of`` gives them; each is cut out when it is asked for."""

    __slots__ = ("_starts", "_text")

    def __init__(self, text: str) -> None:
        self._text = unify_line_ends(text)
        letters = np.frombuffer(self._text.encode("utf-32-le", "surrogatepass"), np.uint32)
        ends = np.flatnonzero(letters == ord("\n"))
        self._starts = array("i", np.concatenate(([0], ends + 1, [len(letters) + 1])).astype(np.intc).tobytes())

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, which: int) -> str: ...
    @overload
    def __getitem__(self, which: slice) -> list[str]: ...
    def __getitem__(self, which: int | slice) -> str | list[str]:
        if isinstance(which, slice):
            return [self[number] for number in range(*which.indices(len(self)))]
        number = which if which >= 0 else which + len(self)
        if not 0 <= number < len(self):
            raise IndexError(which)
        return self._text[self._starts[number] : self._starts[number + 1] - 1]
