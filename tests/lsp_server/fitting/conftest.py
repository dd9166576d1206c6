"""What all tests of fitting share."""

import pytest

from lsp_server.fitting import syntax


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loaded machine must not leave the syntax check out."""
    monkeypatch.setattr(syntax, "BUDGET_SECONDS", 60.0)
