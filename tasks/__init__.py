"""Programs that train, evaluate, run and export the models: `python -m tasks.NAME --flags`."""
