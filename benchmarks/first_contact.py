"""Measures the way from a machine without Ondol to the first ghost text, by the commands of the README alone.

    ~/.cache/ondol-editors/neovim/venv/bin/python benchmarks/first_contact.py REPOSITORY [--root FOLDER | --vscode]

REPOSITORY is a git repository with Python files. Ondol is cloned into a new home folder, so that there are no settings,
no index and no caches of pip and npm, and installed by the commands that stand in the README. Then a clone of
REPOSITORY is opened in Neovim with the plugin of the clone, and with ``--vscode`` in VS Code with the packaged
extension; lines that many files share are typed until ghost text is there. Each step is written down with its
seconds, and with the processor time of the programs that ended in it, which depends little on other load.

``--root`` names the root of a file system with Python, pipx and git alone, as ``debootstrap --include`` makes it; all
but the driver of Neovim then runs in there. It needs root's rights. The editors are those of ``tests/editors``, whose
``neovim/install.sh`` and ``vscode/run.sh --install`` fetch them. pipx must be on the PATH.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

CHECKOUT: Final = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(CHECKOUT), str(CHECKOUT / "tests" / "editors" / "neovim")]

import pynvim  # noqa: E402  (of the environment of the tests of the plugin)
from made_on import made_on  # noqa: E402  (after the path)

from editor import EDITORS, Editor  # noqa: E402  (these tests are no package)

README: Final = (CHECKOUT / "README.md").read_text("utf-8")
EXAMPLE: Final = "first_contact_example.py"
TYPED_LINES: Final = 40
KEY_S: Final = 0.15
KEPT: Final = ("SSL_CERT_FILE", "PIP_CERT", "PIP_INDEX_URL", "NODE_EXTRA_CA_CERTS", "npm_config_registry", "LANG")
"""Variables that say how this machine reaches its package registries."""


class Steps:
    """The steps, each with its seconds."""

    def __init__(self) -> None:
        self.done: list[dict[str, Any]] = []

    def take(self, name: str, act: Callable[[], Any]) -> Any:
        """Take a step and write it down."""
        before, began = _spent(), time.perf_counter()
        result = act()
        seconds, cpu = time.perf_counter() - began, _spent() - before
        self.done.append({"step": name, "seconds": round(seconds, 1), "cpu_s": round(cpu, 1)})
        print(json.dumps(self.done[-1]), flush=True)
        return result


def _spent() -> float:
    """Processor seconds of the children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Machine:
    """A home folder without anything in it, on this file system or in another root."""

    def __init__(self, root: Path | None) -> None:
        self._root = root
        pipx = shutil.which("pipx")
        self._tools = f"{Path(pipx).parent}:" if pipx and root is None else ""
        self.folder = Path(tempfile.mkdtemp(prefix="first-", dir=root / "tmp" if root else None))
        self.home = Path("/tmp", self.folder.name) if root else self.folder
        self.clone = self.folder / "ondol"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a user who has just logged in."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return {
            **kept,
            "HOME": str(self.home),
            "PATH": f"{self.home}/.local/bin:{self._tools}/usr/local/bin:/usr/bin:/bin",
        }

    def command(self, command: str, folder: str) -> list[str]:
        """The words that run a command of a shell in a folder of the home folder."""
        where = ["chroot", str(self._root)] if self._root else []
        words = [*where, "env", "-i", *(f"{name}={value}" for name, value in self.environment.items())]
        return [*words, "bash", "-c", f"cd {self.home}/{folder} && {command}"]

    def run(self, command: str, folder: str = ".") -> None:
        """Run a command of the README.

        :raises SystemExit: it failed.
        """
        done = subprocess.run(self.command(command, folder), capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")

    def neovim(self) -> str:
        """The path of Neovim; it is copied to the same place in another root, because it holds that path."""
        program = Path(EDITORS["0.12"])
        if self._root is not None:
            place = self._root / program.parent.relative_to("/")
            shutil.copytree(program.parent, place, dirs_exist_ok=True, symlinks=True)
        return str(program)


def found(pattern: str) -> str:
    """The part of the README that a pattern's group finds.

    :raises SystemExit: there is none.
    """
    match = re.search(pattern, README)
    if match is None:
        raise SystemExit(f"the README has nothing like {pattern}")
    return match[1]


def install_commands() -> list[str]:
    """The commands of the README that install Ondol, index a repository and check both."""
    lines = [line.split("#")[0].strip() for line in found(r"(?s)## Install.*?```sh\n(.*?)```").splitlines()]
    return [line for line in lines if line]


def common_lines(product: Path) -> list[str]:
    """The lines that most files of the repository share, of those that are worth completing.

    :raises SystemExit: there is none.
    """
    counts: Counter[str] = Counter()
    for path in product.rglob("*.py"):
        counts.update(set(re.findall(r"(?m)^\w.{30,}$", path.read_text("utf-8", "replace"))))
    if not counts:
        raise SystemExit(f"{product} has no line of Python to type again")
    return [line for line, _ in counts.most_common(TYPED_LINES)]


class Fresh(Editor):
    """Neovim as the user of that machine starts it, with the lines of the README in its init.lua."""

    def __init__(self, machine: Machine, product: Path, setup: str) -> None:
        init = machine.folder / "init.lua"
        runtime = f"vim.opt.runtimepath:prepend('{machine.home}/ondol/editors/neovim')"
        init.write_text(f"vim.o.swapfile = false\n{runtime}\n{setup}\n", "utf-8")
        program = [machine.neovim(), "--embed", "--headless", "-n", "-u", str(machine.home / "init.lua")]
        inside = machine.command(" ".join(program), product.name)
        self.rpc = pynvim.attach("child", argv=inside)


def neovim(machine: Machine, product: Path) -> str:
    """Open a new file of the repository in Neovim and type until ghost text is there."""
    editor = Fresh(machine, product, found(r"`(require\(\"ondol\"\)[^`]+)`"))
    try:
        editor.open(machine.home / product.name / EXAMPLE)
        editor.keys("i")
        for character in "\n".join(common_lines(product)):
            editor.type(character)
            time.sleep(KEY_S)
            if text := editor.ghost():
                return text
        raise SystemExit("\n".join(["no ghost text", *editor.log()]))
    finally:
        editor.close()


def vscode(machine: Machine, product: Path) -> str:
    """Open a new file of the repository in VS Code with the packaged extension; type until ghost text is there."""
    script = Path(__file__).with_name("first_contact_vscode.mjs")
    (product / EXAMPLE).write_text("\n", "utf-8")
    variables = {
        "ONDOL_VSIX": str(machine.clone / "editors" / "vscode" / "ondol.vsix"),
        "FRESH_HOME": str(machine.home),
        "FRESH_PATH": machine.environment["PATH"],
        "KEY_MS": str(1000 * KEY_S),
    }
    words = ["node", str(script), str(product), EXAMPLE, "\n".join(common_lines(product))]
    done = subprocess.run(words, env=dict(os.environ) | variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
    return done.stdout.strip().splitlines()[-1]


def main() -> None:
    """Take all steps and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--vscode", action="store_true")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    machine, steps = Machine(asked.root), Steps()
    product = machine.folder / "product"
    try:
        subprocess.run(["git", "clone", "-q", asked.repository, product], check=True)
        source = machine.folder / "source.git"  # what the clone is made of
        subprocess.run(["git", "clone", "-q", "--bare", CHECKOUT, source], check=True)
        steps.take("git clone", lambda: machine.run(f"git clone -q {machine.home}/source.git ondol"))
        for command in install_commands():
            steps.take(command, lambda command=command: machine.run(command, "ondol"))
        steps.take("Neovim, from its start to ghost text", lambda: print(neovim(machine, product)))
        if asked.vscode:
            command = found(r"`(cd editors/vscode && [^`]+)`")
            steps.take(command, lambda: machine.run(command, "ondol"))
            steps.take("VS Code, from its start to ghost text", lambda: print(vscode(machine, product)))
        total = round(sum(one["seconds"] for one in steps.done), 1)
        cpu = round(sum(one["cpu_s"] for one in steps.done), 1)
        result = {"root": bool(asked.root), "seconds": total, "cpu_s": cpu, "steps": steps.done}
        result["machine"] = made_on()
        print(json.dumps(result, indent=1))
        if asked.out:
            asked.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    finally:
        shutil.rmtree(machine.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
