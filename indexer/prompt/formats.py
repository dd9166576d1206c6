"""The prompt format of each family of code models: one table of data, and the check of a tokenizer against it.

Adding a family means adding a row. ``renderer`` writes the prompts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from indexer.errors import UserError
from indexer.prompt.tokenizer import Vocabulary


@dataclass(frozen=True, slots=True)
class PromptSpec:
    """The prompt format of one family of models. Strings are byte-exact; ``{...}`` are slots.

    :param template: the whole prompt; control tokens are the entries of ``controls`` that occur in it.
    :param piece: one file of context, in the same notation.
    :param controls: control tokens, each of which must be exactly one id.
    :param stops: further control tokens that end a generation, where the vocabulary has them.
    :param end: the control token that closes the middle, in training and as a stop; empty: the tokenizer's own end.
    :param architectures: ``architectures`` of config.json this family uses, where its tokens do not tell it apart;
        empty means any.
    :param heal_spaces: trailing spaces of the prefix are left out and expected from the model (left to right only:
        FIM models are trained on cuts inside a run of blanks, the others have never seen one).
    :param context_share, suffix_share: largest shares of the prompt; the prefix gets what they leave.
    """

    name: str
    template: str
    piece: str
    controls: tuple[str, ...]
    end: str
    stops: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    heal_spaces: bool = False
    context_share: float = 0.5
    suffix_share: float = 0.15


_COMMENT = "# {path}\n{text}\n\n"
_STAR = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>")
_PIPE = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
_DEEPSEEK = ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>")
_SEED = ("<[fim-suffix]>", "<[fim-prefix]>", "<[fim-middle]>")
_CODELLAMA = ("▁<PRE>", "▁<SUF>", "▁<MID>")
_LLAMA = ("LlamaForCausalLM",)

SPECS: tuple[PromptSpec, ...] = (
    PromptSpec(
        name="small-llama",
        template="{context}<|file_sep|>{path}\n<|fim_suffix|>{suffix}<|fim_prefix|>{prefix}<|fim_middle|>",
        piece="<|file_sep|>{path}\n{text}",
        controls=(*_PIPE, "<|file_sep|>"),
        end="<|endoftext|>",
        architectures=_LLAMA,
    ),
    PromptSpec(
        name="qwen2.5-coder",
        template="<|repo_name|>{repository}\n{context}<|file_sep|>{path}\n"
        "<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>",
        piece="<|file_sep|>{path}\n{text}\n",
        controls=(*_PIPE, "<|file_sep|>", "<|repo_name|>"),
        end="<|endoftext|>",
        stops=("<|fim_pad|>", "<|im_end|>"),
    ),
    PromptSpec(
        name="starcoder2",
        template="<repo_name>{repository}{context}<file_sep>{path}\n"
        "<fim_prefix>{prefix}<fim_suffix>{suffix}<fim_middle>",
        piece="<file_sep>{path}\n{text}",
        controls=(*_STAR, "<file_sep>", "<repo_name>"),
        end="<|endoftext|>",
        stops=("<fim_pad>",),
    ),
    PromptSpec(
        name="mellum",
        template="{context}<filename>{path}\n<fim_suffix>{suffix}<fim_prefix>{prefix}<fim_middle>",
        piece="<filename>{path}\n{text}",
        controls=(*_STAR, "<filename>"),
        end="<|endoftext|>",
        architectures=_LLAMA,
    ),
    PromptSpec(
        name="granite-code",
        template="{context}<filename>{path}\n<fim_prefix>{prefix}<fim_suffix>{suffix}<fim_middle>",
        piece="<filename>{path}\n{text}\n",
        controls=(*_STAR, "<filename>"),
        end="<|endoftext|>",
        stops=("<fim_pad>", "<reponame>"),
        architectures=_LLAMA,
    ),
    PromptSpec(
        name="granite-3",
        template="{context}<filename>{path}\n<fim_prefix>{prefix}<fim_suffix>{suffix}<fim_middle>",
        piece="<filename>{path}\n{text}\n",
        controls=(*_STAR, "<filename>"),
        end="<|end_of_text|>",
        stops=("<fim_pad>", "<reponame>"),
        architectures=("GraniteForCausalLM", "GraniteMoeForCausalLM"),
    ),
    PromptSpec(
        name="granite-4",
        template="{context}<|filename|>{path}\n<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>",
        piece="<|filename|>{path}\n{text}\n",
        controls=(*_PIPE, "<|filename|>", "<|reponame|>"),
        end="<|end_of_text|>",
        stops=("<|fim_pad|>",),
    ),
    PromptSpec(
        name="codegemma",
        template="{context}{path}\n<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>",
        piece="{path}\n{text}<|file_separator|>",
        controls=(*_PIPE, "<|file_separator|>"),
        end="<|file_separator|>",
        stops=("<eos>", "<end_of_turn>"),
    ),
    PromptSpec(
        name="codestral",
        template="[SUFFIX]{suffix}[PREFIX]{context}+++++ {path}\n{prefix}",
        piece="+++++ {path}\n{text}\n\n",
        controls=("[SUFFIX]", "[PREFIX]"),
        end="</s>",
        stops=("[MIDDLE]",),
    ),
    PromptSpec(
        name="seed-coder",
        template="<[fim-suffix]>{suffix}<[fim-prefix]>{context}{prefix}<[fim-middle]>",
        piece=_COMMENT,
        controls=_SEED,
        end="<[end▁of▁sentence]>",
    ),
    PromptSpec(
        name="deepseek-coder",
        template="<｜fim▁begin｜>{context}{prefix}<｜fim▁hole｜>{suffix}<｜fim▁end｜>",
        piece="#{path}\n{text}\n\n",
        controls=_DEEPSEEK,
        end="<｜end▁of▁sentence｜>",
        stops=("<|EOT|>",),
    ),
    PromptSpec(
        name="codellama",
        template="▁<PRE> {context}{prefix}▁<SUF>{suffix}▁<MID>",
        piece=_COMMENT,
        controls=_CODELLAMA,
        end="▁<EOT>",
        stops=("</s>",),
    ),
    PromptSpec(
        name="codellama-spm",
        template="▁<PRE>▁<SUF>{suffix}▁<MID> {context}{prefix}",
        piece=_COMMENT,
        controls=_CODELLAMA,
        end="▁<EOT>",
        stops=("</s>",),
    ),
    PromptSpec(
        name="starcoder",
        template="<fim_prefix>{context}{prefix}<fim_suffix>{suffix}<fim_middle>",
        piece=_COMMENT,
        controls=_STAR,
        end="",
        stops=("<|endoftext|>", "<fim_pad>", "<file_sep>", "<filename>"),
    ),
    PromptSpec(
        name="fim",
        template="<|fim_prefix|>{context}{prefix}<|fim_suffix|>{suffix}<|fim_middle|>",
        piece=_COMMENT,
        controls=_PIPE,
        end="",
        stops=("<|endoftext|>", "<|fim_pad|>", "<|file_sep|>"),
    ),
)

LEFT_TO_RIGHT = PromptSpec(
    name="left-to-right",
    template="{context}{prefix}",
    piece=_COMMENT,
    controls=(),
    end="",
    stops=("</s>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>"),
    heal_spaces=True,
    suffix_share=0.0,
)
"""For bases without FIM tokens (LLaMA, Alpaca, Vicuna, KoAlpaca kinds): the text after the cursor is not seen."""


def spec_named(name: str) -> PromptSpec:
    """The spec of that name.

    :raises UserError: there is none.
    """
    for spec in (*SPECS, LEFT_TO_RIGHT):
        if spec.name == name:
            return spec
    raise UserError(f"there is no prompt format {name!r}", f"use one of {', '.join(s.name for s in SPECS)}")


def check(spec: PromptSpec, vocabulary: Vocabulary) -> str | None:
    """Why this tokenizer does not fit the format, or None: every control token must be one id."""
    seen: dict[int, str] = {}
    for name in (*spec.controls, spec.end):
        if not name:
            continue
        token = vocabulary.control(name)
        if token is None:
            return f"the tokenizer has no token {name}"
        if token in seen and seen[token] != name:
            return f"{name} and {seen[token]} are the same token"
        seen[token] = name
    return None


def detect(config: Mapping[str, Any], vocabulary: Vocabulary) -> tuple[PromptSpec, str | None]:
    """The spec for a model, and a sentence where the format that its config names cannot be used.

    A config may name its spec (``ondol_prompt_spec``); otherwise the first one of the table whose architecture and
    control tokens agree is taken, then the fill-in-the-middle tokens that a GGUF file names (``fim_tokens``). A model
    without such tokens is used left to right.
    """
    named = config.get("ondol_prompt_spec")
    if isinstance(named, str):
        spec = spec_named(named)
        problem = check(spec, vocabulary)
        return (spec, None) if problem is None else (LEFT_TO_RIGHT, f"{problem}; the text after the cursor is not used")
    architectures = config.get("architectures") or []
    for spec in SPECS:
        if spec.architectures and not set(spec.architectures) & set(architectures):
            continue
        if check(spec, vocabulary) is None and _belongs(spec, config):
            return spec, None
    tokens = config.get("fim_tokens")
    if isinstance(tokens, Mapping) and {"prefix", "suffix", "middle"} <= tokens.keys():
        spec = _fim_spec(str(tokens["prefix"]), str(tokens["suffix"]), str(tokens["middle"]))
        if check(spec, vocabulary) is None:
            return spec, None
    return LEFT_TO_RIGHT, None


def _fim_spec(prefix: str, suffix: str, middle: str) -> PromptSpec:
    """The usual order (prefix, suffix, middle) with tokens of any name."""
    template = f"{prefix}{{context}}{{prefix}}{suffix}{{suffix}}{middle}"
    return PromptSpec("fim", template, _COMMENT, (prefix, suffix, middle), "", ("<|endoftext|>", "</s>"))


def _belongs(spec: PromptSpec, config: Mapping[str, Any]) -> bool:
    """Granite code and Mellum have the same tokens and opposite orders; Granite's layers have biases."""
    if spec.name == "small-llama":
        return False  # only by its name: other families carry the same strings
    if spec.name == "mellum":
        return not config.get("mlp_bias")
    if spec.name == "granite-code":
        return bool(config.get("mlp_bias"))
    return True


def stop_ids(spec: PromptSpec, vocabulary: Vocabulary) -> frozenset[int]:
    """Ids that end a generation: the spec's own, the tokenizer's end, and any other control token."""
    named = {vocabulary.control(name) for name in (*spec.controls, spec.end, *spec.stops) if name}
    return frozenset(i for i in (*named, vocabulary.eos) if i is not None) | vocabulary.control_ids


def closing_id(spec: PromptSpec, vocabulary: Vocabulary) -> int | None:
    """The token that closes a middle; None for left to right, where the next line closes it."""
    if not spec.controls:
        return None
    return vocabulary.control(spec.end) if spec.end else vocabulary.eos
