"""The local model on a CPU: llama.cpp through ``llama-cpp-python``, run by Ondol's decode loop.

It uses the library's C interface: tokens in, logits out, the cache cut where the prompt changed. The tokenizer is made
of the file's metadata (``weights/gguf_tokenizer``), so prompts are the same ids in training and serving. An adapter of
the registry is written as a GGUF file into a temporary folder and attached; the base does not change. Importing this
module is cheap; the library is loaded with the model.
"""

import ctypes
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.installation import install_command
from lsp_server.backends import memory
from lsp_server.backends.decoding import BEST
from lsp_server.backends.local_backend import LocalBackend, context_of
from lsp_server.errors import BackendProblem
from lsp_server.weights.adapter_registry import AdapterVersion
from lsp_server.weights.base_model import ModelFolder, open_folder
from lsp_server.weights.gguf_reader import parts_of

_SCORED_AT_ONCE = 8  # texts scored in one pass
_PART = 128  # a prompt of 448 tokens takes 35 ms in parts of 128, 46 ms as a whole: the first parts attend to less


def library() -> Any:
    """Import the low-level module of llama-cpp-python and silence its log.

    :raises BackendProblem: it is not installed.
    """
    try:
        from llama_cpp import llama_cpp
    except (ImportError, OSError, RuntimeError) as error:
        raise BackendProblem(
            "llama-cpp-python is not installed",
            f"use a base with safetensors, or run: {install_command('cpu-model')}",
        ) from error
    if not hasattr(llama_cpp, "_ondol_quiet"):
        quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
        llama_cpp._ondol_quiet = quiet  # the library keeps the pointer, so the object must live as long
        llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
    return llama_cpp


class LlamaCppModel:
    """The :class:`~lsp_server.backends.decoding.Model` of a GGUF file.

    :param threads: default cores minus one: one busy neighbour costs as many threads as cores 70 % of their speed.
    """

    def __init__(self, file: Path, context: int, threads: int | None = None) -> None:
        self._c = library()
        count = threads or max(1, (os.cpu_count() or 2) - 1)
        parameters = self._c.llama_model_default_params()
        parameters.n_gpu_layers = 0
        # A mapped file that is overwritten while it serves changes the weights, and one that is cut ends the process.
        if hasattr(self._c, "LLAMA_LOAD_MODE_NONE"):
            parameters.load_mode = self._c.LLAMA_LOAD_MODE_NONE
        else:  # older versions; a field that a ctypes structure lacks is set without an error
            parameters.use_mmap = False
        self._model = self._c.llama_model_load_from_file(os.fsencode(file), parameters)
        if not self._model:
            raise BackendProblem(
                f"{file} cannot be loaded by llama.cpp", "fetch the file again, or update llama-cpp-python"
            )
        if self._c.llama_model_has_encoder(self._model) or not self._c.llama_model_has_decoder(self._model):
            self._c.llama_model_free(self._model)
            raise BackendProblem(f"{file} does not write text from left to right", "use a causal language model")
        options = self._c.llama_context_default_params()
        options.n_ctx, options.n_batch, options.n_ubatch = context, context, min(context, _PART)
        options.n_seq_max, options.kv_unified, options.swa_full = _SCORED_AT_ONCE + 1, True, True
        options.n_threads = options.n_threads_batch = count
        # On a CPU its flash attention makes 1 token 1.5 and 5 tokens 5 times as slow, and a prompt a third faster.
        options.flash_attn_type = 0
        self._context = self._c.llama_init_from_model(self._model, options)
        if not self._context:
            self._c.llama_model_free(self._model)
            raise BackendProblem(f"there is no memory for a context of {context} tokens", "lower the context size")
        self._memory = self._c.llama_get_memory(self._context)
        self._vocabulary = self._c.llama_vocab_n_tokens(self._c.llama_model_get_vocab(self._model))
        self._rows = _Rows(self._c, context)
        self._limit = context
        self._tokens: list[int] = []
        self._adapter: Any = None

    @property
    def context(self) -> int:
        """Tokens the cache can hold."""
        return self._limit

    @property
    def _length(self) -> int:
        return len(self._tokens)

    @property
    def vocabulary_size(self) -> int:
        """Tokens the file knows."""
        return int(self._vocabulary)

    def keep(self, length: int) -> None:
        """Forget everything after the first ``length`` tokens.

        Models with a recurrent state (Mamba, Granite 4 hybrids) cannot go back: what stays is computed again.
        """
        if length >= self._length:
            return
        kept = self._tokens[:length]
        if self._c.llama_memory_seq_rm(self._memory, 0, length, -1):
            self._tokens = kept
            return
        self._c.llama_memory_clear(self._memory, True)
        self._tokens = []
        for at in range(0, length, _PART):
            self._append(kept[at : at + _PART], 1)

    def feed(self, tokens: Sequence[int], last: int) -> tuple[list[list[int]], list[list[float]]]:
        """Append tokens; returns the likeliest next ids and their log-probabilities at the ``last`` final positions."""
        logits = self._append(tokens, last)
        positions = range(last)
        most = logits.max(axis=1)
        total = most + np.log(np.exp(logits - most[:, None]).sum(axis=1))
        best: list[list[int]] = [[] for _ in positions]
        chances: list[list[float]] = [[] for _ in positions]
        for _ in range(BEST):  # three argmax take a fifth of the time of one argpartition
            for position, token in enumerate(logits.argmax(axis=1).tolist()):
                best[position].append(token)
                chances[position].append(float(logits[position, token] - total[position]))
                logits[position, token] = -np.inf
        for position in positions:
            logits[position, best[position]] = np.array(chances[position], np.float32) + total[position]
        self._predicted, self._totals = logits, total
        return best, chances

    def among(self, position: int, ids: Sequence[int]) -> tuple[list[int], list[float]]:
        """The likeliest of the given ids at a position of the last feed, and their log-probabilities among these."""
        chances = _log_softmax(self._predicted[position : position + 1, list(ids)])[0]
        order = np.argsort(-chances, kind="stable")[:BEST].tolist()
        return [ids[at] for at in order], [float(chances[at]) for at in order]

    def masses(self, position: int, groups: Sequence[Sequence[int]], given: Sequence[int] = ()) -> list[float]:
        """For each group of ids the log-probability that the token at a position of the last feed is one of them."""
        row = self._predicted[position]
        whole = np.logaddexp.reduce(row[list(given)]) if given else self._totals[position]
        return [float(np.logaddexp.reduce(row[list(group)]) - whole) for group in groups]

    def state(self) -> NDArray[np.uint8] | None:
        """A copy of the cache in the library's own form."""
        size = self._c.llama_state_seq_get_size(self._context, 0)
        state = np.empty(size, np.uint8)
        pointer = state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        return state if self._c.llama_state_seq_get_data(self._context, pointer, size, 0) == size else None

    def restore(self, state: NDArray[np.uint8], tokens: Sequence[int]) -> None:
        """Put a copy of the cache, which holds these tokens, in the place of the cache."""
        self._c.llama_memory_seq_rm(self._memory, 0, -1, -1)
        pointer = state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        if not self._c.llama_state_seq_set_data(self._context, pointer, state.nbytes, 0):
            raise BackendProblem("llama.cpp failed to restore a state", "restart; use a smaller context")
        self._tokens = list(tokens)

    def logits(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Logits (positions, vocabulary) of a whole text, from an empty cache; for checks."""
        self.keep(0)
        return self._append(tokens, len(tokens)).copy()

    def likelihoods(self, token: int, continuations: Sequence[Sequence[int]], given: Sequence[int] = ()) -> list[float]:
        """Score the continuations as separate sequences over the shared cache, several in one pass."""
        out: list[float] = []
        at = 0
        while at < len(continuations):
            group: list[Sequence[int]] = []
            size = 0
            while at < len(continuations) and len(group) < _SCORED_AT_ONCE:
                if group and self._length + size + len(continuations[at]) + 1 > self._limit:
                    break
                group.append(continuations[at])
                size += len(continuations[at]) + 1
                at += 1
            fits = self._length + size <= self._limit
            out += self._scored(token, group, list(given)) if fits else [float("-inf")] * len(group)
        return out

    def set_adapter(self, file: Path | None) -> None:
        """Attach a LoRA file in place of the previous one; the caller has to drop the cache."""
        adapter = None
        if file is not None:
            adapter = self._c.llama_adapter_lora_init(self._model, os.fsencode(file))
            if not adapter:
                raise BackendProblem("llama.cpp refuses the adapter", "promote another version, or train again")
        count = 1 if adapter else 0
        pointers = (self._c.llama_adapter_lora_p_ctypes * 1)(adapter) if adapter else None
        scales = (ctypes.c_float * 1)(1.0) if adapter else None
        if self._c.llama_set_adapters_lora(self._context, pointers, count, scales):
            raise BackendProblem("llama.cpp refuses the adapter", "promote another version, or train again")
        previous, self._adapter = self._adapter, adapter
        if previous:
            self._c.llama_adapter_lora_free(previous)

    def close(self) -> None:
        """Free the library's memory; the object cannot be used afterwards."""
        if self._context:
            self._c.llama_free(self._context)
            self._c.llama_model_free(self._model)
            self._context = None

    def _scored(self, token: int, group: Sequence[Sequence[int]], given: list[int]) -> list[float]:
        fed: list[int] = []
        positions: list[int] = []
        owners: list[int] = []
        for number, continuation in enumerate(group, start=1):
            self._c.llama_memory_seq_cp(self._memory, 0, number, 0, -1)
            own = [token, *continuation[:-1]] if continuation else []
            fed += own
            positions += range(self._length, self._length + len(own))
            owners += [number] * len(own)
        try:
            self._rows.write(fed, positions, owners, len(fed))
            chances = _log_softmax(self._decode(len(fed))) if fed else np.zeros((0, 1))
        finally:
            for number in range(1, len(group) + 1):
                self._c.llama_memory_seq_rm(self._memory, number, -1, -1)
        if given and len(chances):
            starts = [at for at, position in enumerate(positions) if position == self._length]
            chances[starts] -= np.logaddexp.reduce(chances[starts][:, given], axis=1)[:, None]
        wanted = [t for continuation in group for t in continuation]
        picked = chances[np.arange(len(wanted)), wanted] if wanted else np.zeros(0)
        ends = np.cumsum([len(c) for c in group])
        return [float(picked[end - len(c) : end].sum()) for c, end in zip(group, ends, strict=True)]

    def _append(self, tokens: Sequence[int], last: int) -> NDArray[np.float32]:
        """Append tokens; returns the logits at the ``last`` final positions, valid until the next pass."""
        self._rows.write(tokens, range(self._length, self._length + len(tokens)), 0, last)
        logits = self._decode(last)
        self._tokens += tokens
        return logits

    def _decode(self, wanted: int) -> NDArray[np.float32]:
        """Run one pass over the batch; returns a view of the library's logits, (wanted, vocabulary)."""
        status = self._c.llama_decode(self._context, self._rows.batch)
        if status:
            raise BackendProblem(f"llama.cpp failed to decode ({status})", "lower the context size, or restart")
        pointer = ctypes.cast(self._c.llama_get_logits(self._context), ctypes.c_void_p)
        size = wanted * self._vocabulary
        numbers = np.frombuffer((ctypes.c_float * size).from_address(pointer.value or 0), np.float32)
        return numbers.reshape(wanted, self._vocabulary)


class _Rows:
    """A batch of numpy arrays: filling ctypes arrays number by number takes longer than a token.

    :param size: rows it can hold.
    """

    def __init__(self, c: Any, size: int) -> None:
        self._tokens, self._positions, self._counts, self._owners = (np.zeros(size, np.int32) for _ in range(4))
        self._wanted = np.zeros(size, np.int8)
        self._counts[:] = 1
        self._each = self._owners.ctypes.data + np.arange(size, dtype=np.uintp) * self._owners.itemsize
        self.batch = c.llama_batch()
        for name, values in (
            ("token", self._tokens),
            ("pos", self._positions),
            ("n_seq_id", self._counts),
            ("seq_id", self._each),
            ("logits", self._wanted),
        ):
            kind = type(getattr(self.batch, name))
            setattr(self.batch, name, ctypes.cast(values.ctypes.data, kind))

    def write(self, tokens: Sequence[int], positions: Sequence[int], owners: Sequence[int] | int, last: int) -> None:
        """Fill the batch; the pass computes the logits of its ``last`` final rows."""
        count = len(tokens)
        self.batch.n_tokens = count
        self._tokens[:count], self._positions[:count], self._owners[:count] = tokens, positions, owners
        self._wanted[: count - last], self._wanted[count - last : count] = 0, 1


class LlamaCppBackend(LocalBackend):
    """A GGUF base. Its adapter is attached to it.

    :param base: a GGUF file, a folder with one, or such a base that is open already.
    :param limit: tokens a prompt may have; less where the model's context is smaller.
    :raises BackendProblem: the base is refused, the library is not installed, or memory does not suffice.
    """

    _model: LlamaCppModel

    def __init__(self, base: Path | ModelFolder, limit: int = 2048, threads: int | None = None) -> None:
        folder = base if isinstance(base, ModelFolder) else open_folder(base)
        if not folder.gguf:
            raise BackendProblem(f"{folder.path} holds no GGUF file", "write one with `ondol models export`")
        file, context = folder.gguf[0], context_of(folder, limit)
        memory.check(folder.name, sum(part.stat().st_size for part in parts_of(file)) + _cache_bytes(folder, context))
        model = LlamaCppModel(file, context, threads)
        if model.vocabulary_size < folder.vocabulary.size:
            raise BackendProblem(f"the tokenizer next to {file} does not belong to it", "export the model again")
        super().__init__(folder, model, limit, f"llama.cpp, {file.name}")

    def set_adapter(self, version: AdapterVersion | None) -> None:
        """Attach a verified adapter in place of the previous one; None for the bare base.

        :raises BackendProblem: it holds NaN, or the library refuses it; the previous one stays.
        """
        if version is None:
            self._model.set_adapter(None)
        else:
            from lsp_server.weights.gguf_writer import write_adapter

            with tempfile.TemporaryDirectory(prefix="ondol-adapter-") as folder:
                file = Path(folder) / "adapter.gguf"
                write_adapter(self.folder.config, version, file)
                self._model.set_adapter(file)
        self.adapter = version
        self._decoder.forget()

    def close(self) -> None:
        """Free the model."""
        self._model.close()


def _cache_bytes(folder: ModelFolder, context: int) -> int:
    """Bytes of the cache of a context: keys and values in 16 bits."""
    of_token = [int(folder.config.get(k) or 0) for k in ("num_hidden_layers", "num_key_value_heads", "head_dim")]
    return context * of_token[0] * of_token[1] * of_token[2] * 4


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    shifted = logits - logits.max(axis=1, keepdims=True)
    out: NDArray[np.float32] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return out
