"""The base with LoRA on all its linear layers, the loss, and the adapter's files.

Only safetensors are read, no code from a model's folder is run, and nothing is fetched.
"""

import importlib.util
import io
import json
import os
import warnings
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from finetune.training.options import NEW_ROWS
from indexer import fsio
from indexer.errors import UserError
from lsp_server.backends.torch_backend import pick_device, pick_dtype
from lsp_server.backends.torch_quantized import quantization
from lsp_server.weights.adapter_registry import CONFIG, WEIGHTS
from lsp_server.weights.base_model import ModelFolder

if TYPE_CHECKING:
    from finetune.training.options import TrainingOptions

INPUT: Final = "model.embed_tokens.weight"
OUTPUT: Final = "lm_head.weight"
"""The matrices of a base with one row for each token; tied ones are one matrix, the first."""

_ROWS: Final = "new_rows/"

LOGITS_AT_ONCE: Final = {"cpu": 256, "cuda": 2048}
"""Tokens whose logits are in memory at the same time; a GPU has no use for small parts."""

ACTIVATIONS: Final = 45
"""Numbers that one layer of a LLaMA with LoRA holds for the backward pass, for each token and unit of width; 35 to 50
were measured with 135M parameters."""

HELD_BYTES: Final = 10**9
"""Activations on a CPU that take more are computed twice instead: half as fast again, in a third of the memory."""

HELD_SHARE: Final = 0.8
"""The same on a GPU: the share of its free memory."""


class Weighted(torch.nn.Module):
    """A causal model whose output is the weighted sum of its losses.

    Logits are computed only for tokens with a weight, in parts: middles are a few per cent of the tokens, and the
    logits of a row of documents take more memory than all its activations (2,176 tokens of a vocabulary of 49,152:
    1.7 GB with their gradients).

    :param new_tokens: ids whose rows in the embedding and in the output matrix are trained too.
    """

    def __init__(self, model: Any, new_tokens: Sequence[int] = ()) -> None:
        super().__init__()
        self.model = model
        self.new_tokens = list(new_tokens)
        for matrix in self.matrices().values() if new_tokens else ():
            matrix.data = matrix.data.float()  # in bf16 small steps would be lost
            matrix.requires_grad_(True)
            matrix.register_hook(self._of_new_tokens)

    def matrices(self) -> dict[str, torch.nn.Parameter]:
        """Return the matrices with one row for each token, by their names in the base; one if they are tied."""
        causal = self.model.get_base_model()
        read, written = causal.get_input_embeddings().weight, causal.get_output_embeddings().weight
        return {INPUT: read} if read is written else {INPUT: read, OUTPUT: written}

    def _of_new_tokens(self, gradient: torch.Tensor) -> torch.Tensor:
        kept = torch.zeros_like(gradient)
        kept[self.new_tokens] = gradient[self.new_tokens]
        return kept

    def forward(
        self, input_ids: torch.Tensor, position_ids: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor
    ) -> torch.Tensor:
        """Return the sum over all tokens of weight times cross entropy, in nats.

        All parameters have the shape (rows, tokens).

        :param position_ids: begin at 0 with each sample of a row, so that samples do not attend to each other.
        """
        causal = self.model.get_base_model()
        body = causal.base_model(input_ids=input_ids, position_ids=position_ids, use_cache=False)
        wanted = weights > 0
        return weighted_loss(
            causal.get_output_embeddings(), body.last_hidden_state[wanted], targets[wanted], weights[wanted]
        )


def weighted_loss(
    head: torch.nn.Module, hidden: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Return the sum of weight times cross entropy over some tokens; the logits of one part are in memory at a time.

    A frozen linear head gives its gradient in the same pass; any other head is computed again in the backward pass.

    :param head: turns ``hidden``, of shape (tokens, width), into logits.
    :param targets, weights: of shape (tokens,).
    """
    matrix = getattr(head, "weight", None)
    plain = type(head) is torch.nn.Linear and head.bias is None and type(matrix) is torch.nn.Parameter
    if plain and not matrix.requires_grad:  # type: ignore[union-attr]
        total: torch.Tensor = _FrozenHeadLoss.apply(hidden, matrix, targets, weights)
        return total
    size = _part(hidden)
    parts = zip(*(one.split(size) for one in (hidden, targets, weights)), strict=True)
    losses = [checkpoint(_loss_of, head, *part, use_reentrant=False) for part in parts]
    return torch.stack(losses).sum() if losses else hidden.float().sum() * 0.0


def _part(hidden: torch.Tensor) -> int:
    return LOGITS_AT_ONCE.get(hidden.device.type, LOGITS_AT_ONCE["cpu"])


def _loss_of(head: torch.nn.Module, hidden: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    losses = functional.cross_entropy(head(hidden).float(), targets, reduction="none")
    return (losses * weights).sum()


class _FrozenHeadLoss(torch.autograd.Function):
    """The weighted loss behind a frozen linear head, with its gradient in ``hidden`` computed in the forward pass."""

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, matrix: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor
    ) -> torch.Tensor:
        gradient = torch.zeros_like(hidden) if ctx.needs_input_grad[0] else None
        total = torch.zeros((), device=hidden.device)
        size = _part(hidden)
        for at in range(0, len(hidden), size):
            part = slice(at, at + size)
            chances = torch.log_softmax((hidden[part].to(matrix.dtype) @ matrix.T).float(), dim=-1)
            rows = torch.arange(len(chances), device=hidden.device)
            total -= (chances[rows, targets[part]] * weights[part]).sum()
            if gradient is not None:
                chances.exp_()
                chances[rows, targets[part]] -= 1.0
                chances *= weights[part, None]
                gradient[part] = (chances.to(matrix.dtype) @ matrix).to(hidden.dtype)
        if gradient is not None:
            ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *outer: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * outer[0].to(gradient.dtype), None, None, None


def load(folder: ModelFolder, options: "TrainingOptions", start: Path | None) -> Weighted:
    """Load the base with a new adapter, or with the one in ``start``.

    :raises UserError: the base or the adapter cannot be loaded, or this machine cannot do what the options require.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    device = pick_device()
    try:
        with (
            nullcontext() if folder.weights else redirect_stderr(io.StringIO())
        ):  # a GGUF file's conversion draws a bar
            model = AutoModelForCausalLM.from_pretrained(
                **_files(folder),
                local_files_only=True,
                trust_remote_code=False,
                attn_implementation="sdpa",
                **_precision(folder, options, device),
            )
    except torch.OutOfMemoryError as error:
        raise UserError(
            "the GPU has no memory left for the base model",
            "use a smaller base, or set quantize = true in the [finetune] table",
        ) from error
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{folder.path} cannot be loaded ({str(error)[:200]})", "fetch the model folder again"
        ) from error
    model.config.use_cache = False
    if _checkpointing(options, device, model.config):
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft uses a name of transformers that will change
        adapted = _adapted(model, folder.name, options, start)
    if device.type == "cuda" and not options.quantize and not _spread():
        _compile_layers(model)
    return Weighted(adapted, options.new_tokens)


def _checkpointing(options: "TrainingOptions", device: torch.device, config: Any) -> bool:
    """Return whether activations are computed again in the backward pass instead of being held."""
    if options.gradient_checkpointing is not None:
        return options.gradient_checkpointing
    if device.type not in ("cpu", "cuda"):
        return False
    width = 4 if pick_dtype(device) == torch.float32 else 2
    held = config.num_hidden_layers * options.max_length * config.hidden_size * ACTIVATIONS * width
    room = HELD_BYTES if device.type == "cpu" else HELD_SHARE * torch.cuda.mem_get_info(device)[0]
    return bool(held * options.rows_per_batch > room)


def _spread() -> bool:
    """Return whether the model is spread over processes (FSDP)."""
    return os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"


def fixed_length(max_length: int) -> int | None:
    """Return the length that all rows are padded to where layers are compiled; None elsewhere."""
    return max_length if pick_device().type == "cuda" else None


def _compile_layers(model: Any) -> None:
    """Let torch compile the layers of a model, each on its first pass; they share what is compiled.

    With this, and with activations held instead of computed twice, an H100 trained 35,900 tokens a second where it had
    trained 19,400 (1.3 billion parameters); which of both gave how much was not measured. A layer that cannot be
    compiled (no C compiler, a kind that torch does not know) runs as it is.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    torch._dynamo.config.suppress_errors = True
    for module in model.modules():
        if isinstance(module, GradientCheckpointingLayer):
            module.compile()


def _adapted(model: Any, name: str, options: "TrainingOptions", start: Path | None) -> Any:
    """Return the base with an adapter that can be trained."""
    from peft import LoraConfig, PeftModel, get_peft_model

    precise = not _spread()  # FSDP requires one number format in each layer; elsewhere LoRA is float32 on a bf16 base
    if start is None:
        config = LoraConfig(
            r=options.rank,
            lora_alpha=options.alpha,
            lora_dropout=options.dropout,
            target_modules="all-linear",
            bias="none",
            task_type="CAUSAL_LM",
        )
        return get_peft_model(model, config, autocast_adapter_dtype=precise)
    _require_adapter(start)
    try:
        return PeftModel.from_pretrained(model, str(start), is_trainable=True, autocast_adapter_dtype=precise)
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"the adapter in {start} does not fit {name}", "start from the base") from error


def _files(folder: ModelFolder) -> dict[str, Any]:
    """Return where the weights are: safetensors, or a GGUF file, whose matrices are turned into numbers again."""
    if folder.weights:
        return {"pretrained_model_name_or_path": folder.path, "use_safetensors": True}
    file = folder.gguf[0]
    return {"pretrained_model_name_or_path": file.parent, "gguf_file": file.name}


def _precision(folder: ModelFolder, options: "TrainingOptions", device: torch.device) -> dict[str, Any]:
    """Return how to load the base: as the server does on this machine, or in 4 bits."""
    if not folder.weights:
        if options.quantize:
            raise UserError(
                "a GGUF file cannot be trained in 4 bits", "name a base with safetensors, or set quantize = false"
            )
        from transformers import GgufConfig

        return {"dtype": pick_dtype(device), "quantization_config": GgufConfig(dequantize=True)}
    if not options.quantize:
        return {"dtype": pick_dtype(device)}
    if device.type != "cuda" or importlib.util.find_spec("bitsandbytes") is None:
        raise UserError(
            "training on a base in 4 bits needs an NVIDIA GPU and bitsandbytes",
            "set quantize = false in the [finetune] table",
        )
    return {"quantization_config": quantization(4, pick_dtype(device)), "dtype": pick_dtype(device)}


def _require_adapter(start: Path) -> None:
    for name in (WEIGHTS, CONFIG):
        if not (start / name).is_file():  # without them peft would look for a pickled adapter
            raise UserError(f"{start} holds no {name}", "name an adapter's folder, or start from the base")


def adapter_tensors(model: Weighted, state: dict[str, Any] | None = None) -> dict[str, torch.Tensor]:
    """Return the adapter's tensors on the CPU, by their names in its file.

    :param state: the whole model's state if it is spread over processes.
    """
    from peft import get_peft_model_state_dict

    if state is not None:
        state = {name.removeprefix("model."): value for name, value in state.items()}
    found = get_peft_model_state_dict(model.model, state_dict=state, save_embedding_layers=False)
    tensors = {name: value.detach().cpu().contiguous() for name, value in sorted(found.items())}
    if model.new_tokens:
        rows = {name: matrix.detach()[model.new_tokens].cpu() for name, matrix in model.matrices().items()}
        tensors |= {f"{_ROWS}{name}": one for name, one in rows.items()}
    return tensors


def put_adapter(model: Weighted, tensors: dict[str, torch.Tensor]) -> None:
    """Set the adapter to tensors, by their names in its file."""
    from peft import set_peft_model_state_dict

    set_peft_model_state_dict(model.model, {k: one for k, one in tensors.items() if not k.startswith(_ROWS)})
    with torch.no_grad():
        for name, matrix in model.matrices().items() if model.new_tokens else ():
            matrix[model.new_tokens] = tensors[f"{_ROWS}{name}"].to(matrix.device, matrix.dtype)


def write_adapter(out: Path, model: Weighted, base: str, tensors: dict[str, torch.Tensor]) -> None:
    """Write an adapter as peft does, but with the base's name instead of its path."""
    from safetensors.torch import save

    config = model.model.peft_config["default"].to_dict()
    config |= {"base_model_name_or_path": base, "inference_mode": True}
    plain = {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}
    fsio.make_directories(out)
    rows = {name.removeprefix(_ROWS): one for name, one in tensors.items() if name.startswith(_ROWS)}
    if rows:
        fsio.replace_file(out / NEW_ROWS, save(rows, {"format": "pt"}))
    tensors = {name: one for name, one in tensors.items() if not name.startswith(_ROWS)}
    fsio.replace_file(out / WEIGHTS, save(tensors, {"format": "pt"}))
    fsio.replace_file(out / CONFIG, (json.dumps(plain, indent=2, sort_keys=True, default=str) + "\n").encode())
