"""Another project's distribution called ``pathsim``: it writes the same folder as ours, ``pathsim-lab``."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from contextlib import suppress

_NAMESAKE = re.compile(r"pathsim-\d[^/\\]*\.(dist-info|egg-info)", re.IGNORECASE)


def namesakes(folders: Iterable[str]) -> list[str]:
    """Where a distribution called ``pathsim`` is installed in one of the ``folders`` (of packages)."""
    found = []
    for folder in dict.fromkeys(folders):
        with suppress(OSError):
            found += [os.path.join(folder, name) for name in os.listdir(folder or ".") if _NAMESAKE.fullmatch(name)]
    return found


def tell() -> None:
    """Say in one line that a namesake is installed beside us, where there is one."""
    for place in namesakes(sys.path)[:1]:
        import logging

        logging.getLogger("pathsim").warning(
            "pathsim: %s belongs to another project that installs a package of the same name; one overwrites the other:"
            " install pathsim-lab into a fresh environment",
            place,
        )
