"""Sweeps: a million wells from a page of TOML, in chunks that can be made anywhere and in any order.

In comes a sweep file (:func:`read_spec`, its keys are told in ``spec.py``); out comes a folder with one file per chunk
(:func:`run`), and one table of all (:func:`merge`). ``axes.py`` and ``sampling.py`` say which wells there are,
``protocol.py`` and ``design.py`` what each of them is, ``chunk.py`` makes the rows of some of them, ``running.py``
spreads chunks over threads or over workers elsewhere, ``folder.py`` holds what is done and what is left.
"""

from ..names import listing
from .folder import Shard
from .merging import merge
from .running import Progress, run
from .spec import Spec, make_spec, read_spec

__all__ = ["Progress", "Shard", "Spec", "make_spec", "merge", "read_spec", "run"]

__dir__ = listing(__all__)
