"""Bookkeeping of runs: parameters, versions, manifests, summaries, the list of runs and their comparison."""
