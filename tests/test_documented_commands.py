"""Every command that the documentation shows is run, on a repository with the paths that the pages name.

It must end with 0; or, where this repository lacks what the command needs, with 1 and one sentence that says the cure.
"""

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Final

import click
import pytest

from finetune.cli import main
from tests.support import console, repositories
from tests.support.shop import shop
from tests.support.texts import PAGES, quoted_commands

pytestmark = pytest.mark.slow
ROOT: Final = Path(__file__).parent.parent
BASE: Final = ROOT / "tests" / "fixtures" / "small_llama"
MONITOR: Final = "dv/uvm/core_ibex/common/bus_agent/bus_monitor.sv"
SERVER: Final = "def open_socket(timeout):\n" + "    connect(timeout)\n" * 200

MESSAGES: Final = (
    {"id": 1, "method": "initialize", "params": {"processId": None, "rootUri": None, "capabilities": {}}},
    {"id": 2, "method": "shutdown"},
    {"method": "exit"},
)
BODIES: Final = [json.dumps({"jsonrpc": "2.0", **message}) for message in MESSAGES]
SESSION: Final = "".join(f"Content-Length: {len(body)}\r\n\r\n{body}" for body in BODIES)
"""What an editor sends that starts the server and ends it at once."""

LACKING: Final = {
    "models promote 12": "no base model is set",
    "models show 12": "there is no adapter version 12",
    "models delete 3": "there is no adapter version 3",
    "models rollback": "nothing to roll back",
    "models export": "no base model is set",
    "doctor --backend local --base /models/none": "there is no model /models/none",
    "index --data-dir /proc/ondol": "cannot make the folder",
    "index ~/product ~/service --ray": "there is no folder",
    "index ~/product --adopt ~/old/product": "old/product",
    "explain last": "no completion was requested",
    "explain": "no completion was requested",
    "finetune": "base_model",
    "finetune ~/product --teach-fim": "fills middles already",
    "dashboard": "",
    "eval --append": "",
    "eval --commits 20 --system base_with_retrieval": "no base model is set",
    "eval --fit-model": "",
    "eval --fit-gate": "",
}
"""What a command says that lacks something here: versions, a model, a data folder, a request of an editor."""


def documented() -> list[str]:
    """The commands with their arguments, each once; patterns such as ``FILE:LINE`` and ``[REPO]`` are not commands."""
    found = set()
    for page in PAGES:
        if page.name not in ("log.md", "CHANGELOG.md"):
            found |= {" ".join(re.split(r"[|>]", one)[0].split()) for one in quoted_commands(page)}
    shown = (one for one in found if not re.search(r"\[|\b[A-Z]{4,}\b|->|^serve:", one))
    return sorted(one for one in shown if not lacks_arguments(one))


def lacks_arguments(words: str) -> bool:
    """Whether the words are the name of a command, in a sentence, that needs arguments."""
    group: click.Command | None = main
    for word in words.split():
        if not isinstance(group, click.Group):
            return False
        group = group.get_command(click.Context(group), word)
    return isinstance(group, click.Group) or group is not None and any(one.required for one in group.params)


COMMANDS: Final = documented()

REPLAYS: Final = ("eval", "demo", "finetune")
"""Commands that go through the history. They run in a repository with a short one: each line of it costs time."""

SHARE: Final = "share"
"""The folder that stands for the pages' ``/mnt/team``."""

MODULE: Final = """import json


def save_{name}(path, {name}):
    with open(path, "w") as target:
        json.dump({name}, target, indent=2)
"""


def history(root: Path) -> Path:
    """A repository of three modules in the same words, then one commit that changes a line of each."""
    repositories.repository(root, {"README.md": "Things that are kept in files.\n"})
    for name in ("order", "invoice", "parcel"):
        repositories.place(root, f"{name}s.py", MODULE.format(name=name))
        repositories.git(root, "add", "-A")
        repositories.git(root, "commit", "-q", "-m", f"Keep {name}s")
    for path in root.glob("*s.py"):
        path.write_text(path.read_text().replace("indent=2", "indent=4"))
    repositories.git(root, "commit", "-q", "-a", "-m", "Indent by 4")
    return root


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    history(folder / "replays" / "product")
    root = shop(folder / "product", history=True)
    for path, text in (
        (MONITOR, "class bus_monitor extends uvm_monitor;\n  function void build_phase(uvm_phase phase);\n" * 8),
        ("src/server.py", SERVER),
        ("ibex/core.sv", "module core (input logic clk_i);\nendmodule\n"),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    repositories.git(root, "add", "-A")
    repositories.git(root, "commit", "-q", "-m", "More code")
    export = str(folder / SHARE / "product-index")  # a command imports it, in whatever order the tests run
    assert console.finished(folder, "index", str(root), "--export", export).returncode == 0
    return folder


def run(home: Path, command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in the repository; the server gets the messages of a short session."""
    place = home / "replays" if command.split()[0] in REPLAYS else home
    said = re.sub(r"(?<![\w/])(~|\$HOME|%h)/", f"{place}/", command)
    for named, there in (("/srv/ondol", "srv"), ("/mnt/team", SHARE)):
        said = said.replace(named, f"{home}/{there}")
    said = said.replace("python benchmarks", "false")
    words = shlex.split(said)
    variables = {"HOME": str(home)} | console.environment(home)
    if words[0] == "dashboard":
        words.append("--help")  # it serves until it is ended: tests/finetune/dashboard opens every page
    return subprocess.run(
        [console.SCRIPT, *words],
        cwd=place / "product",
        env=variables,
        capture_output=True,
        text=True,
        input=SESSION if words[0] == "serve" else "",
        timeout=600,
        check=False,
    )


def test_the_documentation_shows_commands() -> None:
    assert len(COMMANDS) > 40
    assert {command.split()[0] for command in COMMANDS} >= {"demo", "index", "search", "complete", "eval", "doctor"}


@pytest.mark.parametrize("command", [one for one in COMMANDS if "--base" not in one])
def test_a_documented_command_runs(home: Path, command: str) -> None:
    done = run(home, command)
    assert "Traceback" not in done.stderr + done.stdout
    if done.returncode == 0:
        return
    lacking = max((start for start in LACKING if command.startswith(start)), key=len, default=None)
    assert lacking is not None, (done.returncode, done.stdout, done.stderr)
    assert done.returncode == 1, (done.returncode, done.stderr)
    assert re.search(r"^ondol: .+\.$|^\S.*: ", done.stderr + done.stdout, re.MULTILINE), "a sentence says why"
    assert LACKING[lacking] in done.stderr + done.stdout, done.stderr


@pytest.mark.model
@pytest.mark.parametrize("command", [one for one in COMMANDS if "--base" in one])
def test_a_documented_command_with_a_model_runs(home: Path, command: str) -> None:
    pytest.importorskip("torch", reason="torch is not installed: commands with a model are NOT run")
    kept = re.sub(r"(?<=--base )(?!/models/none)\S+", str(BASE), command)
    done = run(home, kept)
    assert "Traceback" not in done.stderr + done.stdout
    assert done.returncode in (0, 1), (done.returncode, done.stderr)
    if done.returncode == 1:
        lacking = max((start for start in LACKING if command.startswith(start)), key=len, default=None)
        assert lacking is not None and LACKING[lacking] in done.stderr + done.stdout, done.stderr
