"""All tests share one cache of parsed models and machine code, apart from the user's own; and which tests are slow."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

SLOW = (
    "app/test_copied.py",
    "app/test_page.py",
    "assays/test_combination.py::test_independent_drugs_multiply",
    "assays/test_combination.py::test_own_readout",
    "assays/test_western_blot.py::test_results_do_not_depend_on_the_process",
    "calibration/",
    "cli/test_cli.py::test_help_is_quick",
    "cli/test_bench.py::test_a_fit",
    "cli/test_bench.py::test_constants",
    "cli/test_cli.py::test_predictions_come_with",
    "cli/test_cli.py::test_synergy_has_a_band_too",
    "cli/test_cli.py::test_time_courses_have_intervals",
    "cli/test_courses.py",
    "cli/test_escalate.py",
    "cli/test_investigate.py",
    "cli/test_patients.py",
    "cli/test_petab.py",
    "cli/test_streams.py",
    "cli/test_workers.py::test_a_study",
    "cli/test_xenograft.py",
    "exchange/test_treated_lines.py::test_copasi",
    "estimation/test_blots.py",
    "estimation/test_descend.py",
    "estimation/test_evolve.py",
    "estimation/test_fit_cli.py",
    "estimation/test_likelihood.py::test_the_derivative",
    "estimation/test_perturbed.py",
    "estimation/test_petab_gradient.py",
    "estimation/test_profile.py",
    "estimation/test_questions.py::test_an_answer",
    "estimation/test_questions.py::test_starts",
    "estimation/test_tables.py::test_gradients_of_mixed_tables",
    "estimation/test_tables.py::test_known_parameters",
    "fuzz/",
    "invivo/",
    "model/test_isolated.py",
    "model/test_moieties.py::test_the_bundled_model_conserves",
    "model/test_sbml_export.py",
    "model/test_stored.py::test_formulas_of_any_depth",
    "models/",
    "petab/test_collection.py",
    "petab/test_export.py",
    "petab/test_linter.py",
    "petab/test_suite.py",
    "petab/test_upgrade.py",
    "plot/test_any_table.py",
    "plot/test_blot_figure.py::test_the_pathway_map",
    "plot/test_blot_figure.py::test_the_pathway_diagram",
    "plot/test_legible.py",
    "resistance/",
    "scorecard/",
    "sensitivity/",
    "solve/integrate/test_jumps_and_events.py::test_a_quick_oscillation",
    "solve/integrate/test_jumps_and_events.py::test_a_safeguard_against_negative",
    "solve/integrate/test_jumps_and_events.py::test_any_number_of_executions",
    "solve/integrate/test_jumps_and_events.py::test_endless_switching_is_said",
    "solve/integrate/test_jumps_and_events.py::test_equality_of_a_state_holds_once",
    "solve/integrate/test_jumps_and_events.py::test_the_cost",
    "solve/integrate/test_laws.py::test_code_for_many_rows",
    "solve/integrate/test_stiff_problems.py",
    "solve/integrate/test_timed_events.py::test_a_thousand_events_at_one_moment",
    "solve/integrate/test_timed_events.py::test_time_grows",
    "solve/integrate/test_workspace.py::test_threads_change",
    "solve/llvm/",
    "solve/reference/test_reference.py",
    "solve/rosenbrock/test_tableaus.py::test_errors_fall",
    "solve/rosenbrock/test_tableaus.py::test_stiff",
    "solve/rosenbrock/test_tableaus.py::test_the_engine_and_the_reference_agree_across",
    "solve/sensitivities/test_random_events.py",
    "solve/sensitivities/test_sensitivities.py::test_the_adjoint_is_the_transpose",
    "solve/test_fuzz.py",
    "solve/test_published_models.py",
    "solve/test_semantic_suite.py",
    "stats/test_doses.py::test_modules_are_public",
    "stats/test_hill.py::test_band_covers",
    "stats/test_hill.py::test_exact_curves",
    "stats/test_hill.py::test_fit_is_no_worse",
    "stats/test_hill.py::test_intervals_cover",
    "stats/test_hill.py::test_noise_is_called_flat",
    "stats/test_hill.py::test_unit_of_dose",
    "stats/test_survival.py::test_log_rank_holds",
    "stats/test_synergy_excess.py::test_a_drug_with_itself",
    "stats/test_synergy_excess.py::test_additive_surface",
    "stats/test_synergy_excess.py::test_intervals_cover",
    "stats/test_synergy_excess.py::test_intervals_of_the_mean",
    "stats/test_synergy_excess.py::test_product_surface",
    "stats/test_synergy_excess.py::test_scaling",
    "stats/test_synergy_index.py::test_a_drug_with_itself",
    "stats/test_synergy_index.py::test_limits_cover",
    "stats/test_synergy_index.py::test_scaling",
    "stats/test_synergy_musyc.py::test_a_flat_surface",
    "stats/test_synergy_musyc.py::test_limits_cover",
    "stats/test_synergy_ranking.py::test_efficacy_synergy",
    "stats/test_measured.py",
    "sweep/test_cluster.py",
    "sweep/test_crowd.py",
    "sweep/test_run.py::test_interrupted",
    "sweep/test_run.py::test_killed",
    "sweep/test_run.py::test_memory",
    "test_docs.py",
    "test_docstrings.py",
    "test_examples.py",
    "test_files.py::test_what_is_no_such_text",
    "test_full_disk.py",
    "test_house.py::test_only_experiments",
    "test_notebooks.py::test_they_run",
    "test_house.py::test_static_checks_pass",
    "test_house.py::test_there_are_no_import_circles",
    "test_imports.py",
    "test_workers.py",
    "workflow/",
)
"""Tests that take more than about two seconds of one core, or run programs and data from outside: folders, files,
beginnings of names. They are marked ``slow``; everything else together takes about a minute and a half."""


LONGEST = (
    "test_house.py::test_static_checks_pass",
    "solve/test_semantic_suite.py",
    "cli/test_investigate.py",
    "sweep/test_cluster.py",
    "sweep/test_crowd.py",
    "sweep/test_run.py::test_memory",
    "stats/test_hill.py::test_noise_is_called_flat",
    "stats/test_hill.py::test_intervals_cover",
    "stats/test_synergy_excess.py::test_intervals_of_the_mean",
    "cli/test_xenograft.py",
)
"""What takes ten seconds and more begins first, so that two processes end together."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for entry in (*SLOW, *LONGEST):
        place, _, name = entry.partition("::")
        path = Path(__file__).parent / place
        if not path.exists() or (name and f"def {name}" not in path.read_text(encoding="utf-8")):
            raise pytest.UsageError(f"tests/conftest.py: '{entry}' is no test")
    for item in items:
        if item.nodeid.removeprefix("tests/").startswith(SLOW):
            item.add_marker("slow")
    items.sort(key=lambda item: not item.nodeid.removeprefix("tests/").startswith(LONGEST))


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Processes started by tests inherit it; processes that share the tests share it too."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATHSIM_CACHE", str(folder))
        yield
