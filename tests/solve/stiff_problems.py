"""Stiff problems of the literature against their published end values.

Reference solutions: F. Mazzia and C. Magherini, Test Set for Initial Value Problem Solvers, release 2.4, University of
Bari (2008), computed there with 20 and more digits. Problems: H. H. Robertson (1966); HIRES, E. Schäfer (1975);
POLLU, J. G. Verwer (1994); OREGO, R. J. Field and R. M. Noyes (1974); VDPOL,
B. van der Pol (1926), in the scaled time of the test set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from small_models import course

from pathsim.arrays import FloatArray
from pathsim.solve import Solver


@dataclass(frozen=True)
class Problem:
    """Rates and initial values of y1 ... yn as text, end time and published end values."""

    rates: tuple[str, ...]
    start: dict[int, float]
    end: float
    published: tuple[float, ...]
    constants: str = ""

    @property
    def text(self) -> str:
        lines = [f"y{i}' = {rate};" for i, rate in enumerate(self.rates, start=1)]
        lines += [f"y{i} = {self.start.get(i, 0.0)!r};" for i in range(1, len(self.rates) + 1)]
        return "\n".join([self.constants, *lines])

    def error(self, solver: Solver) -> float:
        """The largest relative error of an end value."""
        names = [f"y{i}" for i in range(1, len(self.rates) + 1)]
        values: FloatArray = course(self.text, [0, self.end], names, solver)[-1]
        return float(np.max(np.abs(values / np.array(self.published) - 1)))


ROBERTSON = Problem(
    rates=("-0.04*y1 + 1e4*y2*y3", "0.04*y1 - 1e4*y2*y3 - 3e7*y2^2", "3e7*y2^2"),
    start={1: 1.0},
    end=1e11,
    published=(0.2083340149701255e-07, 0.8333360770334713e-13, 0.9999999791665050),
)
HIRES = Problem(
    rates=(
        "-1.71*y1 + 0.43*y2 + 8.32*y3 + 0.0007",
        "1.71*y1 - 8.75*y2",
        "-10.03*y3 + 0.43*y4 + 0.035*y5",
        "8.32*y2 + 1.71*y3 - 1.12*y4",
        "-1.745*y5 + 0.43*y6 + 0.43*y7",
        "-280*y6*y8 + 0.69*y4 + 1.71*y5 - 0.43*y6 + 0.69*y7",
        "280*y6*y8 - 1.81*y7",
        "-280*y6*y8 + 1.81*y7",
    ),
    start={1: 1.0, 8: 0.0057},
    end=321.8122,
    published=(
        0.7371312573325668e-3,
        0.1442485726316185e-3,
        0.5888729740967575e-4,
        0.1175651343283149e-2,
        0.2386356198831331e-2,
        0.6238968252742796e-2,
        0.2849998395185769e-2,
        0.2850001604814231e-2,
    ),
)
OREGO = Problem(
    rates=("77.27*(y2 + y1*(1 - 8.375e-6*y1 - y2))", "(y3 - (1 + y1)*y2)/77.27", "0.161*(y1 - y3)"),
    start={1: 1.0, 2: 2.0, 3: 3.0},
    end=360.0,
    published=(0.1000814870318523e1, 0.1228178521549917e4, 0.1320554942846706e3),
)
VDPOL = Problem(
    rates=("y2", "1e6*((1 - y1^2)*y2 - y1)"),
    start={1: 2.0},
    end=2.0,
    published=(0.1706167732170483e1, -0.8928097010247975),
)
_POLLU_CONSTANTS = (
    0.35, 26.6, 1.23e4, 8.6e-4, 8.2e-4, 1.5e4, 1.3e-4, 2.4e4, 1.65e4, 9e3, 0.022, 1.2e4, 1.88, 1.63e4, 4.8e6, 3.5e-4,
    1.75e-2, 1e8, 4.44e11, 1.24e3, 2.1, 5.78, 4.74e-2, 1.78e3, 3.12,
)  # fmt: skip
_POLLU_REACTANTS = (
    "y1", "y2*y4", "y5*y2", "y7", "y7", "y7*y6", "y9", "y9*y6", "y11*y2", "y11*y1", "y13", "y10*y2", "y14", "y1*y6",
    "y3", "y4", "y4", "y16", "y16", "y17*y6", "y19", "y19", "y1*y4", "y19*y1", "y20",
)  # fmt: skip
POLLU = Problem(
    constants="".join(
        f"r{i} := {k!r}*{what};" for i, (k, what) in enumerate(zip(_POLLU_CONSTANTS, _POLLU_REACTANTS, strict=True), 1)
    ),
    rates=(
        "-r1-r10-r14-r23-r24+r2+r3+r9+r11+r12+r22+r25",
        "-r2-r3-r9-r12+r1+r21",
        "-r15+r1+r17+r19+r22",
        "-r2-r16-r17-r23+r15",
        "-r3+2*r4+r6+r7+r13+r20",
        "-r6-r8-r14-r20+r3+2*r18",
        "-r4-r5-r6+r13",
        "r4+r5+r6+r7",
        "-r7-r8",
        "-r12+r7+r9",
        "-r9-r10+r8+r11",
        "r9",
        "-r11+r10",
        "-r13+r12",
        "r14",
        "-r18-r19+r16",
        "-r20",
        "r20",
        "-r21-r22-r24+r23+r25",
        "-r25+r24",
    ),
    start={2: 0.2, 4: 0.04, 7: 0.1, 8: 0.3, 9: 0.01, 17: 0.007},
    end=60.0,
    published=(
        0.5646255480022769e-1,
        0.1342484130422339,
        0.4139734331099427e-8,
        0.5523140207484359e-2,
        0.2018977262302196e-6,
        0.1464541863493966e-6,
        0.7784249118997964e-1,
        0.3245075353396018,
        0.7494013383880406e-2,
        0.1622293157301561e-7,
        0.1135863833257075e-7,
        0.2230505975721359e-2,
        0.2087162882798630e-3,
        0.1396921016840158e-4,
        0.8964884856898295e-2,
        0.4352846369330103e-17,
        0.6899219696263405e-2,
        0.1007803037365946e-3,
        0.1772146513969984e-5,
        0.5682943292316392e-4,
    ),
)

PROBLEMS = {"Robertson": ROBERTSON, "HIRES": HIRES, "OREGO": OREGO, "VDPOL": VDPOL, "POLLU": POLLU}
