"""Profile likelihoods: how far each parameter can be moved while all others make up for it.

A. Raue et al., Bioinformatics 25, 1923 (2009). From the optimum a parameter is moved step by step, all others are
re-optimised, until the likelihood has fallen by the threshold (1.92 for 95 %) or a bound is met.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import shown
from ..arrays import BoolArray, FloatArray
from ..checked import checked
from ..errors import InputError, raise_together, unknown
from ..files import append_line, only_user
from ..linear_algebra import one_thread
from ..made_on import go_on_in
from ..progress import bar
from ..shown import Shown
from ..stored_records import json_lines, record_of
from ..threads import Workers
from ..workers import finished
from .objective import Derivatives, Objective
from .optimise import Ledger, TrustRegion, minimise
from .questions import alone
from .result import HEAD_FILE, Fit, fingerprint
from .scales import values_of
from .uncertainty import Ensemble

if TYPE_CHECKING:
    import pandas as pd

AT_BOUND = 1e-6
"""Share of the distance between bounds within which an estimate counts as at the bound."""
NEAR_BOUND = 1e-3
"""The same for other parameters along a profile."""
SHARE = 0.2
"""Share of the threshold by which the likelihood should fall per step."""
MOST_POINTS = 60
PROFILES_FILE = "profiles.jsonl"

IDENTIFIABLE, UNIDENTIFIABLE, BOUND = "identifiable", "practically unidentifiable", "at bound"


@dataclass(frozen=True)
class Profile:
    """The profile of one parameter.

    ``theta`` (points) are its values on scale, ascending; ``values`` the negative log likelihoods, the others being
    re-optimised; ``others`` (points, d) all parameters there. ``lower`` and ``upper`` end the confidence interval on
    scale, infinite where a bound was met first. ``better``: how much a point beat the fit's optimum by, if any did.
    """

    name: str
    scale: str
    estimate: float
    level: float
    theta: tuple[float, ...]
    values: tuple[float, ...]
    others: tuple[tuple[float, ...], ...]
    lower: float
    upper: float
    verdict: str
    better: float = 0.0
    failures: int = 0

    def _shown(self) -> Shown:
        scale = "" if self.scale == "lin" else f" on {self.scale} scale"
        return Shown(
            f"Profile of {self.name}: {self.estimate:.4g} ({self.lower:.4g} to {self.upper:.4g}){scale}, "
            f"{len(self.theta)} points; {self.verdict}"
        )

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html


@dataclass(frozen=True, eq=False)
class Profiles:
    """Profiles of a fit."""

    fit: Fit
    profiles: tuple[Profile, ...]

    def _shown(self) -> Shown:
        return Shown(f"Profiles of {len(self.profiles)} parameters", self.table)

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html

    def ensemble(self) -> Ensemble:
        """Every parameter vector on the profiles that lies within the threshold.

        The range of predictions over it is a likelihood-based band: it follows the bends of the likelihood, which draws
        around the best fit do not. Bands of what depends on parameters that were not profiled come out too narrow.
        """
        from scipy.special import chdtri

        best = min(min(p.values) for p in self.profiles)
        kept = [
            theta
            for p in self.profiles
            for theta, value in zip(p.others, p.values, strict=True)
            if value <= best + 0.5 * float(chdtri(1, 1.0 - p.level))
        ]
        return Ensemble(self.fit, np.array(kept), float(len(kept)))

    def _bounds_met(self, profile: Profile) -> list[str]:
        """Bounds of other parameters that end the interval, in words."""
        objective = self.fit.objective
        lower, upper = np.asarray(objective.lower), np.asarray(objective.upper)
        near = NEAR_BOUND * (upper - lower)

        def met(theta: FloatArray) -> BoolArray:
            return np.asarray((theta - lower <= near) | (upper - theta <= near))

        found = []
        ends = (("lower", profile.lower, profile.others[0]), ("upper", profile.upper, profile.others[-1]))
        for end, value, others in ends:
            new = met(np.array(others)) & ~met(self.fit.theta)
            new[self.fit.names.index(profile.name)] = False
            if math.isfinite(value):
                found += [f"{end} end by the bound of {self.fit.names[i]}" for i in np.flatnonzero(new)]
        return found

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per parameter: estimate and interval (not on scale; infinite where open) and the verdict.

        ``bounded_by``: which ends of the interval are where they are because another parameter has met its bound there,
        as when the data know two parameters by their product only.
        """
        import pandas as pd

        def value(x: float, scale: str) -> float:
            if math.isinf(x):
                return math.inf if x > 0 else (-math.inf if scale == "lin" else 0.0)
            return float(values_of(np.array([x]), (scale,))[0])

        return pd.DataFrame(
            [
                {
                    "parameter": p.name,
                    "estimate": value(p.estimate, p.scale),
                    "lower": value(p.lower, p.scale),
                    "upper": value(p.upper, p.scale),
                    "level": p.level,
                    "verdict": p.verdict,
                    "open_below": math.isinf(p.lower),
                    "open_above": math.isinf(p.upper),
                    "bounded_by": "; ".join(self._bounds_met(p)),
                    "better_by": p.better,
                }
                for p in self.profiles
            ]
        )


@checked
@one_thread()
def profile(
    fit: Fit,
    parameters: Iterable[str] | None = None,
    level: float = 0.95,
    workers: Workers = None,
    *,
    folder: str | Path | None = None,
    any_processor: bool = False,
    report: Callable[[Profile], None] | None = None,
) -> Profiles:
    """Profile likelihoods of ``parameters`` (default all), with confidence intervals of ``level``.

    With a ``folder``, profiles are appended to ``profiles.jsonl`` as they finish, and those already there are not
    computed again. Results do not depend on ``workers`` (as of :func:`fit`, as is ``any_processor``).

    Raises:
        InputError: an unknown parameter, a level outside (0, 1), or a folder that was made on another processor.

    >>> table = ps.profile(fit, fit.names[:1], workers=1).table
    """
    if not 0 < level < 1:
        raise InputError(f"level must lie between 0 and 1, not {level!r}")
    names = list(parameters) if parameters is not None else list(fit.names)
    raise_together([str(unknown("parameter", name, fit.names)) for name in names if name not in fit.names])
    job = _Job(fit.objective, fit.theta, fit.best.value, level)
    key = f"{fingerprint(fit.objective)} {fit.best.value:.10g} {level!r}"
    user = nullcontext() if folder is None else only_user(folder, "a fit or profile")
    with user, bar("profiles", len(names)) as further:
        path = None if folder is None else Path(folder) / PROFILES_FILE
        if path is not None:
            go_on_in(path.parent, path.exists() or (path.parent / HEAD_FILE).exists(), any_processor)
        done = {} if path is None else _read(path, key, fit.names)
        wanted = [fit.names.index(name) for name in names if name not in done]
        for _, found in finished(job, wanted, workers, any_processor):
            done[found.name] = found
            further()
            if path is not None:
                append_line(path, json.dumps({"key": key, **asdict(found)}) + "\n")
            if report is not None:
                report(found)
    return Profiles(fit, tuple(done[name] for name in names))


def _read(path: Path, key: str, names: Sequence[str]) -> dict[str, Profile]:
    found: dict[str, Profile] = {}
    for where, content in json_lines(path) if path.exists() else ():
        if content.pop("key", None) != key:
            continue
        one = record_of(Profile, content, where)
        many = {len(one.theta), len(one.values), len(one.others)}
        if len(many) > 1 or {len(others) for others in one.others} != {len(names)} or one.name not in names:
            raise InputError(f"{where}: not a profile of this fit: its lists differ in length, or its name is unknown")
        found[one.name] = one
    return found


@dataclass(frozen=True, eq=False)
class _Job:
    objective: Objective
    theta: FloatArray
    value: float
    level: float

    def __call__(self, k: int) -> Profile:
        from scipy.special import chdtri

        objective = self.objective
        threshold = 0.5 * float(chdtri(1, 1.0 - self.level))
        ledger = Ledger(objective)
        below = list(_side(objective, ledger, self.theta, self.value, k, -1, threshold))
        above = list(_side(objective, ledger, self.theta, self.value, k, 1, threshold))
        points = [*reversed(below), (self.value, self.theta), *above]
        lower = _crossing([(self.value, self.theta[k]), *((v, t[k]) for v, t in below)], self.value + threshold)
        upper = _crossing([(self.value, self.theta[k]), *((v, t[k]) for v, t in above)], self.value + threshold)
        low, high, here = objective.lower[k], objective.upper[k], float(self.theta[k])
        near = AT_BOUND * (high - low)
        if here - low <= near or high - here <= near:
            verdict = BOUND
        else:
            verdict = IDENTIFIABLE if lower is not None and upper is not None else UNIDENTIFIABLE
        return Profile(
            objective.names[k],
            objective.scales[k],
            here,
            self.level,
            tuple(float(t[k]) for _, t in points),
            tuple(float(v) for v, _ in points),
            tuple(tuple(t.tolist()) for _, t in points),
            -math.inf if lower is None else lower,
            math.inf if upper is None else upper,
            verdict,
            max(0.0, self.value - min(v for v, _ in points)),
            sum(ledger.failures.values()),
        )


def _side(
    objective: Objective, ledger: Ledger, theta: FloatArray, best: float, k: int, sign: int, threshold: float
) -> Iterator[tuple[float, FloatArray]]:
    """Points of one side, from the optimum outwards, until the threshold is passed or a bound is met."""
    bound = float((objective.lower if sign < 0 else objective.upper)[k])
    span = float(objective.upper[k] - objective.lower[k])
    here, value, before = theta.copy(), best, None
    step = _first_step(alone(objective, ledger.derivatives(theta)), k, threshold, span)
    for _ in range(MOST_POINTS):
        room = sign * (bound - here[k])
        if room <= 1e-9 * span:
            return
        step = min(step, room, 0.25 * span)
        for attempt in range(8):
            start = here.copy()
            start[k] += sign * step
            if before is not None and abs(here[k] - before[k]) > 0:  # go on in the direction of the last step
                along = (here - before) / abs(here[k] - before[k]) * step
                along[k] = 0.0
                start = np.clip(start + along, objective.lower, objective.upper)
            held = Held(objective, k, float(here[k] + sign * step))
            inner = Ledger(held, failures=ledger.failures)
            if not math.isfinite(alone(held, inner.value(np.delete(start, k)))):
                start = here.copy()
            ended = alone(held, minimise(inner, np.delete(start, k), TrustRegion(tolerance=1e-4, most=60)))
            rise = ended.value - value
            if math.isfinite(ended.value) and (rise <= 2.5 * SHARE * threshold or attempt == 7 or step <= 1e-6 * span):
                break
            step *= 0.5 if math.isfinite(ended.value) else 0.25
        else:
            return
        if not math.isfinite(ended.value):
            return
        before, here = here, held.whole(ended.theta)
        value = ended.value
        yield value, here
        if value > best + threshold:
            return
        wanted = SHARE * threshold
        step *= min(2.0, max(0.5, wanted / rise)) if rise > 0 else 2.0


def _first_step(derivatives: Derivatives, k: int, threshold: float, span: float) -> float:
    """The step after which the quadratic model, the others following, has risen by a share of the threshold."""
    values, vectors = np.linalg.eigh(derivatives.fisher)
    floor = 1e-10 * max(float(values[-1]), 1e-300)
    variance = float((vectors[k] ** 2 / np.maximum(values, floor)).sum())
    return float(np.clip(math.sqrt(2 * SHARE * threshold * variance), 1e-4 * span, 0.05 * span))


def _crossing(points: Sequence[tuple[float, float]], level: float) -> float | None:
    """Where the profile passes ``level``, by quadratic interpolation in value; None when it does not."""
    for (v0, x0), (v1, x1) in pairwise(points):
        if v0 <= level < v1:
            low = min(v for v, _ in points)
            r0, r1, r = (math.sqrt(max(v - low, 0.0)) for v in (v0, v1, level))
            share = (r - r0) / (r1 - r0) if r1 > r0 else 1.0
            return float(x0 + share * (x1 - x0))
    return None


class Held:
    """An objective with one parameter held at a value."""

    def __init__(self, objective: Objective, k: int, at: float) -> None:
        self.objective, self.k, self.at = objective, k, at

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for i, name in enumerate(self.objective.names) if i != self.k)

    @property
    def scales(self) -> tuple[str, ...]:
        return tuple(scale for i, scale in enumerate(self.objective.scales) if i != self.k)

    @property
    def lower(self) -> FloatArray:
        return np.delete(self.objective.lower, self.k)

    @property
    def upper(self) -> FloatArray:
        return np.delete(self.objective.upper, self.k)

    def whole(self, theta: FloatArray) -> FloatArray:
        """All parameters."""
        return np.insert(theta, self.k, self.at)

    def value(self, theta: FloatArray) -> tuple[float, str]:
        return self.objective.value(self.whole(theta))

    def derivatives(self, theta: FloatArray) -> Derivatives:
        found = self.objective.derivatives(self.whole(theta))
        fisher = np.delete(np.delete(found.fisher, self.k, 0), self.k, 1)
        return Derivatives(found.value, np.delete(found.gradient, self.k), fisher, found.failure)
