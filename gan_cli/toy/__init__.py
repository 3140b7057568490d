"""What a generator is worth on data whose law is known: divergences, modes, and what D says.

Everything is a function of the networks, the law and a seed: nothing is drawn from, or left in, the
global generators, so that looking at a run doesn't change it.
"""
