"""Rewrites archives and bills of materials so that their bytes depend on their content alone.

``python fixed_dates.py FILE...`` sorts the entries of a .tar.gz or .vsix, sets their time to ``SOURCE_DATE_EPOCH`` and
takes their owner away. It takes the serial number out of a CycloneDX file and sets its time.
"""

import gzip
import io
import json
import os
import sys
import tarfile
import time
import zipfile
from pathlib import Path

EPOCH = int(os.environ["SOURCE_DATE_EPOCH"])


def tar_gz(data: bytes) -> bytes:
    """The same files in a tar archive, compressed with gzip."""
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(data)) as old,
        gzip.GzipFile("", "wb", fileobj=out, mtime=EPOCH) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = EPOCH, 0, 0, "", ""
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
    return out.getvalue()


def zipped(data: bytes) -> bytes:
    """The same files in a zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(old.namelist()):
            entry = zipfile.ZipInfo(name, time.gmtime(EPOCH)[:6])
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            new.writestr(entry, old.read(name))
    return out.getvalue()


def bill_of_materials(data: bytes) -> bytes:
    """The same bill without what differs from run to run."""
    bill = json.loads(data)
    bill.pop("serialNumber", None)
    bill["metadata"]["timestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(EPOCH))
    return (json.dumps(bill, indent=2, ensure_ascii=False) + "\n").encode()


REWRITE = {".tar.gz": tar_gz, ".vsix": zipped, ".cdx.json": bill_of_materials}

if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(name)
        rewrite = next(rewrite for ending, rewrite in REWRITE.items() if name.endswith(ending))
        path.write_bytes(rewrite(path.read_bytes()))
