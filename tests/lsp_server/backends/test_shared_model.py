"""One model for several repositories: loaded once, each with its own adapter, freed by the last."""

from typing import Any

import pytest

from indexer.prompt.renderer import Prompt
from lsp_server.backends.base import Generation, Limits
from lsp_server.backends.shared_model import SharedModel
from lsp_server.errors import BackendProblem

PROMPT = Prompt((1,), "", 0, {})


class Adapted:
    """Writes the name of its adapter."""

    def __init__(self) -> None:
        self.on: Any = None
        self.swaps = 0
        self.closed = False

    @property
    def about(self) -> dict[str, str]:
        return {"base": "base", "format": "none", "runs_on": "a test", "adapter": "of whoever was last"}

    def set_adapter(self, version: Any) -> None:
        if version == "bad":
            raise BackendProblem("it is refused", "promote another")
        self.on, self.swaps = version, self.swaps + 1

    def generate(self, *_: object) -> Generation:
        return Generation(str(self.on), "end")

    def close(self) -> None:
        self.closed = True


class Version(str):
    @property
    def label(self) -> str:
        return str(self)


def test_leases_share_a_model_and_keep_their_adapters() -> None:
    made: list[Adapted] = []
    shared = SharedModel(lambda: made.append(Adapted()) or made[-1])  # type: ignore[arg-type, func-returns-value]
    one, two = shared.lease(), shared.lease()
    assert len(made) == 1
    one.set_adapter(Version("first"))  # type: ignore[arg-type]
    two.set_adapter(Version("second"))  # type: ignore[arg-type]
    texts = [lease.generate(PROMPT, Limits()).text for lease in (one, two, two, one, one)]
    assert texts == ["first", "second", "second", "first", "first"]
    assert made[0].swaps == 2 + 3  # no more often than the turns change
    assert (one.name, two.name) == ("base+first", "base+second")
    with pytest.raises(BackendProblem):
        one.set_adapter(Version("bad"))  # type: ignore[arg-type]
    assert one.generate(PROMPT, Limits()).text == "first"
    one.close()
    one.close()
    assert not made[0].closed
    two.close()
    assert made[0].closed
    shared.lease()
    assert len(made) == 2


def test_the_next_lease_loads_a_model_again_that_failed_to_load() -> None:
    tries: list[int] = []

    def load() -> Adapted:
        tries.append(1)
        if len(tries) == 1:
            raise BackendProblem("half downloaded", "fetch the rest")
        return Adapted()

    shared = SharedModel(load)  # type: ignore[arg-type]
    with pytest.raises(BackendProblem):
        shared.lease()
    assert shared.lease().generate(PROMPT, Limits()).text == "None"
