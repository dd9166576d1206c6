"""Fixtures for the tests of base models and adapters."""

from pathlib import Path

import pytest

from lsp_server.weights.base_model import ModelFolder
from tests.support.adapters import tiny_base


@pytest.fixture
def tmp_path(folder_in_memory: Path) -> Path:
    """Replaces pytest's folder on disk."""
    return folder_in_memory


@pytest.fixture
def base(tmp_path: Path) -> ModelFolder:
    """A base model that adapters can be checked against."""
    return tiny_base(tmp_path / "base")
