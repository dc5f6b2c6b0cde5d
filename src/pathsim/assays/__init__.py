"""Virtual experiments, named as at the bench: each returns the one table."""

from .combination import combination_screen
from .dose_response import dose_response
from .wells import PLATES, Plate, percent_of_vehicle
from .western_blot import resistance_blot_protocol, western_blot

__all__ = [
    "PLATES",
    "Plate",
    "combination_screen",
    "dose_response",
    "percent_of_vehicle",
    "resistance_blot_protocol",
    "western_blot",
]
