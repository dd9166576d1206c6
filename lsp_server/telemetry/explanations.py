"""Explains one request in sentences, from its record: what was considered, what was best, and why it was shown or not.

Every probability in them is that a whole text is right, so that it can be compared with the setting ``precision``.
"""

import time
from typing import Any, Final

from lsp_server.reasons import MODEL_REASONS, Reason, sentence, verdict

_NAMES: Final = {"longest": "longest agreement in tokens"}
_UNTOLD: Final = ("held", "probability", "threshold")
"""Numbers of a trace that the sentences tell; the others are printed on request."""

LONGEST: Final = 160
"""Characters of a text that are quoted."""


def explain(record: dict[str, Any], *, full: bool = False) -> list[str]:
    """Return sentences about one request.

    :param record: as ``Traces`` keeps it. :param full: add the numbers behind the answer, one a line.
    """
    place = f"{record.get('path') or 'an unnamed document'}:{record.get('line', '?')}:{record.get('column', '?')}"
    if record.get("kind") == "next_edit":
        return _explain_edit(record, place)
    trace = record.get("trace")
    trace = trace if isinstance(trace, dict) else {}
    kind = "Automatic" if record.get("automatic") else "Invoked"
    lines = [f"{kind} request for a completion at {place} ({record.get('language', '?')}, {_when(record)})."]
    lines.append(verdict(str(record.get("reason", "?")), trace))
    lines += _best(record, trace)
    lines += _considered(trace)
    if isinstance(refused := record.get("refused"), int) and refused:
        lines.append(f"Texts refused before on this line, which are not suggested there again: {refused}.")
    lines += _model(trace)
    if "ms" in record:
        lines.append(f"It took {record['ms']} ms.")
    if record.get("error"):
        lines.append(f"The fault: {record['error']}.")
    if full:
        lines += [f"{_NAMES.get(key, key)}: {_plain(value)}" for key, value in trace.items() if key not in _UNTOLD]
    lines.append(f"The record's id is {record.get('id')}.")
    return lines


def _best(record: dict[str, Any], trace: dict[str, Any]) -> list[str]:
    """Sentences about the best text: what it was, how likely it was, what was asked for, and where it comes from."""
    held = trace.get("held")
    texts = record.get("text")
    asked = _asked(record, trace)
    if isinstance(held, dict) and not record.get("items"):
        lines = [_held(held, trace, asked)]
        if record.get("reason") == Reason.SAVES_LITTLE and isinstance(trace.get("worth"), int | float):
            lines.append(f"It is expected to save {trace['worth']:.1f} keys.")
        if record.get("reason") == Reason.GATE and isinstance(held.get("next_word"), int | float):
            least = held.get("next_word_least")
            needs = f"; an automatic one needs {_percent(least)}" if record.get("automatic") and least else ""
            word = _percent(held["next_word"])
            lines.append(f"Its most probable beginning, one word, had a probability of {word}{needs}.")
        sources = [held["from"]] if held.get("from") else []
    else:
        text = f": {quoted(texts[0])}" if isinstance(texts, list) and texts else ""
        probability = record.get("probability")
        lines = []
        if isinstance(probability, int | float):
            lines = [f"The best text had a probability of {_percent(probability)}{asked}{text}."]
        sources = record.get("provenance", [])[:3]
    return lines + [f"It comes from {source}." for source in sources]


def _held(held: dict[str, Any], trace: dict[str, Any], asked: str) -> str:
    """The sentence about a text that was held back; its record on disk has only its length."""
    text = held.get("text")
    if text:
        what = quoted(text)
    else:
        length = f" of {held['characters']:,} characters" if isinstance(held.get("characters"), int) else ""
        what = f"a text{length} that only the running server knows (ask in the editor)"
    probability = _percent(held.get("probability") or 0)
    together = trace.get("blended")
    if isinstance(together, list) and together:
        return (
            f"Held back: {what}. Retrieval alone gave it a probability of {probability}; "
            f"with the model, the best text reached {_percent(together[0])}{asked}."
        )
    return f"Held back: {what}. It had a probability of {probability}{asked}."


def _asked(record: dict[str, Any], trace: dict[str, Any]) -> str:
    """Return what an automatic request needs, for the sentence about its probability; an invoked one needs nothing."""
    threshold = trace.get("threshold")
    if not record.get("automatic") or not isinstance(threshold, int | float):
        return ""
    return f"; `precision` asks for {_percent(threshold)}"


def _considered(trace: dict[str, Any]) -> list[str]:
    """The sentence about what was compared."""
    found, compared = trace.get("matches"), trace.get("candidates")
    if not isinstance(found, int) or not isinstance(compared, int):
        return []
    places = "1 place agrees" if found == 1 else f"{found:,} places agree"
    texts = "1 text was" if compared == 1 else f"{compared:,} texts were"
    longest = trace.get("longest")
    most = f", the longest in {longest} words and signs" if isinstance(longest, int) else ""
    considered = f"Considered: {places} with what stands before the cursor{most}; {texts} compared."
    if trace.get("thinned") is True:
        considered += " The repository is so large that only a part of the places with short agreement was looked at."
    if trace.get("refuted") is True:
        considered += " A word was judged less likely, since something else was written for it at such a place before."
    return [considered]


def _model(trace: dict[str, Any]) -> list[str]:
    """Sentences about the model, if there is one."""
    lines = [sentence(trace["model_reason"])] if trace.get("model_reason") in MODEL_REASONS else []
    if trace.get("model"):
        adapter = f" with adapter {trace['adapter']}" if trace.get("adapter") else ""
        read = f", which read {trace['prompt_tokens']:,} tokens" if isinstance(trace.get("prompt_tokens"), int) else ""
        lines.append(f"The model {trace['model']}{adapter} was asked too{read}.")
    return lines


def _explain_edit(record: dict[str, Any], place: str) -> list[str]:
    """Return sentences about one request for the next edit: which edits proposed what, and where."""
    lines = [f"Request for the next edit at {place} ({record.get('language', '?')}, {_when(record)})."]
    lines.append(sentence(str(record.get("reason", "?"))))
    sources = [str(source) for source in record.get("provenance", [])]
    if sources:
        lines.append(f"You changed {' and '.join(sources)} so; {record.get('place', '?')} is the next place.")
    if isinstance(record.get("probability"), int | float):
        lines.append(f"The edit was judged {record['probability']:.0%} likely to be wanted there.")
    lines += _searched(record.get("searched", {}))
    lines += _model(record) + _model_edit(record)
    for name, text in zip(("It replaces", "It puts there"), record.get("text", []), strict=False):
        lines.append(f"{name}: {text}")
    if "ms" in record:
        lines.append(f"It took {record['ms']} ms.")
    if record.get("error"):
        lines.append(f"The fault: {record['error']}.")
    lines.append(f"The record's id is {record.get('id')}.")
    return lines


def _model_edit(record: dict[str, Any]) -> list[str]:
    """Return a sentence about what the model made of the line, if it was asked and has written something."""
    if not isinstance(record.get("model_agrees"), bool) or not isinstance(record.get("changes"), int):
        return []
    shown = "1 change" if record["changes"] == 1 else f"{record['changes']} changes"
    wrote = "the text that the edits propose for this line" if record["model_agrees"] else "another text for this line"
    return [f"After {shown} of this session it wrote {wrote}."]


def _searched(counts: dict[str, int]) -> list[str]:
    """Return sentences about the lines and the files in which a next edit was looked for."""
    lines = []
    if counts.get("places"):
        cut = f"; {counts['places_cut']:,} that are less likely were left out" if counts.get("places_cut") else ""
        lines.append(f"Other lines that were tried: {counts['places']:,}{cut}.")
    if counts.get("files"):
        cut = f"; {counts['files_cut']:,} that hold less of it were left out" if counts.get("files_cut") else ""
        lines.append(f"Other files that were looked at: {counts['files']:,}{cut}.")
    return lines


def quoted(text: str) -> str:
    """Return the first line of a text in backticks, cut where it is long, and how many lines follow."""
    first, *more = text.split("\n")
    first = first.strip() if len(first) <= LONGEST else first[:LONGEST].strip() + " …"
    return f"`{first}`" + (f" and {len(more)} more line{'s' if len(more) > 1 else ''}" if more else "")


def _when(record: dict[str, Any]) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(record.get("time", 0))))


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "; ".join(_plain(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
