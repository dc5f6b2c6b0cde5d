"""Virtual experiments, named as at the bench: each returns the one table."""

from .western_blot import (
    LOADING_CONTROLS,
    STANDARD_ANTIBODIES,
    STANDARD_LINES,
    BlotNoise,
    seed_protocol,
    western_blot,
)

__all__ = [
    "LOADING_CONTROLS",
    "STANDARD_ANTIBODIES",
    "STANDARD_LINES",
    "BlotNoise",
    "seed_protocol",
    "western_blot",
]
