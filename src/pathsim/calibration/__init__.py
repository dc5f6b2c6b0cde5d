"""The bundled model's own fit."""
