"""The GPU's kernels of a step, run by Triton's interpreter on the CPU: the numbers of torch's own step."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: the kernels of a GPU's step are NOT tested")
pytest.importorskip("triton", reason="triton is not installed: the kernels of a GPU's step are NOT tested")

pytestmark = pytest.mark.model

ROOT = Path(__file__).parents[3]
CHECK = """
import torch
from triton.runtime import interpreter

from tests.support.models import make_model

whole = interpreter._patch_lang_tensor

def patched(tensor, scope):
    # a bound of a loop that was read from memory is an array of one number, which Python no longer takes for a number
    whole(tensor, scope)
    scope.set_attr(tensor, "__index__", lambda self: int(self.handle.data.reshape(-1)[0]))

interpreter._patch_lang_tensor = patched

from lsp_server.backends.fused_step import FusedStep
from lsp_server.backends.torch_llama import TorchLlama

for name, options in (("LlamaConfig", {"head_dim": 32, "attention_bias": True, "mlp_bias": True}),
                      ("LlamaConfig", {"head_dim": 32, "num_key_value_heads": 4}), ("Qwen2Config", {"head_dim": 32})):
    model = TorchLlama(make_model(name, **options), 100)
    model.feed(list(range(1, 41)), 1)
    for width in (1, 5):
        ids, start = torch.arange(3, 3 + width), torch.tensor([40])
        with torch.inference_mode():
            wanted, cache = model.static_step(ids, start).clone(), model._cache.clone()
            model._cache[:, :, :, 40:] = 0
            found = FusedStep(model, width, early=False)(ids, start)
        assert float((found - wanted).norm() / wanted.norm()) < 1e-4, (name, width)
        assert torch.allclose(model._cache[:, :, :, : 40 + width], cache[:, :, :, : 40 + width], atol=1e-4)
print("equal")
"""


def test_the_kernels_give_the_numbers_of_the_step_in_torch() -> None:
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", CHECK], env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.stdout.strip().endswith("equal"), done.stderr[-2000:]
