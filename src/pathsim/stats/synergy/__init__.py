"""Drug combinations: Bliss, HSA, Loewe, ZIP, combination index, isobologram, MuSyC; unit and sign beside each number.

Data come as :class:`Wells`: from the one table (:func:`from_table`), arrays (:func:`from_arrays`, :func:`from_matrix`)
or files (:func:`read_csv`).
"""

from ...names import listing
from .excess import bliss, hsa, loewe
from .excess import zip_score as zip
from .files import from_long, read_csv
from .index import CombinationIndex, Isobologram, combination_index, isobologram
from .median_effect import MedianEffect, median_effect
from .musyc_surface import Musyc, musyc, musyc_response
from .outliers import outliers
from .ranking import METRICS, rank, summary
from .scores import Convention, Score, ScoreFunction
from .wells import (
    Response,
    Wells,
    corrected_baseline,
    corrected_negatives,
    experiments,
    from_arrays,
    from_matrix,
    from_table,
    normalised,
)

__all__ = [
    "METRICS",
    "CombinationIndex",
    "Convention",
    "Isobologram",
    "MedianEffect",
    "Musyc",
    "Response",
    "Score",
    "ScoreFunction",
    "Wells",
    "bliss",
    "combination_index",
    "corrected_baseline",
    "corrected_negatives",
    "experiments",
    "from_arrays",
    "from_long",
    "from_matrix",
    "from_table",
    "hsa",
    "isobologram",
    "loewe",
    "median_effect",
    "musyc",
    "musyc_response",
    "normalised",
    "outliers",
    "rank",
    "read_csv",
    "summary",
    "zip",
]

__dir__ = listing(__all__)
