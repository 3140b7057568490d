"""Faults that are injected for real, each row of the matrix in docs/reliability.md a test."""
