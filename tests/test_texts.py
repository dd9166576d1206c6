"""The texts: what the documentation names exists, and the architecture page names every module."""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import click
import pytest

from finetune.cli import COMMANDS, main
from tests.support.texts import PAGES, quoted_commands

ROOT = Path(__file__).parent.parent
PACKAGES = ("indexer", "lsp_server", "finetune")
MODULES = sorted(
    path.relative_to(ROOT)
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if path.name != "__init__.py"
)
LOG = ROOT / "docs" / "log.md"
FILE = re.compile(r"\b(?:indexer|lsp_server|finetune|tests|scripts|benchmarks)/[\w/]+\.(?:py|json)\b")


def architecture() -> dict[str, set[str]]:
    """Names of modules by folder, from the first column of the architecture page's tables."""
    found: dict[str, set[str]] = {}
    folder = ""
    for line in (ROOT / "docs" / "architecture.md").read_text("utf-8").splitlines():
        if line.startswith("#"):
            heading = re.match(r"### `([a-z_/]+)/`", line)
            folder = heading[1] if heading else ""
        elif folder and line.startswith("| `"):
            found.setdefault(folder, set()).update(re.findall(r"`(\w+)`", line.split("|")[1]))
    return found


def test_the_architecture_page_names_every_module_in_its_folder() -> None:
    modules: dict[str, set[str]] = {}
    for path in MODULES:
        modules.setdefault(path.parent.as_posix(), set()).add(path.stem)
    assert architecture() == modules


def test_the_walks_of_the_architecture_page_name_modules_that_exist() -> None:
    text = prose(ROOT / "docs" / "architecture.md")
    modules = {path.with_suffix("").as_posix() for path in MODULES}
    short = {name.split("/", 1)[1] for name in modules}
    assert not set(re.findall(r"`([a-z_]+(?:/[a-z_]+)+)`", text)) - modules - short


@pytest.mark.parametrize("folder", ["benchmarks", "scripts"])
def test_the_page_of_a_folder_of_scripts_names_each_of_them(folder: str) -> None:
    page = (ROOT / folder / "README.md").read_text("utf-8")
    names = [path.name for path in (ROOT / folder).iterdir() if path.suffix in (".py", ".mjs")]
    assert not [name for name in names if f"`{name}`" not in page]


def slug(heading: str) -> str:
    """The anchor that GitHub makes of a heading."""
    kept = re.sub(r"[^\w\- ]", "", re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower())
    return kept.replace(" ", "-")


def prose(path: Path) -> str:
    """The text of a page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        where = (page.parent / name).resolve() if name else page
        if not where.exists():
            wrong.append(target)
        elif anchor:
            headings = re.findall(r"^#+ (.*)$", prose(where), re.MULTILINE)
            wrong += [target] if anchor not in map(slug, headings) else []
    assert not wrong


@pytest.mark.parametrize("page", [page for page in PAGES if page != LOG], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_and_module_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    wrong = [
        f"{path}::{name}"
        for path, name in re.findall(r"(tests/[\w/]+\.py)::(\w+)", text)
        if not (ROOT / path).is_file() or f"def {name}(" not in (ROOT / path).read_text("utf-8")
    ]
    wrong += [path for path in FILE.findall(text) if not (ROOT / path).is_file()]
    assert not wrong


def test_every_promise_of_the_threat_model_names_a_test() -> None:
    text = (ROOT / "docs" / "threat-model.md").read_text("utf-8")
    promised = text[text.index("## What is promised") : text.index("## What is not promised")]
    rows = [row for row in promised.splitlines() if row.startswith("| ") and not row.startswith("| promise ")]
    assert len(rows) >= 20
    assert not [row for row in rows if not re.search(r"`tests/[\w/]+\.py::\w+`", row)]


def test_the_figures_of_the_readme_are_those_of_the_results() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    found = list(script("readme_figures").figures())
    assert len(found) >= 10
    assert not [one for one in found if one.text not in readme]
    assert all(re.search(r"\d+ cores of .+, \d{4}-\d\d-\d\d$", one.source.about) for one in found)


def test_the_figures_of_the_korean_readme_are_those_of_the_results() -> None:
    figures = {one.text.replace(" to ", "~") for one in script("readme_figures").figures()}
    quoted = re.findall(r"[\d.~]+ (?:ms|%)", (ROOT / "README.ko.md").read_text("utf-8"))
    assert len(quoted) >= 4
    assert not [one for one in quoted if one not in figures]


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in ("log.md", "CHANGELOG.md")], ids=str)
def test_every_quoted_command_exists_with_its_options(page: Path) -> None:
    wrong = []
    for quoted in quoted_commands(page):
        name, *words = re.split(r"[\s,:]+", quoted)
        command = main.get_command(click.Context(main), name)
        if isinstance(command, click.Group) and words and re.fullmatch(r"[a-z]+", words[0]):
            command = command.get_command(click.Context(command), words[0])
        if command is None:
            wrong.append(quoted)
            continue
        shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
        known = {option for one in shown for option in (*one.opts, *one.secondary_opts)} | {"--help"}
        wrong += [quoted for option in re.findall(r"(?<=\s)--[a-z][a-z-]+", quoted) if option not in known]
    assert not wrong


def test_the_pages_of_settings_and_commands_are_made_from_the_code() -> None:
    pages = script("reference_pages")
    assert set(pages.PARTS) == {"docs/configuration.md", "docs/commands.md"}
    for page in pages.PARTS:
        text, wanted = pages.current(page)
        assert text == wanted, f"{page} is not current: run `python scripts/reference_pages.py`"
    commands = (ROOT / "docs" / "commands.md").read_text("utf-8")
    assert {f"## ondol {name}" for name in COMMANDS if name != "models"} <= set(commands.splitlines())


def test_every_setting_and_command_of_the_editors_is_documented() -> None:
    vscode, neovim = ROOT / "editors" / "vscode", ROOT / "editors" / "neovim"
    declared = json.loads((vscode / "package.json").read_text("utf-8"))["contributes"]
    page = (vscode / "README.md").read_text("utf-8")
    assert not [name for name in declared["configuration"]["properties"] if f"`{name}`" not in page]
    assert not [one["command"] for one in declared["commands"] if f"`{one['command']}`" not in page]
    lua = (neovim / "lua" / "ondol" / "config.lua").read_text("utf-8")
    options = re.findall(r"^  (\w+) = ", lua[lua.index("M.defaults = {") : lua.index("\n}")], re.MULTILINE)
    options += re.findall(r"'(\w+)'", lua[lua.index("M.actions = {") : lua.index("\n}", lua.index("M.actions = {"))])
    assert len(options) >= 19
    for place in ("README.md", "doc/ondol.txt"):
        text = (neovim / place).read_text("utf-8")
        assert not [name for name in options if not re.search(rf"[`*'\s]{name}[`*'\s,]", text)], place
    code = (neovim / "lua" / "ondol" / "commands.lua").read_text("utf-8")
    table = code[code.index("local subcommands = {") :]
    words = re.findall(r"^  (?:\['(\w+)'\]|(\w+)) = ", table[: table.index("\n}")], re.MULTILINE)
    help_page = (neovim / "doc" / "ondol.txt").read_text("utf-8")
    assert len(words) >= 12
    assert not [name for pair in words for name in pair if name and f"\n:Ondol {name}" not in help_page]


def script(name: str) -> Any:
    """A module of ``scripts/``."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def check_words() -> Any:
    return script("check_words")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# It is shown unasked.", ["unasked"]),
        ("# The server is\n# told so.", ["is told"]),
        ('say("what "\n    f"serves")', ["what serves"]),
        ("Grey\ntext appears.", ["Grey text"]),
        ("unasked_count = grey_text(copier_and_base)", []),
        ("The engine that serves the editor is told what to do: copier-certain, copier+serving. Canew.", []),
    ],
)
def test_idioms_are_found_across_lines_and_not_in_names(
    check_words: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, found: list[str]
) -> None:
    (tmp_path / "a.py").write_text(text, "utf-8")
    monkeypatch.setattr(check_words, "ROOT", tmp_path)
    assert [words for _, words, _ in check_words.hits("a.py")] == found
