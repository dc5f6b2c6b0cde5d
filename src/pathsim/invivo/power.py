"""How many animals a study needs: the log-rank test on many studies drawn from one large simulated one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..checked import checked
from ..errors import raise_together
from ..progress import announced
from ..stats import survival
from .xenograft import Trial

if TYPE_CHECKING:
    import pandas as pd


@checked
@announced("power of the log-rank test")
def logrank_power(
    trial: Trial,
    arm: str | None = None,
    reference: str | None = None,
    sizes: Sequence[int] = (4, 6, 8, 10, 15, 20),
    trials: int = 400,
    alpha: float = 0.05,
    seed: int = 0,
) -> pd.DataFrame:
    """Power of the log-rank test by the number of animals per arm.

    Args:
        trial: a study with many animals (hundreds per arm), the population that studies are drawn from.
        arm, reference: the arms compared; by default the second and the first.
        trials: studies drawn for each size.

    Returns:
        ``mice, power, power_low, power_high, not_estimable``: share of studies with p below ``alpha``, its 95 % Wilson
        interval, and the share in which no test was possible (counted as not significant).

    Raises:
        InputError: arms that do not exist, sizes below 2 or above what the trial holds.

    >>> trial = ps.xenograft("pi3k_mapk", "ATRT", ["vehicle", "paxalisib 15 mg/kg daily"], mice=400)  # doctest: +SKIP
    >>> ps.logrank_power(trial)  # doctest: +SKIP
    """
    import pandas as pd

    chosen = arm or (trial.arms[1] if len(trial.arms) > 1 else "")
    first = reference or trial.arms[0]
    problems = [f"'{name}' is not an arm of the trial" for name in (chosen, first) if name not in trial.arms]
    pools = {name: trial.mice[trial.mice["arm"] == name] for name in (first, chosen)}
    most = min(len(pool) for pool in pools.values())
    problems += [
        f"{size} animals per arm: between 2 and {most} can be drawn" for size in sizes if not 2 <= size <= most
    ]
    if trials < 1:
        problems.append(f"trials is {trials}; at least 1 is needed")
    if not 0 < alpha < 1:
        problems.append(f"alpha is {alpha}; it lies between 0 and 1")
    raise_together(problems, "power")
    random = np.random.default_rng([seed, 7])
    rows = []
    for size in sizes:
        values: list[float | None] = []
        for _ in range(trials):
            drawn = [pool.iloc[random.choice(len(pool), size, replace=False)] for pool in pools.values()]
            both = pd.concat(drawn)
            values.append(survival.log_rank(both["time_days"], both["arm"], both["event"]).p)
        hits = sum(p is not None and p < alpha for p in values)
        low, high = _wilson(hits, trials)
        rows.append(
            {
                "mice": size,
                "power": hits / trials,
                "power_low": low,
                "power_high": high,
                "not_estimable": sum(p is None for p in values) / trials,
            }
        )
    return pd.DataFrame(rows)


def _wilson(hits: int, trials: int) -> tuple[float, float]:
    share, z = hits / trials, 1.959963985
    middle = share + z * z / (2 * trials)
    reach = z * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, float((middle - reach) / scale)), min(1.0, float((middle + reach) / scale))
