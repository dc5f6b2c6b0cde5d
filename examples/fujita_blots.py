"""A published SBML model over the blots it was fitted to: EGF, AKT and S6 (Fujita 2010, Sci Signal 3:ra56).

Runs the model at its published optimum under its six steps of EGF and draws the prediction over the measured bands:

    python examples/fujita_blots.py [fujita_blots.png]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import pathsim as ps

DATA = Path(__file__).parent / "data" / "fujita_2010"
NAME = "Fujita_SciSignal2010"
ANTIBODIES = {
    "pEGFR_tot": ("pEGFR", ("pEGFR", "pEGFR_Akt"), "scaling_pEGFR_tot"),
    "pAkt_tot": ("pAKT", ("pAkt", "pAkt_S6"), "scaling_pAkt_tot"),
    "pS6_tot": ("pS6", ("pS6",), "scaling_pS6_tot"),
}
COLOURS = ("#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00", "#7a5195")


def table(kind: str) -> pd.DataFrame:
    """One of the problem's tables."""
    return pd.read_csv(DATA / f"{kind}_{NAME}.tsv", sep="\t")


def published_optimum() -> tuple[dict[str, float], dict[str, float]]:
    """Parameters of the model, and the scale of each antibody."""
    values = table("parameters").set_index("parameterId")["nominalValue"]
    scales = {name: float(value) for name, value in values.items() if str(name).startswith("scaling_")}
    return {str(name): float(value) for name, value in values.items() if name not in scales}, scales


def predict(times: np.ndarray, parameters: dict[str, float], scales: dict[str, float]) -> pd.DataFrame:
    """Every antibody under every measured condition: columns ``condition, observable, time, signal``."""
    model = ps.load_model(DATA / f"model_{NAME}.xml")
    measured = table("measurementData_step")["simulationConditionId"].unique()
    conditions = table("experimentalCondition").set_index("conditionId").loc[measured]
    doses = conditions[["EGF_0", "EGF_rate", "EGF_end"]].astype(float)
    known = {name: value for name, value in parameters.items() if name in model.symbols}
    settings = doses.assign(**known).reset_index(drop=True)
    species = sorted({name for _, names, _ in ANTIBODIES.values() for name in names})
    batch = ps.simulate_many(model, settings, times, species, ps.Rosenbrock(rtol=1e-8, atol=1e-10))
    for row in np.flatnonzero(batch.status):
        raise SystemExit(f"{measured[row]}: {batch.explain(row)}")
    frames = []
    for row, condition in enumerate(measured):
        amounts = pd.DataFrame(batch.values[row], columns=species)
        for observable, (_, names, scale) in ANTIBODIES.items():
            signal = scales[scale] * amounts[list(names)].sum(axis=1)
            frames.append(
                pd.DataFrame({"condition": condition, "observable": observable, "time": times, "signal": signal})
            )
    return pd.concat(frames, ignore_index=True)


def draw() -> Figure:
    """One panel per antibody: measured densitometry as dots, the model as lines."""
    lines = predict(np.linspace(0, 3600, 181), *published_optimum())
    blots = table("measurementData_step")
    names = table("experimentalCondition").set_index("conditionId")["conditionName"]
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    for ax, (observable, (title, _, _)) in zip(figure.subplots(1, 3), ANTIBODIES.items(), strict=True):
        for colour, condition in zip(COLOURS, lines["condition"].unique(), strict=True):
            line = lines[(lines["condition"] == condition) & (lines["observable"] == observable)]
            dots = blots[(blots["simulationConditionId"] == condition) & (blots["observableId"] == observable)]
            ax.plot(line["time"] / 60, line["signal"], color=colour, linewidth=1.6, label=names[condition])
            ax.plot(dots["time"] / 60, dots["measurement"], "o", color=colour, markersize=4)
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("time after EGF (min)")
        ax.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("densitometry (arbitrary units)")
    figure.axes[2].legend(
        frameon=False,
        fontsize=7,
        title="dots: blots\nlines: model",
        title_fontsize=7,
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
    )
    return figure


def log_likelihood() -> float:
    """Of the measured bands at the published optimum; the paper's collection says 53.08."""
    blots = table("measurementData_step")
    lines = predict(np.unique(blots["time"].to_numpy(dtype=float)), *published_optimum())
    signal = lines.set_index(["condition", "observable", "time"])["signal"]
    keys = zip(blots["simulationConditionId"], blots["observableId"], blots["time"], strict=True)
    sigma = blots["noiseParameters"].to_numpy(dtype=float)
    residual = (blots["measurement"].to_numpy() - np.array([signal[key] for key in keys])) / sigma
    return float(-0.5 * np.sum(residual**2 + np.log(2 * np.pi * sigma**2)))


def deviation() -> float:
    """Largest relative deviation from the collection's own prediction.

    That prediction was made with the values inside the SBML file, an optimum as good as that of the parameter table
    (log-likelihood 52.84), with scales that are not told: each antibody's is found by least squares.
    """
    published = table("simulatedData")
    unscaled = {scale: 1.0 for _, _, scale in ANTIBODIES.values()}
    lines = predict(np.unique(published["time"].to_numpy(dtype=float)), {}, unscaled)
    signal = lines.set_index(["condition", "observable", "time"])["signal"]
    measured = table("measurementData_step")["simulationConditionId"].unique()
    renamed = dict(zip(published["simulationConditionId"].unique(), measured, strict=True))
    worst = 0.0
    for observable, rows in published[published["time"] > 0].groupby("observableId"):
        keys = zip(rows["simulationConditionId"].map(renamed), rows["time"], strict=True)
        ours = np.array([signal[condition, observable, time] for condition, time in keys])
        theirs = rows["simulation"].to_numpy(dtype=float)
        scale = np.sum(ours / theirs) / np.sum((ours / theirs) ** 2)  # least squares of relative deviations
        worst = max(worst, float(np.max(np.abs(scale * ours / theirs - 1.0))))
    return worst


if __name__ == "__main__":
    target = sys.argv[1] if len(sys.argv) > 1 else "fujita_blots.png"
    draw().savefig(target, dpi=200)
    print(f"log-likelihood of the blots at the published optimum: {log_likelihood():.3f} (published: 53.084)")
    print(f"largest relative deviation from the published prediction: {deviation():.1e}")
    print(f"wrote {target}")
