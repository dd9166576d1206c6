"""One row for each adapter version, for the terminal and the web page."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finetune.adapters.stale_data import StaleData
    from lsp_server.weights.adapter_registry_writer import Version


def row_of(one: "Version", now: int | None, stale: "dict[int, StaleData]") -> dict[str, Any]:
    """Return the row of a version.

    :param now: number of the current version.
    :param stale: version number -> its stale data.
    """
    from finetune.nightly.promotion import BASE, CANDIDATE, points

    gain = one.field("metrics", "gains", BASE)
    exact = one.field("metrics", "systems", CANDIDATE, "exact", "value")
    if exact is None:  # a manifest of the version before
        exact = one.field("metrics", "arms", CANDIDATE, "exact", "value")
    verdict = one.field("verdict")
    return {
        "version": one.number,
        "current": one.number == now,
        "made": one.field("made"),
        "base": one.field("base", "name"),
        "commits": one.field("commits", "count"),
        "samples": one.field("dataset", "samples"),
        "exact": exact,
        "gain": points(gain) if isinstance(gain, dict) and gain.get("value") is not None else None,
        "verdict": verdict if isinstance(verdict, str) else None,
        "mark": str(stale[one.number]) if one.number in stale else None,
        "problem": one.problem,
    }
