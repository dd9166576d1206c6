"""What is traced of a model's answer: numbers for ``ondol explain``, no text."""

from typing import Any

from lsp_server.backends.base import Backend, Generation
from lsp_server.model.prompt_context import PromptContext


def traced(
    backend: Backend, context: PromptContext, made: Generation | None, processor_seconds: float
) -> dict[str, Any]:
    """Return numbers about an answer, its prompt and its context.

    :param processor_seconds: of the model's thread; a library that computes on several threads takes more.
    """
    about = backend.about
    out: dict[str, Any] = {"model": backend.name, "context": context.reason, **context.trace}
    if about["adapter"]:
        out["adapter"] = about["adapter"]
    if made is not None:
        out |= {
            "prompt_tokens": made.prompt_tokens,
            "reused": made.reused,
            "forwards": made.forwards,
            "drafted": made.drafted,
            "accepted": made.accepted,
            "seconds": round(made.seconds, 4),
            "processor_seconds": round(processor_seconds, 4),
            "end": made.reason,
        }
    return out
