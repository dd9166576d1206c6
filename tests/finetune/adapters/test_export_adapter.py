"""An adapter exported alone: llama.cpp attaches it, and then chooses as the merged model does."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: exports of adapters are NOT tested")
pytest.importorskip("gguf", reason="gguf is not installed: exports of adapters are NOT tested")
pytest.importorskip(
    "llama_cpp.llama_cpp", reason="llama-cpp-python is not installed: exports of adapters are NOT tested"
)

from finetune.adapters.export import export_adapter, export_gguf
from indexer.errors import UserError
from lsp_server.backends.llamacpp_backend import LlamaCppModel
from lsp_server.weights.adapter_registry import read_version
from lsp_server.weights.base_model import open_folder
from tests.support.adapters import lora, write_version
from tests.support.models import write_split_folder

pytestmark = pytest.mark.llamacpp


def test_attached_to_the_base_it_changes_what_the_base_chooses(tmp_path: Path) -> None:
    base = open_folder(write_split_folder(tmp_path / "base"))
    write_version(tmp_path / "registry", 7, base, tensors=lora(base, seed=3, size=0.15))
    version = read_version(tmp_path / "registry", 7, base.identity, base.spec.name, base.tensors)
    (report,) = export_adapter(base, tmp_path / "out", version)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["base-7.lora.gguf", "export.json"]
    assert json.loads((tmp_path / "out" / "export.json").read_text())[0]["file"] == report.file
    assert report.same_choice > 0.95
    export_gguf(base, tmp_path / "plain", kinds=("f16",))
    model = LlamaCppModel(tmp_path / "plain" / "base.f16.gguf", 128, threads=1)
    ids = base.vocabulary.encode("def total(price, count):\n    return price * count\n")
    bare = model.logits(ids)
    model.set_adapter(tmp_path / "out" / report.file)
    assert (model.logits(ids).argmax(1) != bare.argmax(1)).mean() > 0.1
    model.close()
    with pytest.raises(UserError, match="exists already"):
        export_adapter(base, tmp_path / "out", version)
