"""The expression graph, the system of a model, derivatives, elimination and the numpy evaluator."""
