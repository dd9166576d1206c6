"""Fixtures and the settings of hypothesis for all tests."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A loaded machine is no fault of the code: no deadline, and slow generation of examples is fine. A failure prints how to repeat it.
settings.register_profile("ondol", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("ondol")


@pytest.fixture
def folder_in_memory() -> Iterator[Path]:
    """A folder in memory where the machine has one: tests of the index sync thousands of files."""
    memory = Path("/dev/shm")
    parent = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=parent, ignore_cleanup_errors=True) as name:
        yield Path(name)
