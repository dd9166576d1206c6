"""Languages that share their syntax, so that one rule holds for all of a family."""

from typing import Final

C_FAMILY: Final = frozenset({"c", "cpp", "objc"})
"""C and what grew out of it, with its preprocessor, whose macros are written in capitals."""

HARDWARE: Final = frozenset({"systemverilog", "verilog"})

PYTHONS: Final = frozenset({"python", "starlark"})
"""Languages whose blocks are their indentation, and begin behind a colon."""

SCRIPTS: Final = frozenset({"javascript", "typescript", "tsx"})
