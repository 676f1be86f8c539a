"""Bookkeeping of runs: parameters, versions, manifests, what a run prints, and the runs that there are."""
