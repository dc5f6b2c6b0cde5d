"""No looks for garbage while much is made that stays.

Python looks through everything that exists each time enough has been made since. While a model becomes equations and
code nearly all stays, so that every look is in vain, and beside what a notebook or a fit holds (pandas alone: 250,000
objects) one takes as long as the model itself.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def none_looked_for() -> Iterator[None]:
    """No collection of garbage in the block, or, ``@none_looked_for()``, in the function.

    Blocks may be nested and run in several threads: once all have ended, collections are on where they were before.
    """
    looks = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looks:
            gc.enable()
