"""The integration loop: start, samples, discontinuities, events, steady states, batches."""
