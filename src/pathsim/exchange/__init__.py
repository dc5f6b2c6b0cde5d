"""Files that other tools run: a treated cell line as SBML, Antimony or a COMBINE archive, its treatment as events.

In: a model, a cell line and a treatment. Out: text, or one ``.omex`` file.

- line and treatment as initial values and events: ``sbml.py``; the same as Antimony: ``antimony.py``
- the network of a model as GraphML, JSON of Cytoscape and SBGN-ML: ``network.py``
- what is simulated and read, in SED-ML, and the archive around both: ``archive.py``

What reads archives is :mod:`pathsim.model.archive`, beside the other readers of models.
"""

from __future__ import annotations

from ..names import listing
from .antimony import to_antimony
from .archive import write_omex
from .network import cyjs_text, graphml_text, sbgn_text
from .sbml import to_sbml

__all__ = ["cyjs_text", "graphml_text", "sbgn_text", "to_antimony", "to_sbml", "write_omex"]

__dir__ = listing(__all__)
