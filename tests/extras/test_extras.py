"""Each optional part alone, in a fresh environment with the wheel: it installs, and its command runs.

Run by ``make test-extras``, which sets ``ONDOL_EXTRAS``: the parts together fetch 2 GB and take ten minutes.
"""

import http.client
import json
import os
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support import console
from tests.support.shop import shop

asked_for = pytest.mark.skipif(
    "ONDOL_EXTRAS" not in os.environ, reason="ONDOL_EXTRAS is not set: optional parts are NOT tested"
)
ROOT: Final = Path(__file__).parents[2]
BASE: Final = ROOT / "tests" / "fixtures" / "small_llama"
PARTS: Final = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
TORCH: Final = "torch==2.13.0"
"""This version has a wheel for CPUs only; without it, the parts with torch would fetch the libraries of CUDA."""


class Copy:
    """A fresh environment that holds the wheel with one optional part, and a repository to use it on."""

    def __init__(self, folder: Path, wheel: Path, part: str) -> None:
        self.wheel, self._bin, self._folder = wheel, folder / "env" / "bin", folder
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
        self.root = shop(folder / "shop", history=True)
        wanted = [f"{wheel}[{part}]" if part else str(wheel)]
        (folder / "constraints").write_text(TORCH + "\n")
        pip = [
            sys.executable,
            "-m",
            "pip",
            "--python",
            self._bin / "python",
            "install",
            "-q",
            "-c",
            folder / "constraints",
        ]
        subprocess.run([*pip, "--disable-pip-version-check", "--no-compile", *wanted], check=True)

    def run(self, *command: str | Path, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run a program of the environment in the repository."""
        program, *arguments = command
        path = self._bin / program
        return subprocess.run(
            [path, *arguments],
            capture_output=True,
            text=True,
            env=console.environment(self._folder, **variables),
            cwd=self.root,
            check=False,
        )

    def said(self, *command: str | Path, **variables: str) -> str:
        """What a program prints; it must succeed."""
        done = self.run(*command, **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *command: str | Path, **variables: str) -> str:
        """The one sentence of a command that lacks a part."""
        done = self.run(*command, **variables)
        assert done.returncode == 1 and done.stderr.count("\n") == 1, (done.stdout, done.stderr)
        return done.stderr

    def names(self, part: str, sentence: str) -> bool:
        """Whether a sentence names the command that adds a part to this very copy."""
        return f"install '{self.wheel}[{part}]'" in sentence or f"install {self.wheel}[{part}]" in sentence

    def complete(self, base: Path, **variables: str) -> tuple[str | Path, ...]:
        """The command that completes a line with a model in this process."""
        return ("ondol", "complete", f"{self._code()}:3", "--backend", "local", "--base", base, "--json")

    def _code(self) -> str:
        return next(str(path.relative_to(self.root)) for path in sorted(self.root.rglob("*.py")))

    def open(self, *command: str | Path) -> "subprocess.Popen[str]":
        """Start a program that runs until it is ended."""
        program, *arguments = command
        return subprocess.Popen(
            [self._bin / program, *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env=console.environment(self._folder),
            cwd=self.root,
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    options = ("-q", "--disable-pip-version-check", "--no-deps", "--wheel-dir", folder)
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, ROOT], check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture
def copy(request: pytest.FixtureRequest, tmp_path: Path, wheel: Path) -> Iterator[Copy]:
    yield Copy(tmp_path, wheel, request.param)
    subprocess.run(["rm", "-r", tmp_path / "env"], check=True)  # the next one needs the room


@pytest.mark.slow
@asked_for
@pytest.mark.parametrize("copy", [""], indirect=True, ids=["no part"])
def test_without_any_part_everything_runs_that_needs_none(copy: Copy) -> None:
    assert "built" in copy.said("ondol", "index")
    for command in ("doctor", "stats", "models list", "eval --cases 6 --commits 3", "demo --count 1", "search shop"):
        assert copy.said("ondol", *command.split())
    assert copy.names("dashboard", copy.refused("ondol", "dashboard"))
    assert copy.names("cluster", copy.refused("ondol", "index", "--ray", "local"))
    assert copy.names("model", copy.run(*copy.complete(BASE)).stderr)  # retrieval answers alone
    assert copy.names("model", copy.refused("ondol", "finetune", "--base", BASE))


def dashboard(copy: Copy) -> None:
    with copy.open("ondol", "dashboard", "--port", "18501") as process:
        try:
            assert process.stdout is not None
            token = re.search(r"token=([\w-]+)", process.stdout.readline())
            assert token
            connection = http.client.HTTPConnection("127.0.0.1", 18501, timeout=60)
            for _ in range(60):
                try:
                    connection.request("GET", "/", headers={"Cookie": f"ondol-18501={token[1]}"})
                    break
                except OSError:
                    connection.close()
                    assert process.poll() is None
                    time.sleep(0.5)
            assert "<h1>shop" in connection.getresponse().read().decode()
        finally:
            process.terminate()


def model(copy: Copy) -> None:
    answer = json.loads(copy.said(*copy.complete(BASE)))
    assert answer["reason"]
    assert "samples" in copy.said("ondol", "finetune", "--base", BASE, "--dataset-only", "--min-commits", "1")
    assert copy.names("quantized", copy.run(*copy.complete(BASE), ONDOL_BASE_BITS="8").stderr)


def quantized(copy: Copy) -> None:
    """Bits are of use with a model alone: the command says what is missing, and retrieval answers."""
    assert copy.names("model", copy.run(*copy.complete(BASE), ONDOL_BASE_BITS="8").stderr)


def cpu_model(copy: Copy) -> None:
    copy.said("ondol", "models", "export", "base", "small", "--base", BASE, "--kind", "f16")
    assert json.loads(copy.said(*copy.complete(copy.root / "small")))["reason"]
    assert copy.names("model", copy.run(*copy.complete(BASE)).stderr)


def share(copy: Copy) -> None:
    address = (copy.root.parent / "share").as_uri().replace("file:", "local:")  # a store of fsspec, not a folder
    assert copy.said("ondol", "index", "--export", address)
    assert copy.said("ondol", "index", "--import", address)


def cluster(copy: Copy) -> None:
    assert "updated" not in copy.said("ondol", "index", "--ray", "local", "--workers", "1")


def imports(*names: str) -> Callable[[Copy], None]:
    return lambda copy: [copy.said("python", "-c", f"import {name}") for name in names] and None


COMMANDS: Final[dict[str, Callable[[Copy], None]]] = {
    "dashboard": dashboard,
    "model": model,
    "quantized": quantized,
    "cpu-model": cpu_model,
    "share": share,
    "cluster": cluster,
    "fit": imports("lightgbm"),
    "train-embedding": imports("sentence_transformers", "datasets"),
    "test": lambda copy: copy.said("pytest", "--version") and None,
    "docs": lambda copy: copy.said("mkdocs", "--version") and None,
    "dev": lambda copy: [copy.said(one, "--version") for one in ("ruff", "mypy", "mkdocs", "pytest")] and None,
}


def test_each_part_has_a_command() -> None:
    assert set(COMMANDS) == set(PARTS)


@pytest.mark.slow
@asked_for
@pytest.mark.parametrize("copy", sorted(PARTS), indirect=True)
def test_a_part_alone_installs_and_its_command_runs(copy: Copy, request: pytest.FixtureRequest) -> None:
    part = request.node.callspec.params["copy"]
    copy.said("ondol", "index", "--quiet")
    COMMANDS[part](copy)
