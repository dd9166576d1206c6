"""Random LLaMA-shaped models small enough for a test, with the readable tokenizer of the prompt tests."""

import json
from pathlib import Path
from typing import Any

from tests.support.tokenizers import bytes_tokenizer

QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SHAPE = {
    "vocab_size": 272,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,
    "bos_token_id": None,
    "eos_token_id": 256,
    "pad_token_id": None,
}


def make_model(config_class: str = "LlamaConfig", seed: int = 1, **changes: Any) -> Any:
    """A random model in float32."""
    import torch
    import transformers

    torch.manual_seed(seed)
    config = getattr(transformers, config_class)(**(SHAPE | changes))
    return transformers.AutoModelForCausalLM.from_config(config).float().eval()


def split_tokenizer(size: int = 400) -> str:
    """A byte-level BPE with Qwen2's split, trained on a few lines, with the small LLaMA's control tokens first."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(QWEN2_SPLIT), behavior="isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    controls = ["<|endoftext|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_sep|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=controls, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([Path(__file__).read_text()], trainer)
    return str(tokenizer.to_str())


def write_split_folder(folder: Path, **changes: Any) -> Path:
    """As :func:`write_folder`, with a tokenizer that llama.cpp knows and matrices it can quantise to 4 bits."""
    shape = {
        "vocab_size": 400,
        "hidden_size": 256,
        "intermediate_size": 256,
        "initializer_range": 0.08,
        "eos_token_id": 0,
    }
    write_folder(folder, **(shape | changes))
    (folder / "tokenizer.json").write_text(split_tokenizer())
    return folder


def write_folder(folder: Path, family: str = "small-llama", config_class: str = "LlamaConfig", **changes: Any) -> Path:
    """A whole model folder: config, safetensors, tokenizer."""
    model = make_model(config_class, **changes)
    if family == "small-llama" and not model.config.tie_word_embeddings:
        model.lm_head.weight.data[128:] = 0.0  # it writes ASCII, so its text can be encoded again
    model.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    if family == "small-llama":
        config["ondol_prompt_spec"] = family
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(bytes_tokenizer(family))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|endoftext|>"}))
    return folder
