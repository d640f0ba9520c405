"""Searches: Optuna suggests, Tune runs the trials."""
