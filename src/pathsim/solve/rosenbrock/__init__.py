"""Rosenbrock methods: tableaus, the step, its factorisation and its adjoint."""
