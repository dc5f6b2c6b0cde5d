"""The one runner: derivatives through everything periods hand on, many lists of numbers at once, failures that stay
where they are, pasts that are shared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

import pathsim as ps
from pathsim.errors import SimulationError
from pathsim.experiments.conditions import experiment_of
from pathsim.experiments.dynamics import prepare
from pathsim.experiments.experiment import STEADY_STATE, Change, Experiment, Period
from pathsim.experiments.plan import Planner
from pathsim.experiments.readings import Reading, simulate_conditions, take_readings
from pathsim.experiments.run import Runner
from pathsim.experiments.timecourse import system_of
from pathsim.experiments.values import Values, ValueTable
from pathsim.lab import CellLine, Condition, Drug, Library, Treatment
from pathsim.model.maths import Expr, number, symbol
from pathsim.solve.sensitivities.forward import MOST_REFINEMENTS

TIGHT = ps.Rosenbrock(rtol=1e-10, atol=1e-12)

CELL = """model cell
  compartment c = 1;
  serum = 0; drug_on_X = 0; passaging = 0;
  k = 0.05; made = 2; slow = 0.02;
  species X in c = 1; species Y in c = 0;
  synthesis: => X; made*(1 + serum) + 0.1*passaging;
  loss: X => Y; k*(1 + drug_on_X)*X;
  gone: Y => ; slow*Y/(1 + 0.001*Y);
end
"""
VOLUMES = """model volumes
  compartment v = 2;
  k = 0.1; given = 1; kept = 3; kept = given*2;
  substanceOnly species A in v; A = 4;
  species S in v; S = 1.5;
  growth: => S; k*v*kept;
  loss: S => ; 0.3*S*v;
  turn: S => A; 0.05*S*v;
  out: A => ; 0.2*A;
end
"""


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> ps.Model:
    path = tmp_path_factory.mktemp("cell") / "cell.ant"
    path.write_text(CELL)
    return ps.load_model(path)


LIBRARY = Library(
    {
        "blocker": Drug("blocker", per_nM={"drug_on_X": 0.1}),
        "booster": Drug("booster", kind="ligand", per_nM={"made": 0.5}),
        "serum": Drug("serum", kind="medium", per_percent={"serum": 0.1}),
    },
    {"plain": CellLine("plain"), "fast": CellLine("fast", set={"slow": 0.04}, scale={"k": 1.5, "made": 0.5})},
    {},
)


def ready(
    model: ps.Model,
    experiments: Sequence[Experiment],
    times: Sequence[float],
    free: Sequence[str],
    outputs: Sequence[str],
) -> tuple[Runner, ValueTable]:
    dynamics = prepare(model, experiments, [name for name in free if name not in model.symbols and "@" not in name])
    values = Values(tuple(free))
    planner = Planner(dynamics, values)
    for experiment in experiments:
        for time in times:
            planner.place(experiment, time)
    return Runner(dynamics, planner.plan(), dynamics.system.outputs(outputs)), values.table


def compare_derivatives(runner: Runner, table: ValueTable, theta: np.ndarray, rel: float = 2e-6) -> None:
    """Forward sensitivities, the adjoint and central differences of a random combination of all outputs."""
    numbers = table(theta[:, None])
    assert runner.run(numbers, TIGHT).failure() == ""
    bars = np.random.default_rng(1).standard_normal((len(runner.run(numbers, TIGHT).flat), 1))
    moving = runner.moved_by(table.depends_on(np.arange(len(theta))))
    adjoint = table.pull(theta[:, None], runner.record(numbers, TIGHT).pull(bars, moving))[:, 0]
    derivatives = table.jacobian(theta).toarray()[:, None]
    forward = bars[:, 0] @ runner.forward(numbers, derivatives, TIGHT, MOST_REFINEMENTS).of()[1]
    steps = np.diag(1e-5 * theta)
    numeric = [
        (
            bars.T
            @ (
                runner.run(table((theta + step)[:, None]), TIGHT).flat
                - runner.run(table((theta - step)[:, None]), TIGHT).flat
            )
        ).item()
        / (2 * step.sum())
        for step in steps
    ]
    assert forward == pytest.approx(numeric, rel=1e-4)
    assert adjoint == pytest.approx(forward, rel=rel)


def test_derivatives_agree_through_conditions_with_washout(cell: ps.Model) -> None:
    """Rest, a drug, washout; a parameter scaled by a line, dosed by a ligand, or fitted for one line alone."""
    texts = ["blocker 30 nM for 20 min then vehicle", "vehicle for 1 h then booster 2 nM + serum 1 %", "blocker 5 nM"]
    free = ["k", "made", "slow", "made@fast"]
    conditions = [
        Condition(LIBRARY.cell_lines[line], Treatment.parse(text)) for line in ("plain", "fast") for text in texts
    ]
    experiments = [experiment_of(one, system_of(cell), LIBRARY, free) for one in conditions]
    runner, table = ready(cell, experiments, [0.0, 5.0, 40.0], free, ["X", "Y"])
    compare_derivatives(runner, table, np.array([0.07, 1.7, 0.025, 0.9]))


def test_derivatives_agree_through_volumes_and_formulas_of_the_state(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """What PEtab's second version can do when a period begins: a volume changes, a state is set to a formula of states,
    another to a number, parameters of initial assignments stay as they were."""
    path = tmp_path / "volumes.ant"
    path.write_text(VOLUMES)
    half = Expr("times", (number(0.5), symbol("S")))
    grown = Expr("times", (symbol("v"), symbol("size")))
    periods = (
        Period(STEADY_STATE, (Change("k", symbol("rate")), Change("given", symbol("dose")))),
        Period(0.0, (Change("v", symbol("size")), Change("k", Expr("times", (number(2.0), symbol("rate")))))),
        Period(7.0, (Change("S", Expr("plus", (half, symbol("dose")))), Change("v", grown))),
        Period(11.0, (Change("A", symbol("dose")), Change("k", half))),
    )
    chain = Experiment("chain", periods, carries=True)
    started = Experiment("started", (Period(0.0, (Change("k", half), Change("given", symbol("dose")))),), carries=True)
    runner, table = ready(
        ps.load_model(path), [chain, started], [3.0, 9.0, 14.0], ["rate", "dose", "size"], ["S", "A", "kept"]
    )
    compare_derivatives(runner, table, np.array([0.2, 1.3, 1.6]), rel=1e-5)


def test_many_lists_of_numbers_give_what_each_gives_alone(cell: ps.Model) -> None:
    lines = [
        Reading(line, text, time, "Y")
        for line in ("plain", "fast")
        for time in (0.0, 30.0)
        for text in ("vehicle", "blocker 30 nM for 20 min then vehicle")
    ]
    sets = [{}, {"k": 0.08, "made@fast": 3.0}, {"k": 0.01, "made@fast": 0.3}, {"slow": 0.5}]
    together = take_readings(cell, lines, sets, LIBRARY)
    for constants, values in zip(sets, together, strict=True):
        np.testing.assert_array_equal(take_readings(cell, lines, [constants], LIBRARY)[0], values)
    assert together[0, 1] != together[1, 1]
    assert together[3, 4:].tolist() == together[0, 4:].tolist()  # the fast line has a number of its own


def test_pasts_are_shared(cell: ps.Model) -> None:
    """Two lines, one rest each; three treatments with one starvation in common."""
    texts = [
        "vehicle for 24 h then vehicle",
        "vehicle for 24 h then booster 1 nM",
        "blocker 1 nM for 1 h then vehicle",
        "vehicle for 24 h then booster 1 nM for 1 h then vehicle",
        "blocker 1 nM",
    ]
    conditions = [Condition(line, Treatment.parse(text)) for line in LIBRARY.cell_lines.values() for text in texts]
    experiments = [experiment_of(one, system_of(cell), LIBRARY) for one in conditions]
    runner, _ = ready(cell, experiments, [0.0, 10.0], [], ["X"])
    assert [(group.settles, group.rows) for group in runner.plan.groups] == [
        (True, 2),  # rest
        (False, 2 * 3),  # starvation, and twice the blocker: to its end, or to be read
        (False, 2 * 4),  # vehicle, booster to be read, booster to its end, vehicle after the blocker
        (False, 2),
    ]


def test_a_condition_that_fails_leaves_its_neighbours_alone(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Rows whose past failed are not run, carry its sentence, and all others are as without them."""
    path = tmp_path / "explodes.ant"
    path.write_text(CELL.replace("k*(1 + drug_on_X)*X", "k*X - drug_on_X*X^3"))
    model = ps.load_model(path)
    texts = ("vehicle", "blocker 1 uM for 1 h then vehicle", "booster 1 nM for 1 h then vehicle")
    conditions = [Condition(LIBRARY.cell_lines["plain"], Treatment.parse(text)) for text in texts]
    experiments = [experiment_of(one, system_of(model), LIBRARY) for one in conditions]
    runner, table = ready(model, experiments, [5.0], [], ["X"])
    outcome = runner.run(table(np.zeros((0, 1))))
    last = runner.plan.groups[-1]
    assert {last.labels[row] for _, row in outcome.failures[-1]} == {f"plain, {texts[1]}"}
    assert next(iter(outcome.failures[-1].values())) == next(iter(outcome.failures[1].values()))
    assert np.isnan(outcome.groups[-1].outputs).any(axis=(0, 2, 3)).tolist() == [
        label == f"plain, {texts[1]}" for label in last.labels
    ]
    with pytest.raises(SimulationError, match=f"^plain, {texts[1]}: "):
        outcome.refuse_failures()
    well = [conditions[0], conditions[2]]
    alone = simulate_conditions(model, well, [5.0], ["X"], LIBRARY)
    first = runner.plan.groups[1].labels.index(f"plain, {texts[0]}")
    second = last.labels.index(f"plain, {texts[2]}")
    found = [outcome.groups[1].outputs[0, first, 0, 0], outcome.groups[2].outputs[0, second, 0, 0]]
    assert found == alone.ravel().tolist()


def test_an_altered_line_stands_on_the_number_fitted_for_its_origin(cell: ps.Model) -> None:
    altered = CellLine("plain+half", scale={"k": 0.5}, set={"slow": 1.0})
    made = experiment_of(
        Condition(altered, Treatment.parse("vehicle")), system_of(cell), LIBRARY, ["k@plain", "slow@plain", "made"]
    )
    changes = {change.target: change.value for change in made.periods[1].changes}
    assert changes == {"k": Expr("times", (number(0.5), symbol("k@plain"))), "slow": symbol("slow@plain")}
