"""Programs: `python -m tasks.NAME --flags`; their parts are in the folders below."""
