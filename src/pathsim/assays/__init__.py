"""Virtual experiments, named as at the bench: each returns the one table."""

from .combination import combination_screen
from .dose_response import dose_response
from .wells import ASSAY_READOUTS, PLATES, Plate, WellNoise, percent_of_vehicle
from .western_blot import (
    LOADING_CONTROLS,
    STANDARD_ANTIBODIES,
    STANDARD_LINES,
    BlotNoise,
    resistance_blot_protocol,
    western_blot,
)

__all__ = [
    "ASSAY_READOUTS",
    "LOADING_CONTROLS",
    "PLATES",
    "STANDARD_ANTIBODIES",
    "STANDARD_LINES",
    "BlotNoise",
    "Plate",
    "WellNoise",
    "combination_screen",
    "dose_response",
    "percent_of_vehicle",
    "resistance_blot_protocol",
    "western_blot",
]
