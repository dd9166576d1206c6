"""A Ray cluster on this machine that runs already, as a company's would."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def running(folder: Path, workers: int = 2, **env: str) -> Iterator[str]:
    """Run the head of a cluster; yields its address.

    :param folder: where Ray keeps its logs; its sockets have paths below it, so it has to be short.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", "--include-dashboard=false"]
    command += ["--node-ip-address=127.0.0.1", f"--port={address.rpartition(':')[2]}", f"--num-cpus={workers}"]
    command += [f"--temp-dir={folder}"]
    variables = os.environ | {"RAY_USAGE_STATS_ENABLED": "0"} | env
    into = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, env=variables, start_new_session=True, **into) as head:
        assert head.stdout is not None
        try:
            said = ""
            for line in head.stdout:
                said += line
                if "block forever" in line:
                    break
            else:
                raise RuntimeError(f"the head of a Ray cluster ended: {said}")
            yield address
        finally:
            os.killpg(head.pid, signal.SIGKILL)  # at SIGTERM it would wait for half a minute
