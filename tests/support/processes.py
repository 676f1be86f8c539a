"""Functions that run in several processes of one group."""

import datetime as dt
import json
from pathlib import Path

import torch
import torch.distributed as dist

from byol_kedro.byol.distributed import Group


def in_processes(size, folder, function, *args):
    """The JSON result of `function(group, *args)` of the main process, run in `size` processes over gloo."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.multiprocessing.spawn(_enter, (size, str(folder), function, args), nprocs=size)
    return json.loads((folder / "result.json").read_text())


def _enter(rank, size, folder, function, args):
    torch.set_num_threads(1)
    limit = dt.timedelta(seconds=60)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=size, timeout=limit)
    try:
        result = function(Group(rank, size), *args)
        if rank == 0:
            (Path(folder) / "result.json").write_text(json.dumps(result))
    finally:
        dist.destroy_process_group()
