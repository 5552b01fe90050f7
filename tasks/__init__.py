"""Programs: `python -m tasks.NAME --flags`."""
