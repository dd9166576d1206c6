"""Tests of the index write to memory."""

from pathlib import Path

import pytest


@pytest.fixture
def tmp_path(folder_in_memory: Path) -> Path:
    """Replaces pytest's folder on disk."""
    return folder_in_memory
