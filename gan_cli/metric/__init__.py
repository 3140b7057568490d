"""Metrics: what samples are worth, in numbers."""
