"""Derivatives of simulations against closed forms and against differences of simulations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pathsim as ps
from pathsim.arrays import FloatArray
from pathsim.experiments.timecourse import system_of
from pathsim.solve import RODAS5P, System, run_rows, settle_rows
from pathsim.solve.sensitivities.at_rest import ForwardAtRest
from pathsim.solve.sensitivities.forward import differentiate, run_sensitivities
from pathsim.solve.sensitivities.forward_machine import forward_of
from pathsim.solve.sensitivities.recording import record_rows
from pathsim.solve.sensitivities.recording_parts import record_parts

TIGHT = ps.Rosenbrock(rtol=1e-10, atol=1e-13)

MODELS = {
    "decay": ("compartment c = 1; species S in c = 3; k = 0.7; r: S -> ; k*S; ", ["S"], ["S", "k"]),
    "michaelis": (
        "compartment c = 2; species E in c = 1, S in c = 10, ES in c = 0, P in c = 0; kf = 3; kr = 1; kc = 0.5;"
        "n = 1.7;"
        "b: E + S -> ES; c*(kf*E*S^n/(4 + S^n) - kr*ES); d: ES -> E + P; c*kc*ES;",
        ["S", "P", "ES"], ["kf", "kr", "kc", "n", "E", "S", "c"],
    ),
    "clock": (
        "species S; S = 1; k = 0.3; a = 0.4; R := log(1 + S)/(1 + exp(-S)); r: -> S; a*sin(time)*exp(-k*time) + k; ",
        ["S", "R"], ["S", "k", "a"],
    ),
    "switch": (  # the input stops at a time that is a parameter, and decay doubles below a level
        "species S; S = 1; u = 2; stop = 1.3; k = 0.6; level = 1.1;"
        "i: -> S; u*piecewise(1, time < stop, 0); o: S -> ; k*S*piecewise(2, S < level, 1);",
        ["S"], ["S", "u", "stop", "k", "level"],
    ),
    "dose": (  # an event at a time that is a parameter adds a dose; another resets with a delay
        "species S, X; S = 1; X = 0; when = 1.1; amount = 2; k = 0.8; top = 1.5; wait = 0.37;"
        "o: S -> X; k*S; q: X -> ; 0.2*X; E1: at time > when: S = S + amount*k;"
        "E2: at wait after X > top*0.6: X = 0.5*X + S*k;",
        ["S", "X"], ["S", "when", "amount", "k", "top", "wait"],
    ),
    "waiting": (  # doses that wait: values from the trigger or from later, one overtaken by the next trigger
        "species S, X; S = 1; X = 0; k = 0.8; wait = 0.6; top = 0.7; more = 0.9;"
        "o: S -> X; k*S; q: X -> ; 0.5*X*k; i: -> S; 0.2;"
        "E1: at wait after S < top, fromTrigger = true: S = S + more*X + 0.1;"
        "E2: at wait*X after X > 0.35, fromTrigger = false: X = 0.5*X*more, k = k*1.1;",
        ["S", "X"], ["S", "k", "wait", "top", "more"],
    ),
    "parameter event": (
        "species S; S = 1; k = 0.5; kk = 0.5; low = 0.4; o: S -> ; kk*S; E1: at S < low: kk = k*3, S = S + 0.2*k;",
        ["S"], ["S", "k", "kk", "low"],
    ),
    "swap": (
        "species A, B; A = 10; B = 1; k = 0.3; t1 = 1.1; r: A -> B; k*A; E1: at time > t1: A = B, B = A;",
        ["A", "B"], ["A", "B", "k", "t1"],
    ),
    "dilution": (
        "compartment V = 2; V' = g; species A in V = 10, B in V = 1; k = 0.3; g = 0.2; t1 = 1.1; r: A -> B; k*A*V;"
        "E1: at time > t1: V = V*1.5, A = A + 1;",
        ["A", "B"], ["A", "k", "g", "t1"],
    ),
    "copy from a delay": (
        "species A, B; A = 10; B = 1; k = 0.3; t1 = 1.1; r: A -> B; k*A;"
        "E1: at 1.5 after time > t1: A = B; E2: at time > t1: B = 4;",
        ["A", "B"], ["A", "k", "t1"],
    ),
    "crowd": (  # five at once without priority, whose order matters, again and again
        "species A, B; A = 3; B = 1; k = 0.3; t1 = 0.6; r: A -> B; k*A; q: B -> ; 0.1*B; n = 1;"
        "E1: at time > n*t1: A = B + 0.1; E2: at time > n*t1: B = 1.3*A; E3: at time > n*t1: A = A*B + k;"
        "E4: at time > n*t1: B = B - 0.3*A; E5: at time > n*t1: A = 0.2*A + t1, n = n + 1;",
        ["A", "B"], ["A", "B", "k", "t1"],
    ),
    "equality": (  # located as a crossing; the moment moves with the parameters
        "species S, X; S = 2; X = 0; k = 0.6; level = 1.1; o: S -> X; k*S; E1: at S == level: S = S + 0.5*X, X = 0.1;",
        ["S", "X"], ["S", "k", "level"],
    ),
    "initial assignment": (
        "species A, B; a = 2; A = 3*a; B = A*a; k = 0.4; r: A -> B; k*A; s: B -> A; 0.1*a*B;",
        ["A", "B"], ["a", "k"],
    ),
}  # fmt: skip


def open_model(tmp_path: Path, text: str) -> System:
    path = tmp_path / "case.ant"
    path.write_text(f"model case\n{text}\nend\n")
    return system_of(ps.load_model(path))


def relative_seeds(system: System, names: list[str], raw: FloatArray) -> FloatArray:
    """Directions of relative change of each name, shape (1, raw values, names)."""
    seeds = np.zeros((1, len(raw), len(names)))
    for d, name in enumerate(names):
        seeds[0, system.slot(name), d] = raw[system.slot(name)] or 1.0
    return seeds


def differences(run: object, raw: FloatArray, seeds: FloatArray, step: float = 1e-3) -> FloatArray:
    """Central differences of order four of ``run(rows) -> values`` along seeds; the direction is the last axis."""
    found = []
    for d in range(seeds.shape[2]):
        rows = np.stack([raw + f * step * seeds[0, :, d] for f in (1, -1, 2, -2)])
        v = run(rows)  # type: ignore[operator]
        found.append((8 * (v[0] - v[1]) - (v[2] - v[3])) / (12 * step))
    return np.stack(found, axis=-1)


def compare(exact: FloatArray, numeric: FloatArray, values: FloatArray, tolerance: float = 1e-6) -> None:
    size = np.abs(numeric).max(axis=(0, 1), keepdims=True) + 1e-2 * np.abs(values).max()
    assert np.max(np.abs(exact - numeric) / size) < tolerance


@pytest.mark.parametrize("name", MODELS)
def test_forward_sensitivities_agree_with_differences(name: str, tmp_path: Path) -> None:
    text, outputs, parameters = MODELS[name]
    system = open_model(tmp_path, text)
    nodes, raw = system.outputs(outputs), system.raw()
    times = np.array([0.0, 0.5, 0.9, 1.17, 2.0, 3.3, 5.0])
    plain = run_rows(system, raw[None], times, nodes, TIGHT)
    np.testing.assert_array_equal(record_rows(system, raw[None], times, nodes, TIGHT).rows.values, plain.values)
    seeds = relative_seeds(system, parameters, raw)
    exact = run_sensitivities(system, raw[None], times, nodes, seeds, TIGHT).sensitivities
    numeric = differences(lambda rows: run_rows(system, rows, times, nodes, TIGHT).values, raw, seeds)
    assert np.abs(numeric).max() > 0.01
    compare(exact.values[0], numeric, plain.values)


def test_decay_has_its_closed_form(tmp_path: Path) -> None:
    text, outputs, names = MODELS["decay"]
    system = open_model(tmp_path, text)
    times = np.linspace(0, 4, 9)
    raw = system.raw()
    recording = record_rows(system, raw[None], times, system.outputs(outputs), TIGHT)
    found = differentiate(recording, relative_seeds(system, names, raw)).values[0, :, 0]
    np.testing.assert_allclose(found[:, 0], 3 * np.exp(-0.7 * times), rtol=1e-8)
    np.testing.assert_allclose(found[:, 1], -0.7 * times * 3 * np.exp(-0.7 * times), rtol=1e-7, atol=1e-12)


def test_steady_state_with_a_conserved_total(tmp_path: Path) -> None:
    system = open_model(
        tmp_path,
        "species A, B, C; A = 2; B = 1; C = 0; k = 0.4; m = 0.3; s = 0.2; r: A -> B; k*A; q: B -> A; m*B;"
        "x: -> C; s*B; y: C -> ; m*C^2;",
    )
    raw, nodes = system.raw(), system.outputs(["A", "B", "C"])
    names = ["A", "B", "C", "k", "m", "s"]
    recording = record_rows(system, raw[None], np.array([0.0]), nodes, until_steady=True)
    np.testing.assert_array_equal(recording.rows.x, settle_rows(system, raw[None], nodes).x)
    found = differentiate(recording, relative_seeds(system, names, raw))
    total, k, m, s = 3.0, 0.4, 0.3, 0.2
    b = total * k / (k + m)
    db = {
        "A": 2 * k / (k + m),
        "B": k / (k + m),
        "C": 0.0,
        "k": total * m * k / (k + m) ** 2,
        "m": -total * k * m / (k + m) ** 2,
        "s": 0.0,
    }
    c = np.sqrt(s * b / m)
    dc = {name: 0.5 * c * (db[name] / b + (name == "s") - (name == "m")) for name in names}
    np.testing.assert_allclose(found.x[0, system.states.index("B")], [db[name] for name in names], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.x[0, system.states.index("C")], [dc[name] for name in names], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.values[0, 0, 1], found.x[0, system.states.index("B")], atol=1e-12)


def test_forward_sensitivities_continue_from_given_states(tmp_path: Path) -> None:
    text, outputs, parameters = MODELS["michaelis"]
    system = open_model(tmp_path, text)
    raw, nodes = system.raw(), system.outputs(outputs)
    seeds = relative_seeds(system, parameters, raw)
    first = record_rows(system, raw[None], np.array([1.0]), nodes, TIGHT)
    at_one = differentiate(first, seeds)
    second = record_rows(system, raw[None], np.array([1.5]), nodes, TIGHT, start_states=first.rows.x)
    whole = record_rows(system, raw[None], np.array([2.5]), nodes, TIGHT)
    joined = differentiate(second, seeds, at_one.x)
    np.testing.assert_allclose(joined.values, differentiate(whole, seeds).values, rtol=1e-6, atol=1e-8)


def test_rows_and_directions_are_independent(tmp_path: Path) -> None:
    text, outputs, parameters = MODELS["dose"]
    system = open_model(tmp_path, text)
    raw, nodes, times = system.raw(), system.outputs(outputs), np.array([0.5, 1.1, 4.0])
    rows = np.stack([raw * (1 + 0.05 * i) for i in range(11)])
    seeds = np.concatenate([np.tile(relative_seeds(system, parameters, raw), (11, 1, 1))] * 2, axis=2)  # two blocks
    seeds[3] = 0.0
    together = differentiate(record_rows(system, rows, times, nodes), seeds)
    assert not together.values[3].any()
    for i in (0, 5, 10):
        alone = differentiate(record_rows(system, rows[i : i + 1], times, nodes), seeds[i : i + 1, :, :6])
        np.testing.assert_array_equal(together.values[i][..., :6], alone.values[0])
        np.testing.assert_array_equal(together.values[i][..., 6:], alone.values[0])


def test_a_failed_row_gives_nan_and_spares_its_neighbours(tmp_path: Path) -> None:
    system = open_model(tmp_path, "species S; S = 1; k = 0.1; r: -> S; k*S^2;")
    rows = np.stack([system.raw({"k": 0.1}), system.raw({"k": 2.0})])
    seeds = np.tile(relative_seeds(system, ["k"], rows[0]), (2, 1, 1))
    recording = record_rows(system, rows, np.array([1.0]), system.outputs(["S"]))
    assert recording.rows.status[0] == 0
    assert recording.rows.status[1] != 0
    found = differentiate(recording, seeds)
    assert found.values[0, 0, 0, 0] == pytest.approx(0.1 / 0.9**2, rel=1e-5)
    assert np.isnan(found.values[1]).all()


def pulled_and_pushed(
    system: System,
    rows: FloatArray,
    times: FloatArray,
    nodes: list[int],
    rng: np.random.Generator,
    until_steady: bool = False,
) -> tuple[FloatArray, FloatArray]:
    """The gradient of one random number by all raw values, backwards (with and without kept stages) and forwards."""
    from pathsim.solve.sensitivities.adjoint import pull_back

    recording = record_rows(system, rows, times, nodes, TIGHT, until_steady=until_steady)
    assert not recording.rows.status.any()
    bars = rng.standard_normal(recording.rows.values.shape)
    x_bars = rng.standard_normal(recording.rows.x.shape)
    n_raw = rows.shape[1]
    seeds = np.tile(np.eye(n_raw), (len(rows), 1, 1))
    forwards = differentiate(recording, seeds)
    pushed = np.einsum("rtod,rto->rd", forwards.values, bars) + np.einsum("rsd,rs->rd", forwards.x, x_bars)
    short = record_rows(system, rows, times, nodes, TIGHT, until_steady=until_steady, keep_stages=False)
    assert short.tape.steps.shape[1] < recording.tape.steps.shape[1]
    backwards = pull_back(short, bars, x_bars).raw
    np.testing.assert_array_equal(pull_back(recording, bars, x_bars).raw, backwards)
    some = list(range(0, n_raw, 2))
    np.testing.assert_allclose(
        pull_back(short, bars, x_bars, some).raw, backwards[:, some], rtol=1e-12, atol=1e-12 * np.abs(backwards).max()
    )
    return backwards, pushed


@pytest.mark.parametrize("name", MODELS)
def test_the_adjoint_is_the_transpose_of_forward_sensitivities(name: str, tmp_path: Path) -> None:
    text, outputs, _ = MODELS[name]
    system = open_model(tmp_path, text)
    raw, rng = system.raw(), np.random.default_rng(3)
    rows = raw * (1 + 0.1 * rng.random((11, 1)))  # more rows than lanes, of different lengths
    times = np.array([0.0, 0.5, 0.9, 1.17, 2.0, 2.0, 3.3, 5.0])
    backwards, forwards = pulled_and_pushed(system, rows, times, system.outputs(outputs), rng)
    np.testing.assert_allclose(backwards, forwards, rtol=1e-9, atol=1e-9 * np.abs(forwards).max())
    assert np.abs(forwards).max() > 0.01


def test_the_adjoint_of_a_steady_state(tmp_path: Path) -> None:
    system = open_model(
        tmp_path,
        "species A, B, C; A = 2; B = 1; C = 0; k = 0.4; m = 0.3; s = 0.2; r: A -> B; k*A; q: B -> A; m*B;"
        "x: -> C; s*B; y: C -> ; m*C^2;",
    )
    raw, rng = system.raw(), np.random.default_rng(1)
    nodes = system.outputs(["A", "C"])
    backwards, forwards = pulled_and_pushed(system, raw[None], np.array([0.0]), nodes, rng, until_steady=True)
    np.testing.assert_allclose(backwards, forwards, rtol=1e-8, atol=1e-10)


def test_loops_run_as_python_give_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pathsim.solve.llvm.loops import Words
    from pathsim.solve.sensitivities import adjoint, forward, recording, segments

    text, outputs, _ = MODELS["switch"]
    system = open_model(tmp_path, text)
    rows, times = system.raw() * np.array([[1.0], [1.2]]), np.array([0.0, 0.9, 2.0])
    bars = np.random.default_rng(2).standard_normal((2, 3, 1))

    def gradient() -> FloatArray:
        recorded = record_rows(system, rows, times, system.outputs(outputs), keep_stages=False)
        return adjoint.pull_back(recorded, bars).raw

    class Plain:
        def __init__(self, function: Callable[..., int | None]) -> None:
            self.function = function

        def __call__(self, *given: Any) -> int | None:
            return self.function(*(one.argument if isinstance(one, Words) else one for one in given))

        def prepared(self, *given: Any) -> Callable[[], int | None]:
            return lambda: self(*given)

    def sensitivities() -> FloatArray:
        recorded = record_rows(system, rows, times, system.outputs(outputs))
        return forward.differentiate(recorded, np.tile(np.eye(rows.shape[1]), (2, 1, 1))).values

    compiled = gradient(), sensitivities()
    for module in (adjoint, forward, recording, segments):
        monkeypatch.setattr(module, "compiled", Plain)
    np.testing.assert_array_equal(gradient(), compiled[0])
    np.testing.assert_array_equal(sensitivities(), compiled[1])


BOUND = (  # without its ligand nothing ever moves R, whatever the other states do
    "species R, B, X; R0 = 3; L = 0; k = 0.5; d = 0.4; f = 0.2; m = 0.7; R = R0; B = 0.2; X = 1;"
    "b: R -> B; k*L*R*X; u: B -> ; d*B; i: -> X; f*(1 + R); o: X -> ; m*X;"
)


@pytest.fixture(scope="module")
def bound(tmp_path_factory: pytest.TempPathFactory) -> System:
    return open_model(tmp_path_factory.mktemp("bound"), BOUND)


@pytest.mark.parametrize(("moved", "follows"), [(("R0", "f", "m", "d"), False), (("L", "f"), True)])
def test_a_state_that_nothing_moves_stays_where_it_starts(bound: System, moved: list[str], follows: bool) -> None:
    """Its equation says nothing, so its start is one, unless the zero that holds it may move."""
    raw, nodes = bound.raw()[None], tuple(bound.outputs(["R", "X"]))
    seeds = np.zeros((1, raw.shape[1], len(moved)))
    for j, name in enumerate(moved):
        seeds[0, bound.slot(name), j] = 1.0
    found = ForwardAtRest.of(forward_of(bound, RODAS5P), raw, nodes, seeds, None, False)
    rows = settle_rows(bound, raw, nodes, visit=found)
    assert found.known.all() != follows
    x = 0.2 * 4 / 0.7
    np.testing.assert_allclose(rows.values[0, 0], [3.0, x], rtol=1e-12)
    if not follows:
        np.testing.assert_allclose(found.values[0], [[1, 0, 0, 0], [0.2 / 0.7, 4 / 0.7, -x / 0.7, 0]], atol=1e-12)


def test_the_adjoint_where_a_state_stays_where_it_starts(bound: System) -> None:
    raw, nodes = bound.raw()[None], bound.outputs(["R", "X"])
    parts = record_parts(bound, raw, np.zeros((1, 1)), nodes, TIGHT, until_steady=True)
    columns = [bound.slot(name) for name in ("R0", "f", "m")]
    pulled = parts.pull_back(np.array([[[1.0, 2.0]]]), np.zeros((1, 3)), columns).raw[0]
    x = 0.2 * 4 / 0.7
    np.testing.assert_allclose(pulled, [1 + 2 * 0.2 / 0.7, 2 * 4 / 0.7, -2 * x / 0.7], rtol=1e-10)
