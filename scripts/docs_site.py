"""A hook of MkDocs: pages that stand outside ``docs/`` join the site, and links follow the pages to their places.

A link to a file of the source tree, which the site does not hold, becomes its text.
"""

import posixpath
import re
from pathlib import Path
from typing import Any, Final

from mkdocs.structure.files import File, Files

ROOT: Final = Path(__file__).resolve().parent.parent
OUTSIDE: Final = {
    "README.md": "index.md",
    "README.ko.md": "project/readme.ko.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "editors/vscode/README.md": "project/vscode.md",
    "editors/neovim/README.md": "project/neovim.md",
}
"""Files of the repository and the pages of the site that they become."""
_LINK: Final = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that stand outside ``docs/``."""
    for source, page in OUTSIDE.items():
        if (ROOT / source).exists():
            files.append(File.generated(config, page, content=_moved((ROOT / source).read_text("utf-8"), source)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Rewrite the links of a page of ``docs/``."""
    source = page.file.src_uri
    return markdown if source in OUTSIDE.values() else _moved(markdown, f"docs/{source}")


def _moved(text: str, source: str) -> str:
    """The text of the repository's file ``source`` with the links that it needs as a page; not in blocks of code."""
    parts = re.split(r"(^ *```.*?^ *```)", text, flags=re.M | re.S)
    return "".join(
        part if number % 2 else _LINK.sub(lambda m: _link(m, source), part) for number, part in enumerate(parts)
    )


def _link(found: re.Match[str], source: str) -> str:
    image, label, target = found.groups()
    label = _LINK.sub(lambda inner: _link(inner, source), label)
    if re.match(r"[a-z]+:|#", target):
        return f"{image}[{label}]({target})"
    name, _, anchor = target.partition("#")
    to = posixpath.normpath(posixpath.join(posixpath.dirname(source), name))
    page = to.removeprefix("docs/") if to.startswith("docs/") else OUTSIDE.get(to)
    if page is None:
        return label
    here = posixpath.dirname(source.removeprefix("docs/") if source.startswith("docs/") else OUTSIDE[source])
    return f"{image}[{label}]({posixpath.relpath(page, here or '.')}{'#' + anchor if anchor else ''})"
