"""The shipped embedding: unit rows, exact whatever the batch, read without torch, small."""

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from indexer.search.embedding import DATA, MATRIX_FILE, TOKENIZER_FILE, Encoder, units

TEXTS = [
    "def read_config(path):\n    with open(path) as file:\n        return json.load(file)\n",
    "func ReadConfig(path string) (*Config, error) {\n\tdata, err := os.ReadFile(path)\n",
    "always_ff @(posedge clk or negedge rst_n) if (!rst_n) count <= '0; else count <= count + 1;",
    "// 설정 파일을 읽는다\nConfig config = Config.load(path);",
    "SELECT name, price FROM cart WHERE id = 1",
]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.load()


def test_rows_are_unit_vectors(encoder: Encoder) -> None:
    rows = encoder.encode(TEXTS)
    assert rows.shape == (len(TEXTS), encoder.width)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_a_text_has_the_same_vector_in_every_batch(encoder: Encoder) -> None:
    """To the last bit: an updated index must equal a fresh one."""
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    texts = [" ".join(rng.choices(" ".join(TEXTS).split(), k=rng.randrange(1, 400))) for _ in range(200)]
    whole = encoder.encode(texts)
    order = rng.sample(range(200), 200)
    np.testing.assert_array_equal(encoder.encode([texts[number] for number in order]), whole[order])
    np.testing.assert_array_equal(np.vstack([encoder.encode([text]) for text in texts]), whole)


@pytest.mark.parametrize("text", ["", " \n", "+-*/()"])
def test_a_text_without_words_is_a_row_of_zeros(encoder: Encoder, text: str) -> None:
    assert not encoder.encode([text]).any()
    assert not encoder.encode([text, text]).any()


def test_no_texts(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.width)


def test_odd_texts_are_encoded(encoder: Encoder) -> None:
    rows = encoder.encode(["\ud800 alpha", "x" * 1_000_000, "a b " * 500_000, "😀😀", "\x00"])
    assert np.isfinite(rows).all()


def test_related_code_is_nearer_than_other_code(encoder: Encoder) -> None:
    rows = encoder.encode(TEXTS)
    near = rows @ rows[0]
    assert near[1] > near[2]
    assert near[1] > near[4]
    question = encoder.encode(["flip flop with clock and reset"])[0]
    assert int(np.argmax(rows @ question)) == 2


def test_units_are_lower_case_word_parts() -> None:
    assert units("getHTTPStatus(my_var) 한글Name") == ["get", "http", "status", "my", "var", "한글", "name"]


def test_loading_again_gives_the_same_encoder(encoder: Encoder) -> None:
    assert Encoder.load() is encoder


def test_a_matrix_that_does_not_fit_its_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / TOKENIZER_FILE).write_bytes((DATA / TOKENIZER_FILE).read_bytes())
    np.savez(tmp_path / MATRIX_FILE, matrix=np.zeros((3, 4), dtype=np.int8), scales=np.ones(4, dtype=np.float32))
    with pytest.raises(ValueError, match="do not fit"):
        Encoder.load(tmp_path)


def test_no_torch_is_imported() -> None:
    code = (
        "import sys\nfrom indexer.search.embedding import Encoder\nEncoder.load().encode(['a b', 'c'])\n"
        "print(sorted({'torch', 'transformers', 'sentence_transformers', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_shipped_files_are_small_and_say_what_they_are_made_of() -> None:
    assert sum(path.stat().st_size for path in DATA.iterdir() if path.is_file()) < 6_500_000
    card = json.loads((DATA / "embedding.json").read_text(encoding="utf-8"))
    assert len(card["sources"]) > 20
    assert all(source["licence"] and source["name"] and source["version"] for source in card["sources"])
    languages = {language for source in card["sources"] for language in source["characters"]}
    assert {
        "python",
        "javascript",
        "typescript",
        "java",
        "c",
        "cpp",
        "go",
        "rust",
        "systemverilog",
        "verilog",
    } <= languages
