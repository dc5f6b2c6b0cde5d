"""Sweeps: a million wells from a page of TOML, and which parameters matter."""

from .cluster import run_sweep_on_dask
from .folder import Shard
from .merge import merge_sweep
from .run import Progress, run_sweep
from .sensitivity import elasticities
from .spec import Spec, make_spec, read_spec
from .variance import morris_effects, sobol_indices

__all__ = [
    "Progress",
    "Shard",
    "Spec",
    "elasticities",
    "make_spec",
    "merge_sweep",
    "morris_effects",
    "read_spec",
    "run_sweep",
    "run_sweep_on_dask",
    "sobol_indices",
]
