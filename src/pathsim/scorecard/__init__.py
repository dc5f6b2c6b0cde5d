"""The scorecard: claims about the biology, run on the model as shipped and on null models, and scored in public."""

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
