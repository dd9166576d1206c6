"""What the doctor says this machine can carry."""

import pytest

from lsp_server.backends import memory
from lsp_server.commands import machine
from lsp_server.errors import BackendProblem


def test_the_machine_is_described() -> None:
    facts = machine.describe()
    assert facts["cores"] >= 1
    assert 0 < facts["free_gb"] <= facts["memory_gb"] + 0.1


def test_what_fits_follows_the_free_memory() -> None:
    assert machine.carried(int(0.9e9), gpu=False) == "no model fits; retrieval needs none"
    assert "up to 5.0B parameters fits;" in machine.carried(int(4.0e9), gpu=False)
    assert "on the GPU" in machine.carried(int(4.0e9), gpu=True)


def test_a_model_that_does_not_fit_is_refused_with_both_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 2_000_000_000)
    memory.check("small", 1_000_000_000)
    with pytest.raises(BackendProblem, match=r"large needs 5\.3 GB of memory, and 2\.0 GB are free; use a smaller"):
        memory.check("large", 5_000_000_000)
    monkeypatch.setattr(memory, "available", lambda: None)
    memory.check("large", 5_000_000_000)
