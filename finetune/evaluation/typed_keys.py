"""The documents at the keys of a hunk, for what is fitted on typed keys: nobody accepts a text or mistypes there."""

import re
from collections.abc import Iterator

from finetune.commits.typed_hunks import TypedHunk
from lsp_server.types import Document


def opened(hunk: TypedHunk, uri: str) -> Document:
    """Return the document before a hunk was typed, with the lines that the hunk replaces."""
    text = hunk.before + "\n".join((*hunk.replaced, *hunk.after))
    return Document(uri, hunk.path, hunk.language, 0, text)


def typed(hunk: TypedHunk, uri: str) -> Iterator[tuple[Document, int]]:
    """Yield the document before each key of a hunk, and how much of the hunk's text stands there by then.

    The cursor is behind it. The editor indents, so no key is pressed within the blanks that begin a line.
    """
    want, after = "\n".join(hunk.lines), "\n".join(hunk.after)
    at = len(want) - len(want.lstrip(" \t"))
    while at < len(want):
        text = hunk.before + want[:at] + ("\n" + after if hunk.after else "")
        yield Document(uri, hunk.path, hunk.language, at + 1, text), at
        at += 1
        if want[at - 1] == "\n":
            at += len(re.match(r"[ \t]*", want[at:])[0])  # type: ignore[index]
