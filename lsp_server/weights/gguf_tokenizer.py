"""Makes a :class:`~indexer.prompt.tokenizer.Vocabulary` of a GGUF file's own metadata.

Two kinds exist in bases for code: byte-level BPE as GPT-2 has it, which splits text by the patterns of a named
pre-tokenizer first, and SentencePiece BPE as LLaMA 1 and 2 and Gemma have it. Both become a tokenizer of the
``tokenizers`` library, so training and serving count the same ids; they are those of llama.cpp's own tokenizer. Knows
nothing of files and prompts.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from indexer.prompt.control_strings import CONTROL
from indexer.prompt.tokenizer import HTML_TAG, Vocabulary
from lsp_server.errors import BackendProblem
from lsp_server.weights.pre_tokenizers import IGNORE_MERGES, STARTS_WITH_BOS, patterns_of

_UNKNOWN, _CONTROL, _USER_DEFINED = 2, 3, 4
_BLANK: Final = "▁"  # SentencePiece writes a blank like this


def vocabulary_of(fields: Mapping[str, Any], name: str) -> Vocabulary:
    """The vocabulary that the metadata of a model describes.

    :param name: the model's, for messages.
    :raises BackendProblem: its kind is not known, or it is damaged.
    """
    return Vocabulary(*tokenizer_of(fields, name))


def tokenizer_of(fields: Mapping[str, Any], name: str) -> tuple[dict[str, Any], dict[str, Any], set[int]]:
    """The contents of ``tokenizer.json`` and of ``tokenizer_config.json``, and the ids of the control tokens.

    :raises BackendProblem: as ``vocabulary_of``.
    """
    kind, tokens = fields.get("tokenizer.ggml.model"), fields.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, list) or not tokens:
        raise BackendProblem(f"{name} holds no vocabulary", "fetch another conversion of the model")
    types = [int(value) for value in fields.get("tokenizer.ggml.token_type", ())] or [1] * len(tokens)
    if len(types) != len(tokens):
        raise BackendProblem(f"the vocabulary of {name} is damaged", "fetch the file again")
    pre = str(fields.get("tokenizer.ggml.pre") or "default")
    if kind == "gpt2":
        model = _byte_level(fields, tokens, types, pre, name)
    elif kind in ("llama", "gemma4"):
        model = _sentence_piece(fields, tokens, types)
    else:
        raise BackendProblem(
            f"{name} has a tokenizer of the kind {kind!r}, which is not known here",
            "use a base with BPE or SentencePiece, or its safetensors",
        )
    ends = {fields.get(f"tokenizer.ggml.{key}_token_id") for key in ("bos", "eos")}
    controls = {at for at, kind_of in enumerate(types) if _steers(tokens[at], kind_of, at in ends)}
    added = [at for at, kind_of in enumerate(types) if at in controls or kind_of == _USER_DEFINED]
    data = model | {"version": "1.0", "added_tokens": [_added(at, tokens[at], at in controls) for at in added]}
    return data, _settings(fields, tokens, str(kind), pre), controls


def _steers(text: str, kind: int, ends: bool) -> bool:
    """Whether a token steers the model. Some conversions mark such tokens as user-defined, so known names count.

    :param ends: whether texts begin or end with it; ``<s>`` is a tag of HTML elsewhere.
    """
    named = kind == _USER_DEFINED and CONTROL.fullmatch(text) is not None
    return kind in (_UNKNOWN, _CONTROL) or (named and (ends or not HTML_TAG.fullmatch(text)))


def _added(number: int, text: str, special: bool) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {"id": number, "content": text, "special": special, **flags}


def _settings(fields: Mapping[str, Any], tokens: Sequence[str], kind: str, pre: str) -> dict[str, Any]:
    """What ``tokenizer_config.json`` would say of the tokens at the start and the end."""
    starts = fields.get("tokenizer.ggml.add_bos_token")
    settings: dict[str, Any] = {"add_bos_token": starts if isinstance(starts, bool) else _starts(kind, pre)}
    for key in ("bos", "eos"):
        number = fields.get(f"tokenizer.ggml.{key}_token_id")
        if isinstance(number, int) and 0 <= number < len(tokens):
            settings[f"{key}_token"] = tokens[number]
    return settings


def _starts(kind: str, pre: str) -> bool:
    return kind in ("llama", "gemma4") or pre in STARTS_WITH_BOS


def _byte_level(
    fields: Mapping[str, Any], tokens: Sequence[str], types: Sequence[int], pre: str, name: str
) -> dict[str, Any]:
    patterns = patterns_of(pre)
    if patterns is None:
        raise BackendProblem(
            f"{name} splits text by the rules {pre!r}, which are not known here", "update Ondol, or use another base"
        )
    vocabulary = _numbered(tokens)
    merges = [pair.split(" ", 1) for pair in fields.get("tokenizer.ggml.merges", ())]
    known = [m for m in merges if len(m) == 2 and {m[0], m[1], m[0] + m[1]} <= vocabulary.keys()]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    splits = [
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
        for pattern in patterns
    ]
    return {
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [*splits, byte_level]},
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "vocab": vocabulary,
            "merges": known,
            "ignore_merges": pre in IGNORE_MERGES,
            "byte_fallback": False,
            "fuse_unk": False,
        },
    }


def _sentence_piece(fields: Mapping[str, Any], tokens: Sequence[str], types: Sequence[int]) -> dict[str, Any]:
    vocabulary = _numbered(tokens)
    named = fields.get("tokenizer.ggml.merges")
    if isinstance(named, list) and named:
        halves = [(pair[: (at := pair.index(" ", 1))], pair[at + 1 :]) for pair in named if " " in pair[1:]]
        merges = [m for m in halves if {m[0], m[1], m[0] + m[1]} <= vocabulary.keys()]
    else:
        scores = [float(score) for score in fields.get("tokenizer.ggml.scores", ())]
        merges = _merges(tokens, vocabulary, scores or [-float(at) for at in range(len(tokens))])
    unknown = next((text for text, kind in zip(tokens, types, strict=True) if kind == _UNKNOWN), None)
    blanks = {"type": "Replace", "pattern": {"String": " "}, "content": _BLANK}
    back = {"type": "Replace", "pattern": {"String": _BLANK}, "content": " "}
    return {
        "normalizer": blanks,
        "pre_tokenizer": None,
        "decoder": {"type": "Sequence", "decoders": [back, {"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {
            "type": "BPE",
            "vocab": vocabulary,
            "merges": merges,
            "unk_token": unknown,
            "byte_fallback": True,
            "fuse_unk": True,
        },
    }


def _numbered(tokens: Sequence[str]) -> dict[str, int]:
    """Text -> id; the first of several ids with the same text, as in llama.cpp."""
    vocabulary: dict[str, int] = {}
    for number, text in enumerate(tokens):
        vocabulary.setdefault(text, number)
    return vocabulary


def _merges(tokens: Iterable[str], vocabulary: Mapping[str, int], scores: Sequence[float]) -> list[tuple[str, str]]:
    """Pairs of tokens that are joined, first those that make the token with the highest score."""
    found: list[tuple[float, int, str, str]] = []
    for text in tokens:
        number = vocabulary[text]
        for at in range(1, len(text)):
            first, second = text[:at], text[at:]
            if first in vocabulary and second in vocabulary:
                found.append((-scores[number], at, first, second))
    found.sort(key=lambda pair: pair[:2])
    return [(first, second) for _, _, first, second in found]
