"""What the processes of one training share: they meet through a file and talk on this machine's loopback only.

torch's own meeting point, which ``accelerate launch`` uses, listens on all interfaces of the machine; a file in the
training's private folder needs no socket. The collectives (gloo, NCCL) are bound to the loopback interface.
"""

import os
import socket
from pathlib import Path
from typing import Final

STORE: Final = "processes"
"""The file of the meeting point, in the training's output folder."""

_LOOPBACKS: Final = ("lo", "lo0", "Loopback Pseudo-Interface 1")


def environment(rank: int, count: int) -> dict[str, str]:
    """The variables that tell a process its place among ``count`` processes, and bind it to loopback."""
    loopback = next((name for _, name in socket.if_nameindex() if name in _LOOPBACKS), "lo")
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "0",
        "GLOO_SOCKET_IFNAME": loopback,
        "NCCL_SOCKET_IFNAME": loopback,
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
    }


def meet(store: Path) -> None:
    """Join the other processes through a file; torch's process group is ready afterwards."""
    import torch
    from torch import distributed

    rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(rank % torch.cuda.device_count())
    meeting = distributed.FileStore(str(store), count)
    distributed.init_process_group("nccl" if on_gpu else "gloo", store=meeting, rank=rank, world_size=count)
