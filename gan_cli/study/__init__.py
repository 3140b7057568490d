"""Runs as their directories tell of them: read while they are written, thousands in seconds.

Nothing here needs torch, and nothing of a run is executed.
"""
