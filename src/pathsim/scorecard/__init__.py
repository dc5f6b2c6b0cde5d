"""The scorecard: claims about the biology, run on the model as shipped and on null models, and scored in public.

In: ``models/claims.toml``, a model, parameter sets. Out: a :class:`Scorecard` (one verdict per claim) and its page.

- what a claim may say: ``claims.py``; what it can measure in culture: ``measures.py`` and ``expressions.py``
- what needs more than readings of cells (numerics, drug levels, animals): ``experiments.py``; patients: ``patients.py``
- what changed between two models: ``comparison.py``
- how claims are run and scored: ``scoring.py``; null models: ``null_models.py``; the HTML page: ``page.py``
"""

from .claims import Check, Claim, read_claims
from .null_models import feedback_free, without_drug_effects
from .page import html_page
from .scoring import Finding, Scorecard, Verdict, validate

__all__ = [
    "Check",
    "Claim",
    "Finding",
    "Scorecard",
    "Verdict",
    "feedback_free",
    "html_page",
    "read_claims",
    "validate",
    "without_drug_effects",
]
