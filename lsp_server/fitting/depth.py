"""Says which lines of Python stand deeper than the lines above them allow.

tree-sitter reads a deeper line as one of the block above it, so it finds no error where Python does.
"""

import re

from indexer.text.lines import leading_blanks
from lsp_server.fitting.families import PYTHONS
from lsp_server.fitting.surroundings import Surroundings

_OPENS = re.compile(r":\s*(?:#.*)?$")


def too_deep(line: str, around: Surroundings) -> bool:
    """Return whether a whole line stands deeper than the statement above it, which opens no block.

    Blanks are compared as they are written, so tabs among blanks decide nothing. It is for a text that adds blanks:
    those that stand there are the author's own.
    """
    if around.language not in PYTHONS or around.state.code is not None or around.state.span >= 0:
        return False
    last = ""
    for row in range(len(around.above) - 1, -1, -1):
        above = around.above[row]
        if not above.strip() or above.lstrip().startswith("#"):
            continue
        last = last or above
        before = around.states[row - 1] if row else None
        if before is not None and (before.code is not None or before.span >= 0):
            continue  # within parentheses or a string: not the beginning of a statement
        if row and around.above[row - 1].rstrip().endswith("\\"):
            continue
        if _OPENS.search(last) or last.rstrip().endswith("\\") or (row == 0 and not around.from_start):
            return False
        own, blanks = leading_blanks(line), leading_blanks(above)
        return len(own) > len(blanks) and own.startswith(blanks)
    return False
