"""The form of the rules that say which lines give a name. ``name_table`` holds those of each language."""

import re
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class NameRule:
    """Lines of one kind that give a name.

    :param line: pattern of the line, up to behind the name. :param marks: the marks that the innermost open block may
        have been opened with; "" stands for the top of a file. None for any.
    :param head: pattern that must be found in the line that opened this block.
    """

    line: str
    marks: tuple[str, ...] | None = None
    head: str = ""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The compiled pattern of the line."""
        return re.compile(self.line)

    @cached_property
    def in_block(self) -> re.Pattern[str]:
        """The compiled pattern of the block's head."""
        return re.compile(self.head)


@dataclass(frozen=True)
class NameRules:
    """The rules of one language.

    :param ends: pattern of lines beyond which no name is compared: alternatives of a preprocessor, sections.
    :param indented: whether a scope is what is indented alike.
    """

    rules: tuple[NameRule, ...]
    ends: str = ""
    indented: bool = False
    _none: re.Pattern[str] = field(default=re.compile(r"(?!)"), repr=False)

    @cached_property
    def end(self) -> re.Pattern[str]:
        """The compiled pattern of such lines."""
        return re.compile(self.ends) if self.ends else self._none
