"""What version 0.1.0 left in its data folder works with this version; fixtures/version_0_1_0/make_state.py made it."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from indexer.config import Settings, load
from indexer.data_layout import own_gate_file, registry_directory, repository_directory, repository_path
from lsp_server.retrieval.gate import Gate
from lsp_server.weights.adapter_registry import current_number, read_version
from lsp_server.weights.base_model import open_folder
from tests.support.console import finished, printed
from tests.support.lsp_client import real
from tests.support.repositories import repository, write
from tests.support.shop import TYPED

pytestmark = pytest.mark.slow

STATE: dict[str, Any] = json.loads(
    (Path(__file__).parent / "fixtures" / "version_0_1_0" / "state.json").read_text("utf-8")
)
# Every setting of version 0.1.0.
ONDOL_TOML = """
data_dir = "/srv/ondol"
exclude = ["third_party/"]
include_vendored = true
include_generated = true
max_file_bytes = 500_000
max_line_chars = 900
disabled_languages = ["markdown"]
precision = 0.7
multi_line = false
max_lines = 6
deadline_ms = 300
backend = "local"
base_model = "/srv/models/base"
base_bits = 8
remote_url = "http://127.0.0.1:8000"
remote_model = "team"
completion_fallback = false
trace_text = false
workers = 3
debounce_ms = 50
"""


def files(stored: dict[str, str]) -> dict[str, str | bytes]:
    """Files as ``make_state.py`` stores them."""
    return {
        path: base64.b64decode(text.removeprefix("base64:")) if text.startswith("base64:") else text
        for path, text in stored.items()
    }


class Left(NamedTuple):
    """A folder for :func:`tests.support.console.environment`, and in it a repository with the data of version 0.1.0."""

    folder: Path
    root: Path
    settings: Settings


@pytest.fixture
def left(folder_in_memory: Path) -> Iterator[Left]:
    settings = Settings(data_dir=folder_in_memory / "data")
    root = repository(folder_in_memory / "shop", files(STATE["repository"]))
    write(repository_directory(settings, root), files(STATE["data"]))
    own_gate_file(settings, root).write_text(STATE["gate"])
    yield Left(folder_in_memory, root, settings)


def test_the_data_of_a_repository_stay_in_their_folder() -> None:
    assert repository_path(Settings(), Path("/srv/shop")).name == STATE["folder_of_/srv/shop"]


def test_the_index_is_searched_and_updated(left: Left) -> None:
    (found, *_) = json.loads(printed(left.folder, "search", "load_invoice", "--json", cwd=left.root))
    assert found["path"] == "invoices.py"
    (left.root / "voucher.py").write_text("def load_voucher(path):\n    return path\n")
    updated = json.loads(printed(left.folder, "index", "--json", cwd=left.root))
    assert updated["files"] == len(STATE["repository"]) + 1
    (found, *_) = json.loads(printed(left.folder, "search", "load_voucher", "--json", cwd=left.root))
    assert found["path"] == "voucher.py"


def test_the_server_completes_from_the_index(left: Left) -> None:
    with real(left.folder) as client:
        client.initialize([left.root])
        client.wait_state("ready")
        uri = (left.root / "new.py").as_uri()
        client.open(uri, TYPED)
        assert client.complete(uri, 4, 20)[0]["insertText"].startswith('encoding="utf-8") as source:')
        assert not client.of("window/showMessage")


def test_the_registry_is_listed_read_and_rolled_back(left: Left) -> None:
    write(left.folder / "base", files(STATE["base"]))
    base = open_folder(left.folder / "base")
    registry = registry_directory(left.settings, left.root)
    assert current_number(registry) == 2
    version = read_version(registry, 2, base.identity, base.spec.name, base.tensors)
    assert version.scale == 2.0
    rows = json.loads(printed(left.folder, "models", "list", "--json", cwd=left.root))
    assert [row["version"] for row in rows["versions"]] == [2, 1]
    printed(left.folder, "models", "rollback", cwd=left.root)
    assert current_number(registry) == 1


def test_a_gate_that_was_fitted_for_whole_lines_is_named_and_not_used(left: Left) -> None:
    with pytest.raises(ValueError, match="fit it again with ondol eval --fit-gate"):
        Gate.load(own_gate_file(left.settings, left.root))


def test_traces_and_statistics_are_read(left: Left) -> None:
    assert "new.py:5" in printed(left.folder, "explain", cwd=left.root)
    (python, everything) = json.loads(printed(left.folder, "stats", "--json", cwd=left.root))
    assert (python["language"], python["shown"], python["accepted"]) == ("python", 1, 1)
    assert everything["shown"] == 1


def test_the_settings_are_read_without_a_complaint(tmp_path: Path) -> None:
    file = tmp_path / "ondol.toml"
    file.write_text(ONDOL_TOML)
    settings, problems = load(env={}, user_file=file)
    assert problems == []
    assert (settings.max_lines, settings.backend, settings.base_bits) == (6, "local", 8)


def test_the_doctor_says_that_the_index_is_older_until_it_is_updated(left: Left) -> None:
    def problems() -> list[list[str]]:
        found: list[list[str]] = json.loads(finished(left.folder, "doctor", "--json", cwd=left.root).stdout)["problems"]
        return found

    assert problems() == [["another version of Ondol made the index", "run `ondol index`"]]
    printed(left.folder, "index", cwd=left.root)
    assert problems() == []
