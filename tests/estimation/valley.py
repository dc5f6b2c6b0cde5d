"""What workers of the tests are given to do; apart from the tests, so that they need not load pytest."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np

from pathsim.estimation.objective import Derivatives


class Valley:
    """A curved valley with an unknown bottom, the same in every process."""

    names, scales = ("a", "b"), ("lin", "log10")
    lower, upper = np.array([-2.0, -2.0]), np.array([2.0, 2.0])
    content = "valley"

    def value(self, theta: Any) -> tuple[float, str]:
        a, b = theta
        return float(50 * (b - a**2) ** 2 + (1 - a) ** 2), ""

    def derivatives(self, theta: Any) -> Derivatives:
        a, b = theta
        jacobian = np.array([[-20 * a, 10.0], [-np.sqrt(2.0), 0.0]])
        residuals = np.array([10 * (b - a**2), np.sqrt(2.0) * (1 - a)])
        return Derivatives(self.value(theta)[0], jacobian.T @ residuals, jacobian.T @ jacobian)


def killed_once(marker: str) -> str:
    """What a process does that is killed the first time."""
    if not os.path.exists(marker):
        Path(marker).write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return marker
