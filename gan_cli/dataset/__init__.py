"""Data sets: where real samples come from.

An entry of conf/dataset is a frozen dataclass; making one reads nothing. Its `load()` gives a
Source, and a Source opened for a batch size, a seed and a device is a Feed: batch i on demand.
"""
