"""Recording, forward sensitivities and adjoints of recorded steps."""
