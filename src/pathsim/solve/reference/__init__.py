"""The readable reference implementation, and scipy behind the same interface."""
