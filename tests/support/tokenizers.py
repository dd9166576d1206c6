"""Tokenizers whose ids can be read: one token per byte, and the control tokens of a model family after them."""

import json

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from indexer.prompt.tokenizer import Vocabulary

CONTROLS = {
    "small-llama": ("<|endoftext|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_sep|>"),
    "qwen2.5-coder": (
        "<|endoftext|>",
        "<|im_start|>",
        "<|im_end|>",
        "<|fim_prefix|>",
        "<|fim_middle|>",
        "<|fim_suffix|>",
        "<|fim_pad|>",
        "<|repo_name|>",
        "<|file_sep|>",
    ),
    "starcoder2": (
        "<|endoftext|>",
        "<fim_prefix>",
        "<fim_middle>",
        "<fim_suffix>",
        "<fim_pad>",
        "<repo_name>",
        "<file_sep>",
    ),
    "mellum": ("<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>", "<filename>"),
    "granite-code": (
        "<|endoftext|>",
        "<fim_prefix>",
        "<fim_middle>",
        "<fim_suffix>",
        "<fim_pad>",
        "<filename>",
        "<reponame>",
    ),
    "seed-coder": (
        "<[begin▁of▁sentence]>",
        "<[end▁of▁sentence]>",
        "<[fim-prefix]>",
        "<[fim-middle]>",
        "<[fim-suffix]>",
    ),
    "deepseek-coder": (
        "<｜begin▁of▁sentence｜>",
        "<｜end▁of▁sentence｜>",
        "<｜fim▁hole｜>",
        "<｜fim▁begin｜>",
        "<｜fim▁end｜>",
        "<|EOT|>",
    ),
}
BOS = {"seed-coder": "<[begin▁of▁sentence]>", "deepseek-coder": "<｜begin▁of▁sentence｜>"}
CONFIGS = {
    "small-llama": {"architectures": ["LlamaForCausalLM"], "ondol_prompt_spec": "small-llama"},
    "qwen2.5-coder": {"architectures": ["Qwen2ForCausalLM"]},
    "starcoder2": {"architectures": ["Starcoder2ForCausalLM"]},
    "mellum": {"architectures": ["LlamaForCausalLM"]},
    "granite-code": {"architectures": ["LlamaForCausalLM"], "mlp_bias": True, "attention_bias": True},
    "seed-coder": {"architectures": ["LlamaForCausalLM"]},
    "deepseek-coder": {"architectures": ["LlamaForCausalLM"]},
    "codellama": {"architectures": ["LlamaForCausalLM"]},
}


def byte_characters() -> list[str]:
    """The character that byte-level BPE writes for each byte, in the order of the bytes."""
    out = []
    for byte in range(256):
        printable = 33 <= byte <= 126 or 161 <= byte <= 172 or byte >= 174
        out.append(chr(byte) if printable else "")
    spare = iter(range(256, 512))
    return [character or chr(next(spare)) for character in out]


def bytes_tokenizer(family: str) -> str:
    """A byte-level tokenizer without merges: a byte's id is the byte, control tokens follow from 256."""
    tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(byte_characters())}, merges=[]))
    split = pre_tokenizers.Split(Regex(r"\s*[\r\n]+|\w+|[^\w\s]+|\s+"), behavior="isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    special = family != "qwen2.5-coder"  # Qwen marks its FIM tokens as not special
    tokenizer.add_tokens([AddedToken(c, special=special, normalized=False) for c in CONTROLS[family]])
    if family in BOS:
        bos = (BOS[family], tokenizer.token_to_id(BOS[family]))
        tokenizer.post_processor = processors.TemplateProcessing(single=f"{bos[0]} $A", special_tokens=[bos])
    return tokenizer.to_str()


def codellama_tokenizer() -> str:
    """SentencePiece as CodeLlama has it: a dummy leading space, bytes from 3, ``▁`` 259, FIM tokens from 260."""
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2} | {f"<0x{b:02X}>": 3 + b for b in range(256)} | {"▁": 259}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens([AddedToken(c, normalized=False) for c in ("<unk>", "<s>", "</s>")])
    controls = ("▁<PRE>", "▁<MID>", "▁<SUF>", "▁<EOT>")
    tokenizer.add_special_tokens([AddedToken(c, normalized=False) for c in controls])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer.to_str()


def vocabulary(family: str) -> Vocabulary:
    """The family's vocabulary with readable ids."""
    if family.startswith("codellama"):
        return Vocabulary(codellama_tokenizer(), {"eos_token": "</s>"})
    ends = {"seed-coder": "<[end▁of▁sentence]>", "deepseek-coder": "<｜end▁of▁sentence｜>"}
    return Vocabulary(bytes_tokenizer(family), {"eos_token": ends.get(family, "<|endoftext|>")})


def plain_vocabulary() -> Vocabulary:
    """A tokenizer without any control token but its end."""
    data = json.loads(bytes_tokenizer("small-llama"))
    data["added_tokens"] = data["added_tokens"][:1]
    return Vocabulary(json.dumps(data), {"eos_token": "<|endoftext|>"})
