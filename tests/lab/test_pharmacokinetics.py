"""Compartment models against their textbook solutions, a numerical integrator, and published figures."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from pathsim.errors import InputError, UnknownNameError
from pathsim.lab import default_library
from pathsim.lab.pharmacokinetics import (
    Kinetics,
    Reported,
    default_pharmacy,
    expose,
    expose_doses,
    read_pharmacy,
)
from pathsim.lab.schedule import DAY, Regimen

ONE = Kinetics("x", "mouse", 500.0, 0.02, 0.6, 0.012, 1.7)
TWO = replace(ONE, exchange=0.02, peripheral=3.0)


def bateman(kinetics: Kinetics, dose: float, time: np.ndarray) -> np.ndarray:
    ka, ke = kinetics.absorption_per_min, kinetics.clearance / kinetics.volume
    nM = kinetics.bioavailability * dose / kinetics.volume / kinetics.molar_mass * 1e6
    return nM * ka / (ka - ke) * (np.exp(-ke * time) - np.exp(-ka * time))


def test_one_compartment_is_the_bateman_function() -> None:
    times = np.linspace(0, 3000, 301)
    course = expose_doses(ONE, np.zeros(1), np.array([15.0]))
    assert course.concentration(times) == pytest.approx(bateman(ONE, 15.0, times), rel=1e-10, abs=1e-9)
    ka, ke = ONE.absorption_per_min, ONE.clearance / ONE.volume
    peak = math.log(ka / ke) / (ka - ke)
    assert course.peak()[0] == pytest.approx(peak, rel=1e-6)
    assert course.peak()[1] == pytest.approx(bateman(ONE, 15.0, np.array([peak]))[0], rel=1e-9)


@pytest.mark.parametrize("kinetics", [ONE, TWO, replace(TWO, absorption_per_min=math.inf)], ids=["1", "2", "iv"])
def test_area_is_dose_over_clearance(kinetics: Kinetics) -> None:
    oral = math.isfinite(kinetics.absorption_per_min)
    course = expose_doses(kinetics, np.zeros(1), np.array([10.0]))
    expected = 10.0 * (0.6 if oral else 1.0) / kinetics.clearance / 500.0 * 1e6
    assert course.area(0, math.inf) == pytest.approx(expected, rel=1e-6)


def test_absorption_as_fast_as_elimination_has_its_limit() -> None:
    equal = replace(ONE, absorption_per_min=ONE.clearance / ONE.volume)
    rate, times = ONE.clearance / ONE.volume, np.linspace(1, 1000, 50)
    nM = 0.6 * 5 / ONE.volume / 500.0 * 1e6
    course = expose_doses(equal, np.zeros(1), np.array([5.0]))
    assert course.concentration(times) == pytest.approx(nM * rate * times * np.exp(-rate * times), rel=1e-6)


def test_repeated_doses_agree_with_a_numerical_integrator() -> None:
    times, doses = np.array([0.0, 500.0, 720.0]), np.array([10.0, 5.0, 20.0])
    amounts, start, found = np.zeros(3), 0.0, []
    k = TWO

    def rates(_: float, y: np.ndarray) -> list[float]:
        gut, central, peripheral = y
        back = k.exchange * peripheral / k.peripheral
        to = k.exchange * central / k.volume
        return [
            -k.absorption_per_min * gut,
            k.absorption_per_min * gut - (k.clearance / k.volume) * central - to + back,
            to - back,
        ]

    for time, dose in zip([*times, 2000.0], [*doses, 0.0], strict=True):
        if time > start:
            run = solve_ivp(rates, (start, time), amounts, method="LSODA", rtol=1e-11, atol=1e-13)
            amounts, start = run.y[:, -1], time
            found.append(amounts[1] / k.volume / k.molar_mass * 1e6)
        amounts = amounts + np.array([dose * k.bioavailability, 0, 0])
    course = expose_doses(k, times, doses)
    assert course.concentration([499.9999999, 719.9999999, 2000.0]) == pytest.approx(found, rel=1e-6)


def test_schedule_repeats_itself_at_steady_state() -> None:
    course = Regimen.parse("paxalisib 15 mg/kg twice daily").courses[0]
    exposure = expose(ONE, course, 60 * DAY)
    ka, ke, tau = 0.02, ONE.clearance / ONE.volume, DAY / 2
    nM = 0.6 * 15 / ONE.volume / 500.0 * 1e6 * ka / (ka - ke)
    trough = nM * (math.exp(-ke * tau) / (1 - math.exp(-ke * tau)) - math.exp(-ka * tau) / (1 - math.exp(-ka * tau)))
    assert exposure.concentration(exposure.starts[-1] - 1e-9) == pytest.approx(trough, rel=1e-6)
    last = exposure.area(exposure.starts[-2], exposure.starts[-1])
    assert last == pytest.approx(0.6 * 15 / ONE.clearance / 500 * 1e6, rel=1e-6)


def test_rest_days_have_no_doses() -> None:
    course = Regimen.parse("capivasertib 100 mg/kg twice daily 4 on / 3 off from day 2 for 14 d").courses[0]
    days = course.times(60 * DAY) / DAY
    assert len(days) == 16
    assert days[0] == 2
    assert set(np.floor(days - 2) % 7) == {0, 1, 2, 3}


@pytest.mark.parametrize(
    "text",
    [
        "vehicle",
        "paxalisib 15 mg/kg daily",
        "paxalisib 45 mg daily",
        "a 1.5 mg/kg twice daily + b 2 mg/kg every other day",
        "a 1 mg/kg weekly",
        "a 1 mg/kg every 8 h",
        "a 1 mg/kg once",
        "capivasertib 100 mg/kg twice daily 4 on / 3 off from day 3 for 21 d",
    ],
)
def test_regimens_read_back_as_printed(text: str) -> None:
    assert str(Regimen.parse(text)) == text
    assert Regimen.parse(str(Regimen.parse(text))) == Regimen.parse(text)


def test_words_of_the_clinic_are_understood() -> None:
    assert Regimen.parse("control") == Regimen.parse("DMSO") == Regimen.parse("vehicle")
    both = Regimen.parse("a 1 mg/kg daily + b 2 mg/kg weekly")
    assert Regimen.parse("a 1 mg/kg daily and b 2 mg/kg weekly") == both
    assert Regimen.parse("a 1 mg/kg daily, b 2 mg/kg weekly") == both


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the arm is empty"),
        ("paxalisib", "is not a schedule"),
        ("paxalisib 15 mg/kg", "the rhythm is missing"),
        ("paxalisib 15 mg/kg dayly", "did you mean daily"),
        ("paxalisib -15 mg/kg daily", "a dose of -15 is impossible"),
        ("paxalisib 0 mg/kg daily", "a dose of 0 is impossible"),
        ("paxalisib nan mg/kg daily", "a dose of nan is impossible"),
        ("paxalisib 1500 mg/kg daily", "nobody is given more than 1000 mg/kg at once"),
        ("paxalisib 15 mg/kg every 1 min", "an infusion"),
        ("paxalisib 15 mg/kg daily 0 on / 3 off", "no day of dosing"),
        ("paxalisib 15 mg/kg weekly 4 on / 3 off", "further apart"),
        ("paxalisib 15 mg/kg daily from day -3", "before day 0"),
        ("paxalisib 15 mg/kg daily + paxalisib 15 mg/kg daily", "scheduled twice"),
        ("paxalisib 15 mg/kg daily + vehicle", "stands alone"),
    ],
)
def test_impossible_schedules_are_refused(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Regimen.parse(text)


REPORTED = default_pharmacy().reported


@pytest.mark.parametrize("figure", REPORTED, ids=lambda f: f"{f.drug}-{f.species}-{f.what}")
def test_library_agrees_with_published_figures(figure: Reported) -> None:
    kinetics = default_pharmacy().find(figure.drug, figure.species)
    if figure.what == "half_life_h":
        course = expose_doses(kinetics, np.zeros(1), np.ones(1))
        late = 30 / course.rates.min()
        fall = course.concentration(late) / course.concentration(late + 60 * figure.value)
        assert math.log2(fall) == pytest.approx(1.0, rel=0.12)
        return
    exposure = expose(kinetics, Regimen.parse(figure.schedule).courses[0], 90 * DAY)
    ng_ml = exposure.peak()[1] * kinetics.molar_mass / 1e3
    assert ng_ml == pytest.approx(figure.value, rel=0.25)  # reported between-subject CV is 18 to 52 %


def test_human_paxalisib_lies_in_the_clinical_band() -> None:
    kinetics = default_pharmacy().find("GDC-0084", "human")
    exposure = expose(kinetics, Regimen.parse("paxalisib 45 mg daily").courses[0], 30 * DAY)
    assert 200 < exposure.peak()[1] < 800
    assert 17 * 60 < math.log(2) / kinetics.exponentials()[0].min() < 21 * 60
    assert 0.3 <= kinetics.tissue["brain"] <= 1.0


def test_drugs_without_kinetics_are_named() -> None:
    with pytest.raises(InputError, match=r"no pharmacokinetics of GSK2334470 in mouse are known; known: .*alpelisib"):
        default_pharmacy().find("GSK2334470", "mouse")
    with pytest.raises(UnknownNameError, match="did you mean alpelisib"):
        default_pharmacy().find("alpelisb", "mouse")
    with pytest.raises(UnknownNameError, match="unknown species 'dog'"):
        default_pharmacy().find("alpelisib", "dog")


def test_a_bad_file_is_refused_with_every_reason(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "pk.toml"
    path.write_text(
        '[alpelisb.mouse]\n[alpelisib.dog]\n[alpelisib.mouse]\nhalf_life = { value = -1, unit = "h", source = "x" }\n'
        'unbound = 0.1\nvolum = { value = 1, source = "x" }\n'
    )
    with pytest.raises(InputError) as caught:
        read_pharmacy(path, default_library())
    for words in ("did you mean alpelisib", "unknown species 'dog'", "half_life is -1", "unbound needs", "volum"):
        assert words in str(caught.value)


def test_oral_intraperitoneal_and_intravenous_routes(tmp_path: Path) -> None:
    """The same drug by three routes: all of it arrives, from the peritoneum sooner than from the gut, IV at once."""
    entry = """
    clearance = { value = 1, unit = "ml/min/kg", source = "test" }
    volume = { value = 1, unit = "L/kg", source = "test" }
    unbound = { value = 1, unit = "1", source = "test" }
    """
    absorbed = {
        "oral": 'absorption_half_life = { value = 1, unit = "h", source = "test" }',
        "ip": 'absorption_half_life = { value = 0.2, unit = "h", source = "test" }',
        "iv": "",
    }
    peaks = []
    for route, line in absorbed.items():
        path = tmp_path / f"{route}.toml"
        path.write_text(f'[alpelisib.mouse]\nroute = "{route}"\n{entry}\n{line}\n')
        kinetics = read_pharmacy(path, default_library()).kinetics["alpelisib", "mouse"]
        course = expose_doses(kinetics, np.zeros(1), np.array([10.0]))
        times = np.linspace(0, 40000, 400001)
        area = np.trapezoid(course.concentration(times), times)
        assert area == pytest.approx(10.0 / kinetics.clearance / kinetics.molar_mass * 1e6, rel=1e-4)
        peaks.append(course.peak()[0])
    assert peaks[0] > peaks[1] > peaks[2] == 0
    path.write_text(f'[alpelisib.mouse]\nroute = "orall"\n{entry}\n')
    with pytest.raises(InputError, match="unknown route 'orall': did you mean oral"):
        read_pharmacy(path, default_library())
