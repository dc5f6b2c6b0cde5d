"""Made when a wheel is built: the SBML of the bundled models, so that nobody needs Antimony to open them."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class MadeModels(BuildHookInterface[Any]):
    """Adds ``models/made/<digest of the text>.xml`` for each Antimony file, where ``pathsim.model.reading`` looks."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Translate them all; an editable installation reads the files themselves."""
        if version == "editable":
            return
        import antimony

        folder = Path(tempfile.mkdtemp(prefix="pathsim-models-"))
        for path in sorted(Path(self.root, "models").rglob("*.ant")):
            content = path.read_text(encoding="utf-8")
            with contextlib.chdir(path.parent):
                antimony.clearPreviousLoads()
                if antimony.loadAntimonyString(content) < 0:
                    raise ValueError(f"{path}: {antimony.getLastError()}")
                sbml = antimony.getSBMLString(antimony.getMainModuleName())
            made = folder / f"{hashlib.sha256(content.encode()).hexdigest()[:16]}.xml"
            made.write_text(sbml, encoding="utf-8")
            build_data["force_include"][str(made)] = f"pathsim/models/made/{made.name}"
