"""Sweeps: a million wells from a page of TOML."""

from .cluster import run_sweep_on_dask
from .folder import Shard
from .merge import merge_sweep
from .run import Progress, run_sweep
from .spec import Spec, make_spec, read_spec

__all__ = [
    "Progress",
    "Shard",
    "Spec",
    "make_spec",
    "merge_sweep",
    "read_spec",
    "run_sweep",
    "run_sweep_on_dask",
]
