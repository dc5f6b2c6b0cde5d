"""Rosenbrock methods as data: coefficients in the form the step works with. Another method is another tableau.

In the symbols of E. Hairer and G. Wanner (Solving Ordinary Differential Equations II, 2nd edition, section IV.7), one
step of size h from (t, y) solves for i = 1 ... s

    (I/(h gamma) - J) U_i = f(t + c_i h, y + sum_j a_ij U_j) + sum_j (C_ij/h) U_j + h d_i f_t

and then y1 = y + sum_j m_j U_j, error = sum_j e_j U_j, and inside the step
y(t + theta h) = (1-theta) y + theta (y1 + (1-theta) (D_1 + theta (D_2 + theta (D_3 + ...)))) with D_k = sum_j H_kj U_j.

Everything that depends on the method follows from its tableau: steps, their records, derivatives and dense output, the
sizes of their arrays, the control of the step size. Use one as ``Rosenbrock(tableau=RODAS4P)``.
"""

from __future__ import annotations

from typing import NamedTuple


class Tableau(NamedTuple):
    """One method.

    ``order`` is that of the new state, ``error_order`` that of the state it is compared with, ``dense_order`` that of
    the dense output. Row i of ``a`` and ``C`` holds the entries before column i; ``H`` has at least one row, and
    samples and discontinuities inside steps are as accurate as it is.
    """

    name: str
    order: int
    error_order: int
    dense_order: int
    gamma: float
    a: tuple[tuple[float, ...], ...]
    C: tuple[tuple[float, ...], ...]
    c: tuple[float, ...]
    d: tuple[float, ...]
    m: tuple[float, ...]
    e: tuple[float, ...]
    H: tuple[tuple[float, ...], ...]

    def __repr__(self) -> str:
        return self.name

    @property
    def stages(self) -> int:
        return len(self.a)

    @property
    def exponent(self) -> float:
        """The step size that an error allows goes with the error to the power of minus this."""
        return 1 / (min(self.order, self.error_order) + 1)

    def row(self, i: int) -> tuple[float, ...]:
        """The weights that lead to the state of stage i, or to the new state behind the last."""
        return self.a[i] if i < self.stages else self.m

    def extends(self, i: int) -> bool:
        """Whether state i is that of the stage before it, plus that stage: the tail of stiffly accurate methods."""
        return i > 1 and self.row(i) == (*self.row(i - 1), 1.0)

    @property
    def alike(self) -> int:
        """The first stage from which on every state, the new one included, is that before it plus a stage."""
        return next(i for i in reversed(range(self.stages + 1)) if not self.extends(i))

    @property
    def error_is_last_stage(self) -> bool:
        return self.e == (*[0.0] * (self.stages - 1), 1.0)


_A6 = (-7.502846399306121, 2.561846144803919, -11.627539656261098, -0.18268767659942256, 0.030198172008377946)

RODAS5P = Tableau(
    name="Rodas5P",
    order=5,
    error_order=4,
    dense_order=4,
    gamma=0.21193756319429014,
    a=(
        (),
        (3.0,),
        (2.849394379747939, 0.45842242204463923),
        (-6.954028509809101, 2.489845061869568, -10.358996098473584),
        (2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641),
        _A6,
        (*_A6, 1.0),
        (*_A6, 1.0, 1.0),
    ),
    C=(
        (),
        (-14.155112264123755,),
        (-17.97296035885952, -2.859693295451294),
        (147.12150275711716, -1.41221402718213, 71.68940251302358),
        (165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306),
        (24.854864614690072, -3.0009227002832186, 47.4931110020768, 5.5814197821558125, -0.6610691825249471),
        (
            30.91273214028599,
            -3.1208243349937974,
            77.79954646070892,
            34.28646028294783,
            -19.097331116725623,
            -28.087943162872662,
        ),
        (
            37.80277123390563,
            -3.2571969029072276,
            112.26918849496327,
            66.9347231244047,
            -40.06618937091002,
            -54.66780262877968,
            -9.48861652309627,
        ),
    ),
    c=(0.0, 0.6358126895828704, 0.4095798393397535, 0.9769306725060716, 0.4288403609558664, 1.0, 1.0, 1.0),
    d=(
        0.21193756319429014,
        -0.42387512638858027,
        -0.3384627126235924,
        1.8046452872882734,
        2.325825639765069,
        0.0,
        0.0,
        0.0,
    ),
    m=(*_A6, 1.0, 1.0, 1.0),
    e=(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
    H=(
        (
            25.948786856663858,
            -2.5579724845846235,
            10.433815404888879,
            -2.3679251022685204,
            0.524948541321073,
            1.1241088310450404,
            0.4272876194431874,
            -0.17202221070155493,
        ),
        (
            -9.91568850695171,
            -0.9689944594115154,
            3.0438037242978453,
            -24.495224566215796,
            20.176138334709044,
            15.98066361424651,
            -6.789040303419874,
            -6.710236069923372,
        ),
        (
            11.419903575922262,
            2.8879645146136994,
            72.92137995996029,
            80.12511834622643,
            -52.072871366152654,
            -59.78993625266729,
            -0.15582684782751913,
            4.883087185713722,
        ),
    ),
)
"""Eight stages, stiffly accurate; the default. G. Steinebach, "Construction of Rosenbrock-Wanner method Rodas5P and
numerical benchmarks within the Julia Differential Equations package", BIT Numerical Mathematics 63, 27 (2023),
doi:10.1007/s10543-023-00967-x."""

_A5 = (-7.170454962423024, -4.741636671481785, -16.31002631330971, -1.062004044111401)

RODAS4P = Tableau(
    name="Rodas4P",
    order=4,
    error_order=3,
    dense_order=3,
    gamma=0.25,
    a=(
        (),
        (3.0,),
        (1.831036793486759, 0.4955183967433795),
        (2.304376582692669, -0.05249275245743001, -1.176798761832782),
        _A5,
        (*_A5, 1.0),
    ),
    C=(
        (),
        (-12.0,),
        (-8.791795173947035, -2.207865586973518),
        (10.81793056857153, 6.780270611428266, 19.5348594464241),
        (34.19095006749676, 15.49671153725963, 54.7476087596413, 14.16005392148534),
        (34.62605830930532, 15.30084976114473, 56.99955578662667, 18.40807009793095, -5.714285714285717),
    ),
    c=(0.0, 0.75, 0.21, 0.63, 1.0, 1.0),
    d=(0.25, -0.5, -0.023504, -0.0362, 0.0, 0.0),
    m=(*_A5, 1.0, 1.0),
    e=(0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
    H=(
        (25.09876703708589, 11.62013104361867, 28.49148307714626, -5.664021568594133, 0.0, 0.0),
        (1.638054557396973, -0.7373619806678748, 8.47791821923899, 15.9925314877952, -1.882352941176471, 0.0),
    ),
)
"""Six stages, stiffly accurate: fewer operations a step at loose tolerances. G. Steinebach, "Order-reduction of
ROW-methods for DAEs and method of lines applications", Preprint 1741, FB Mathematik, TH Darmstadt (1995)."""
