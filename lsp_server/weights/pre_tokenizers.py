"""How byte-level BPE splits text before it joins bytes: llama.cpp's names of pre-tokenizers and their patterns.

A table of data. The patterns of a name are applied one after the other, each to the pieces that the previous one left.
They are those of the models' own ``tokenizer.json`` in the form that llama.cpp uses. A new name is one row.
"""

from typing import Final

_SHORT: Final = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
_REST: Final = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_GPT2: Final = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"
_UPPER, _LOWER = r"(?:(?=\p{L})[^a-z])", r"(?:(?=\p{L})[^A-Z])"
_CJK: Final = "[一-龥぀-ゟ゠-ヿ]+"
_CHINESE: Final = "[一-龥ࠀ-一가-퟿]+"
_JOINED: Final = (
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|"
    + _REST
)


def _words(digits: str, marks: str = r"[\r\n]*", rest: str = _REST) -> str:
    """The pattern of GPT-4 and its relatives: words with the mark before them, digits, marks with line breaks."""
    return rf"{_SHORT}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}| ?[^\s\p{{L}}\p{{N}}]+{marks}|{rest}"


def _cased(short: str, digits: str) -> str:
    """The pattern of GPT-4o and of Mistral's newer models: as above, and a word ends where its capitals begin."""
    word = r"[^\r\n\p{L}\p{N}]?"
    return (
        f"{word}{_UPPER}*{_LOWER}+{short}|{word}{_UPPER}+{_LOWER}*{short}|{digits}"
        rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{_REST}"
    )


_LLAMA3_NAMES: Final = "llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2"
_LLAMA3: Final = (_words(r"\p{N}{1,3}"),)
_QWEN2: Final = (_words(r"\p{N}"),)
_SINGLE_DIGITS: Final = (r"\p{N}", _GPT2)
_DEEPSEEK3: Final = (r"\p{N}{1,3}", _CJK, _JOINED)

_FAMILIES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (f"{_LLAMA3_NAMES} dbrx smaug-bpe chatglm-bpe glm4 glm5", _LLAMA3),
    ("qwen2 deepseek-r1-qwen kormo f2llmv2 stablelm2 megrez hunyuan solar-open grok-2", _QWEN2),
    ("starcoder refact command-r smollm codeshell exaone minerva-7b mellum2", _SINGLE_DIGITS),
    ("gpt-2 phi-2 mpt olmo jais trillion granite-docling gigachat a.x-4.0 mellum exaone4 jina-v2-code", (_GPT2,)),
    ("deepseek-v3 hunyuan-dense joyai-llm hy_v4", _DEEPSEEK3),
    ("tekken", (_cased("", r"\p{N}"),)),
    ("gpt-4o llama4 kanana2 talkie minimax-m2", (_cased(f"{_SHORT}?", r"\p{N}{1,3}"),)),
    ("minicpm5", (r"\p{N}{1,3}", _words(r"\p{N}+"))),
    (
        "qwen35",
        (rf"{_SHORT}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{_REST}",),
    ),
    (
        "seed-coder",
        (rf"{_SHORT}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|{_REST}",),
    ),
    (
        "bailingmoe bailingmoe2 llada-moe",
        (
            r"'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
            r"|\s*[\r\n]|\s+(?!\S)|\s+",
        ),
    ),
    ("deepseek-coder", (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", _CHINESE, r"\p{N}")),
    ("falcon", (r"[\p{P}\$\+<=>\^~\|`]+", _GPT2, "[0-9][0-9][0-9]")),
    ("bloom poro-chat gpt3-finnish", (r" ?[^(\s|.,!?…。，、।۔،)]+",)),
    ("viking", (r" ?[^(\s|.,!?…。，、।۔،)]+", r"\p{N}")),
    ("default", (r"[\p{P}\$\+<=>\^~\|]+", _GPT2, r"\p{N}+", "[0-9][0-9][0-9]")),
)

_PATTERNS: Final = {name: patterns for names, patterns in _FAMILIES for name in names.split()}

IGNORE_MERGES: Final = frozenset(f"{_LLAMA3_NAMES} minicpm5 glm4 glm5 tekken".split())
"""Pre-tokenizers whose words are one token where the vocabulary has them, whatever the merges say."""

STARTS_WITH_BOS: Final = frozenset(f"{_LLAMA3_NAMES} tekken".split())
"""Pre-tokenizers whose models begin every text with their BOS, where the file does not say."""


def patterns_of(name: str) -> tuple[str, ...] | None:
    """The patterns of a pre-tokenizer in llama.cpp's name for it; None if it is not known."""
    return _PATTERNS.get(name)


def name_of(patterns: tuple[str, ...]) -> str | None:
    """A name of llama.cpp for these patterns; None if there is none."""
    return next((name for name, known in _PATTERNS.items() if known == patterns), None)
