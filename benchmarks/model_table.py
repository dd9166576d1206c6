"""Makes the table of ``docs/models.md`` from the results of ``bench_model.py``."""

from typing import Any


def tabulate(kept: dict[str, Any]) -> str:
    """Return the table as Markdown."""
    rows = ["| measure | figure |", "|---|---|"]
    for name, found in kept.items():
        question, _, label = name.partition(" ")
        where = f" ({label})" if label and label != found["repository"] else ""
        rows += [f"| {measure}{where} | {figure} |" for measure, figure in _ROWS[question](found)]
    rows += [f"| {measure} | {figure} |" for measure, figure in _pooled(kept)]
    return "\n".join(rows)


def _pooled(kept: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the row of all repositories together; each cursor counts once."""
    found = [one for name, one in kept.items() if name.partition(" ")[0] == "systems"]
    cursors = sum(one["cases"] for one in found)
    shares = {
        name: sum(one["systems"][name]["exact"]["value"] * one["cases"] for one in found) / cursors
        for name in (found[0]["systems"] if found else ())
    }
    said = ", ".join(f"`{name}` {share:.1%}" for name, share in shares.items())
    return [(f"all {cursors} cursors of {len(found)} repositories, exact rest of line", said)] if len(found) > 1 else []


def _speed_rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    writing, cold, same = found["writing_against_generate"], found["against_generate"], found["same_text"]
    line = found["same_first_line"]
    names = {
        "ours": "our loop",
        "ours_with_drafts": "our loop with drafts",
        "gguf8": "8-bit GGUF",
        "gguf8_with_drafts": "8-bit GGUF with drafts",
        "gguf4": "4-bit GGUF",
    }
    return [
        (
            f"{said} against transformers' `generate()`, {found['prompts']} prompts",
            f"{writing[name]} times the tokens per second when writing, {cold[name]} times with a cold prompt; "
            f"same text on {same[name]:.0%}, same first line on {line[name]:.0%}",
        )
        for name, said in names.items()
        if name in writing
    ]


def _served_rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    times = {name: one["p50_cpu"] for name, one in found["milliseconds"].items()}
    names = {"ours": "our loop", "gguf8": "8-bit GGUF"}
    return [
        (
            f"{said} as served, key after key, against `generate()`, {found['keys']} keys",
            f"{found['against_generate'][name]} times as fast to the end of the line (median {times[name]} ms and "
            f"{times['generate']} ms of the processor); same line on {found['same_line'][name]:.0%}",
        )
        for name, said in names.items()
        if name in found["against_generate"]
    ]


def _keys_rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    rows = []
    for path, said in (("torch", "torch"), ("gguf8", "8-bit GGUF")):
        if path in found:
            one = found[path]
            times = one["milliseconds"]
            rows += [
                (f"{said}: tokens computed again per keystroke, median", f"{one['recomputed_share_median']:.1%}"),
                (
                    f"{said}: key to the model's line, prompt of {one['prompt_tokens_median']:.0f} tokens in the cache",
                    f"p50 {times['p50_cpu']} ms, p95 {times['p95_cpu']} ms of the processor "
                    f"(p95 {times['p95_wall']} ms by the clock, at a load of {found['machine']['load'][0]:.0f} on "
                    f"{found['machine']['cores']} cores)",
                ),
                (
                    f"{said}: passes begun after a cancel, most of {one['cancels']}",
                    str(one["passes_after_cancel_most"]),
                ),
            ]
    return rows


def _start_rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    seconds = found["seconds"]
    load = f"load {found['machine']['load'][0]:.0f} on {found['machine']['cores']} cores"
    return [
        (
            "start of the server to its answer to `initialize`, with a model and without",
            f"{seconds['initialize_cpu']['median']} s and {seconds['initialize_without_cpu']['median']} s of CPU "
            f"({seconds['initialize']['median']} s and {seconds['initialize_without']['median']} s by the clock, "
            f"{load})",
        ),
        (
            "... to a first copy, and to the model (torch)",
            f"{seconds['first_answer']['median']} s, {seconds['model']['median']} s",
        ),
    ]


def _systems_rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [
        (
            f"{found['repository']}, {found['cases']} cursors, exact rest of line: `{name}`",
            _share(one["exact"]) + _shown(one),
        )
        for name, one in found["systems"].items()
    ]
    for one in found["differences"]:
        rows.append((f"... from `{one['from']}` to `{one['to']}`", _share(one["exact"], "+.1f")))
    return rows


def _shown(one: dict[str, Any]) -> str:
    """Return how often a suggestion is shown automatically, and how often it is right."""
    shown, right = (one[key]["value"] for key in ("coverage", "precision"))
    return f"; shown automatically at {shown:.0%}" + (f", right {right:.0%}" if shown else "")


def _share(found: dict[str, Any], form: str = ".1f") -> str:
    value, low, high = (100 * found[key] for key in ("value", "low", "high"))
    return f"{value:{form}} % [{low:{form}}, {high:{form}}]"


_ROWS = {
    "speed": _speed_rows,
    "served": _served_rows,
    "keys": _keys_rows,
    "start": _start_rows,
    "systems": _systems_rows,
}
