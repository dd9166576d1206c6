"""How this copy of Ondol was installed, and the command that adds an optional part to it.

Ondol is not in a public package index. A command with its bare name would fail, or fetch what a stranger registered
under that name. The commands here name the checkout or the wheel that this copy came from, which pip records in the
file ``direct_url.json`` of the installed package (PEP 610). A copy from a company's index has no such file: its
commands name the packages of the optional part instead.
"""

import importlib.metadata
import json
import re
import shlex
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, cast
from urllib.parse import unquote, urlsplit

Tool = Literal["pip", "pipx", "uv"]


@dataclass(frozen=True)
class Installation:
    """Where this copy came from.

    :param source: the folder of a checkout, or the file of a wheel or archive; empty if it came from a package index.
    :param editable: changes of the checkout take effect at once.
    :param tool: which program made the environment.
    """

    source: str
    editable: bool
    tool: Tool

    def described(self) -> str:
        """One phrase for people, for example ``from the checkout /home/sun/ondol, by pipx``."""
        if not self.source:
            return f"from a package index, by {self.tool}"
        kind = "wheel" if self.source.endswith(".whl") else "checkout" if Path(self.source).is_dir() else "archive"
        return f"from the {kind} {self.source}{', editable' if self.editable else ''}, by {self.tool}"

    def command(self, extra: str) -> str:
        """The shell command that adds the optional part ``extra``, for example ``model``."""
        if not self.source:
            packages = " ".join(shlex.quote(package) for package in requirements(extra))
            return f"{self._into_environment()} {packages}"
        source = shlex.quote(f"{self.source}[{extra}]")
        if self.tool == "pipx":
            return f"pipx install --force {'--editable ' if self.editable else ''}{source}"
        if self.tool == "uv":
            return f"uv tool install --force {'--editable ' if self.editable else ''}{source}"
        return f"{self._into_environment()} {'-e ' if self.editable else ''}{source}"

    def _into_environment(self) -> str:
        if self.tool == "pipx":
            return "pipx inject ondol"
        if self.tool == "uv":  # uv makes its environments without pip
            return f"uv pip install --python {shlex.quote(sys.executable)}"
        return f"{shlex.quote(sys.executable)} -m pip install"


@cache
def installation() -> Installation:
    """Read how the running copy was installed. Missing or damaged records count as "from a package index"."""
    prefix, tool = Path(sys.prefix), "pip"
    if (prefix / "pipx_metadata.json").exists():
        tool = "pipx"
    elif (prefix / "uv-receipt.toml").exists():
        tool = "uv"
    around = Path(__file__).resolve().parent.parent
    if (around / "pyproject.toml").exists():  # the running code lies in a checkout
        return Installation(str(around), True, cast(Tool, tool))
    return Installation(_recorded_source(), False, cast(Tool, tool))


def _recorded_source() -> str:
    """The folder or file that pip recorded, or nothing."""
    try:
        record = json.loads(importlib.metadata.distribution("ondol").read_text("direct_url.json") or "{}")
        url = urlsplit(record["url"])
        return unquote(url.path) if url.scheme == "file" else ""
    except (importlib.metadata.PackageNotFoundError, KeyError, ValueError, TypeError):
        return ""


def install_command(extra: str) -> str:
    """The shell command that adds the optional part ``extra`` to this copy."""
    return installation().command(extra)


def requirements(extra: str) -> list[str]:
    """The packages of an optional part, as pip takes them (``torch>=2.9``). Empty if there is no such part."""
    found = []
    for requirement in importlib.metadata.requires("ondol") or []:
        package, _, condition = requirement.partition(";")
        if re.search(rf"""extra\s*==\s*['"]{re.escape(extra)}['"]""", condition):
            found.append(package.strip())
    return found
