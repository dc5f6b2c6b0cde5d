"""Virtual experiments, named as at the bench: each returns the one table."""

from .combination import combination_screen
from .dose_response import dose_response
from .escalation import Escalation, Flask, Rules, escalate, wash_out
from .glucose import GlucoseStudy, glucose_study
from .investigate import Investigation, investigate
from .power import mice_needed
from .trial import VirtualTrial, virtual_trial
from .wells import ASSAY_READOUTS, PLATES, Plate, WellNoise, percent_of_vehicle
from .western_blot import (
    LOADING_CONTROLS,
    STANDARD_ANTIBODIES,
    STANDARD_LINES,
    BlotNoise,
    seed_protocol,
    western_blot,
)
from .xenograft import Trial, xenograft

__all__ = [
    "ASSAY_READOUTS",
    "LOADING_CONTROLS",
    "PLATES",
    "STANDARD_ANTIBODIES",
    "STANDARD_LINES",
    "BlotNoise",
    "Escalation",
    "Flask",
    "GlucoseStudy",
    "Investigation",
    "Plate",
    "Rules",
    "Trial",
    "VirtualTrial",
    "WellNoise",
    "combination_screen",
    "dose_response",
    "escalate",
    "glucose_study",
    "investigate",
    "mice_needed",
    "percent_of_vehicle",
    "seed_protocol",
    "virtual_trial",
    "wash_out",
    "western_blot",
    "xenograft",
]
