"""What is run: conditions as chains of periods, turned into solver calls once."""
