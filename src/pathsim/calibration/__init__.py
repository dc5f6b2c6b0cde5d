"""The bundled model's own fit: tables and targets in, the one estimation problem out, values and their spread written.

:mod:`.tables` reads the measured tables and literature targets that ``models/calibration.toml`` names: another table is
an entry there and, if its format is new, a reader. :mod:`.problem` says which constants are free and what is known
about them beforehand, and makes the :class:`~pathsim.estimation.problem.Problem`.

Commands, all of which go on where a run was stopped: :mod:`.calibrate` fits and writes the values, by searches in
:mod:`.legs`; :mod:`.posterior` makes the ensemble by fits to perturbed data (kept by :mod:`.sets`); :mod:`.converge`
asks whether fits from :mod:`.starts` drawn from the priors agree; :mod:`.leave_out` predicts lines without their data.
:mod:`.write_back` changes the files of ``models/``. Beware: a constant newly marked ``estimate`` in the model becomes
free in the next calibration unless it stands under ``held_fixed``.
"""
