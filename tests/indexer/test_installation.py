"""The command that adds an optional part to this copy of Ondol."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from indexer.installation import Installation, install_command, installation, requirements

CHECKOUT = Path(__file__).resolve().parents[2]


def test_code_that_runs_from_a_checkout_names_the_checkout() -> None:
    assert installation().source == str(CHECKOUT)
    assert install_command("model").endswith(f"-m pip install -e '{CHECKOUT}[model]'")


@pytest.mark.parametrize(
    "record", ['{"url": "file:///srv/team%20share/ondol-0.2.0-py3-none-any.whl"}', None, "[]", "{"]
)
def test_a_copy_in_an_environment_names_what_pip_recorded(tmp_path: Path, record: str | None) -> None:
    """A copy of the package and its record, as pip leaves them in ``site-packages``, read by a process of its own."""
    package = tmp_path / "indexer"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "installation.py").write_bytes((CHECKOUT / "indexer/installation.py").read_bytes())
    about = tmp_path / "ondol-0.2.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        'Metadata-Version: 2.1\nName: ondol\nVersion: 0.2.0\nRequires-Dist: streamlit>=1.50; extra == "dashboard"\n'
    )
    if record is not None:
        (about / "direct_url.json").write_text(record)
    code = f"""
import json, sys
sys.path.insert(0, {str(tmp_path)!r})
from indexer.installation import *
print(json.dumps([installation().described(), install_command("dashboard")]))
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    described, command = json.loads(done.stdout)
    if record is not None and record.startswith('{"'):
        assert described == "from the wheel /srv/team share/ondol-0.2.0-py3-none-any.whl, by pip"
        assert command.endswith("-m pip install '/srv/team share/ondol-0.2.0-py3-none-any.whl[dashboard]'")
    else:
        assert described == "from a package index, by pip"
        assert command.endswith("-m pip install 'streamlit>=1.50'"), "never the bare name of Ondol"


def test_each_tool_has_its_command() -> None:
    wheel = "/srv/ondol-0.2.0-py3-none-any.whl"
    assert Installation(wheel, False, "pipx").command("model") == f"pipx install --force '{wheel}[model]'"
    assert Installation(wheel, False, "uv").command("model") == f"uv tool install --force '{wheel}[model]'"
    assert Installation("/src", True, "pipx").command("model") == "pipx install --force --editable '/src[model]'"
    assert Installation("", False, "pipx").command("quantized") == "pipx inject ondol 'bitsandbytes>=0.48'"
    assert "uv pip install --python" in Installation("", False, "uv").command("quantized")


def test_the_packages_of_a_part_are_those_of_the_project_file() -> None:
    assert [package.partition(">")[0] for package in requirements("quantized")] == ["bitsandbytes"]
    assert requirements("no such part") == []
