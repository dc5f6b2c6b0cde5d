"""What is run: experiments, each a chain of periods, turned into solver calls once, whatever is wanted of them.

In: conditions of the lab, experiments of PEtab, wells of a sweep. Out: values, forward sensitivities, gradients by the
adjoint, for one list of numbers or many at once; a failure is a sentence beside its row. Nothing outside this room and
``solve/`` calls the solver on rows.

- what a condition does to the parameters, what is true of cells at rest, which fitted number wins: ``conditions.py``
- a new kind of change when a period begins, or what periods hand on: ``starts.py`` (values and both derivatives)
- how simulations are shared and grouped: ``plan.py``; wells as plain numbers: ``wells.py``
- how a plan is run, what a failed row does to the others: ``run.py``; formulas of free parameters: ``values.py``
- clocks and the memory of events across periods: ``dynamics.py``; the nouns: ``experiment.py``
- tables of readouts, also under many parameter sets: ``readings.py``; files of sets and intervals: ``ensemble.py``
- one period after another decided by the caller: ``advance.py``; time courses of any model: ``timecourse.py``
"""
