"""Proves that no data leaves the machine: runs the commands under a guard that records and refuses every attempt.

There are two guards. An audit hook in every Python process of the commands, workers and servers included, records each
attempt to look up a name or to reach an address beyond this machine, and refuses it. Where the kernel offers network
namespaces to users, all processes run in a namespace without a network, which stops native code and git as well. The
proof uses a data folder of its own, so it builds the index from nothing. Knows commands by name only.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final

_HOOK: Final = r"""
import os, sys

def _guard(event, args, _log=os.environ["ONDOL_EGRESS_LOG"], _open=os.open, _write=os.write, _close=os.close):
    if not event.startswith("socket."):
        return
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        place = args[1]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"):
        place = args[0]
    else:
        return
    host = place[0] if isinstance(place, tuple) else place
    if isinstance(place, tuple) or not event.startswith(("socket.connect", "socket.send")):
        text = host.decode("latin-1") if isinstance(host, bytes) else str(host)
        if host is None or text in ("", "localhost", "::1") or text.startswith("127."):
            return
        log = _open(_log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        _write(log, (event + " " + text + "\n").encode("utf-8", "replace"))
        _close(log)
        raise PermissionError("ondol doctor --no-egress: " + event + " " + text)

sys.addaudithook(_guard)
"""
_RUN: Final = (sys.executable, "-P", "-c", "from lsp_server.cli import main; main(prog_name='ondol')")
_SECONDS: Final = 900


def prove(root: Path) -> dict[str, Any]:
    """Index, search and serve ``root`` under the guards, and report the attempts.

    :returns: ``attempts`` (a list), ``isolated`` (whether the namespace had no network), ``steps`` (each command, and
        whether it succeeded).
    """
    with tempfile.TemporaryDirectory(prefix="ondol-egress-") as scratch:
        folder = Path(scratch)
        (folder / "sitecustomize.py").write_text(_HOOK, "utf-8")
        log = folder / "attempts"
        path = os.pathsep.join([scratch, *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {
            **os.environ,
            "PYTHONPATH": path,
            "ONDOL_EGRESS_LOG": str(log),
            "ONDOL_DATA_DIR": str(folder / "data"),
        }
        prefix = namespace()
        steps = []
        for arguments in (["index", str(root), "--quiet"], ["search", "open", "--repo", str(root)]):
            steps.append(_step([*prefix, *_RUN, *arguments], arguments[0], environment))
        steps.append(_serve([*prefix, *_RUN, "serve", "--stdio"], root, environment))
        attempts = log.read_text("utf-8").splitlines() if log.exists() else []
    return {"attempts": attempts, "isolated": bool(prefix), "steps": steps}


def namespace() -> list[str]:
    """The command that runs another one in a namespace without a network; empty where that is not possible."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return []
    for options in (["-rn"], ["-n"]):
        if subprocess.run([unshare, *options, "true"], capture_output=True, check=False).returncode == 0:
            return [unshare, *options, "--"]
    return []


def _step(command: Sequence[str], name: str, environment: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_SECONDS,
        check=False,
    )
    return {"command": name, "ok": done.returncode == 0, "said": done.stderr.strip()[-300:]}


def _serve(command: Sequence[str], root: Path, environment: dict[str, str]) -> dict[str, Any]:
    """Start the server, initialize it, request one completion, and end it."""
    uri = (root / "ondol_egress.py").as_uri()
    document = {"uri": uri, "languageId": "python", "version": 1, "text": "import os\n\n\ndef main():\n    os."}
    position = {"textDocument": {"uri": uri}, "position": {"line": 4, "character": 7}, "context": {"triggerKind": 1}}
    start: dict[str, Any] = {"processId": None, "rootUri": root.as_uri(), "capabilities": {}}
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        for number, (method, params) in enumerate(
            (
                ("initialize", start),
                ("initialized", {}),
                ("textDocument/didOpen", {"textDocument": document}),
                ("textDocument/inlineCompletion", position),
                ("shutdown", None),
            )
        ):
            asks = not method.startswith("initialized") and "did" not in method
            _say(process.stdin, {"method": method, "params": params, **({"id": number} if asks else {})})
            while asks and _hear(process.stdout).get("id") != number:
                pass
        _say(process.stdin, {"method": "exit"})
        return {"command": "serve", "ok": process.wait(30) == 0, "said": ""}
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return {"command": "serve", "ok": False, "said": str(error)[-300:]}
    finally:
        process.kill()
        process.wait()


def _say(stream: IO[bytes], message: dict[str, Any]) -> None:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    stream.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    stream.flush()


def _hear(stream: IO[bytes]) -> dict[str, Any]:
    size = 0
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            size = int(value)
    if not size:
        raise ValueError("the server ended")
    message: dict[str, Any] = json.loads(stream.read(size))
    return message if "method" not in message else {}
