"""One row per adapter version, as the terminal and the web page show it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finetune.adapters.stale_data import Mark
    from lsp_server.weights.adapter_registry_writer import Version


def row_of(one: "Version", now: int | None, marked: "dict[int, Mark]") -> dict[str, Any]:
    """What the list shows of a version."""
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
        "mark": str(marked[one.number]) if one.number in marked else None,
        "problem": one.problem,
    }
