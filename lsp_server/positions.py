"""Lines and columns as the protocol counts them: line ends, position encodings, surrogates."""

import re

from indexer.text.lines import lines_with_ends

UTF8, UTF16, UTF32 = "utf-8", "utf-16", "utf-32"
_SURROGATE = re.compile("[\ud800-\udfff]")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def split_lines(text: str) -> list[str]:
    """Split into lines that keep their ends; a text that ends with a line end has an empty last line."""
    lines = lines_with_ends(text)
    if not lines or lines[-1][-1] in "\r\n":
        lines.append("")
    return lines


def body_length(line: str) -> int:
    """Return the length of a line without its end, in code points."""
    if line.endswith("\r\n"):
        return len(line) - 2
    return len(line) - 1 if line.endswith(("\n", "\r")) else len(line)


def units(text: str, encoding: str) -> int:
    """Return the length of ``text`` in the units of a position encoding."""
    if encoding == UTF32 or text.isascii():
        return len(text)
    if encoding == UTF8:
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def split_at(body: str, column: int, encoding: str) -> tuple[str, str]:
    """Split a line's body at a column given in units; a column past the end is the end.

    In UTF-16 a column may be between the halves of a character, and editors send such edits: then both halves are
    returned as lone surrogates, which :meth:`Text.replace` joins when they meet again. In UTF-8 the column moves to the
    start of the character.
    """
    head = body[:column]
    if encoding == UTF32 or head.isascii():
        return head, body[column:]
    if encoding == UTF8:
        data = head.encode("utf-8", "surrogatepass")
        if len(data) <= column:
            return head, body[len(head) :]
        while column and data[column] & 0xC0 == 0x80:
            column -= 1
        head = data[:column].decode("utf-8", "surrogatepass")
        return head, body[len(head) :]
    data = head.encode("utf-16-le", "surrogatepass")
    if len(data) <= 2 * column:
        return head, body[len(head) :]
    left = data[: 2 * column].decode("utf-16-le", "surrogatepass")
    if left[-1] == body[len(left) - 1]:
        return left, body[len(left) :]
    low = chr(0xDC00 + (ord(body[len(left) - 1]) - 0x10000) % 0x400)
    return left, low + body[len(left) :]


def join_surrogates(text: str) -> str:
    """Join the halves of characters that stand next to each other."""
    if text.isascii() or not _PAIR.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def has_surrogate(text: str) -> bool:
    """Whether a text holds half of a character."""
    return not text.isascii() and _SURROGATE.search(text) is not None
