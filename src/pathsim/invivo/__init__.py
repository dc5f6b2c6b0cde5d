"""Drugs in animals and patients: kinetics, tumours, survival, glucose and insulin."""

from .glucose import GlucoseStudy, glucose_insulin_study
from .power import logrank_power
from .trial import VirtualTrial, virtual_trial
from .xenograft import Trial, xenograft

__all__ = [
    "GlucoseStudy",
    "Trial",
    "VirtualTrial",
    "glucose_insulin_study",
    "logrank_power",
    "virtual_trial",
    "xenograft",
]
