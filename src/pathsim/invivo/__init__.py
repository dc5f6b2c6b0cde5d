"""Drugs in animals and patients: kinetics, tumours, survival, glucose and insulin.

In: a model, a cell line, dosing text, numbers of animals or patients, a seed. Out: studies with their tables
(:class:`Trial`, :class:`VirtualTrial`, :class:`GlucoseStudy`).

- arms, mice, volumes, lysates, survival: ``xenograft.py``; how animals differ and grow untreated: ``animals.py``
- concentrations inside the rates: ``dosed_cells.py``; the table that long studies read growth from: ``growth_table.py``
- patients beside a reported trial: ``trial.py``; how many mice a study needs: ``power.py``
- the host's glucose and insulin: ``glucose.py``; what a drug's kinetics are: :mod:`pathsim.lab.pharmacokinetics`
"""

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
