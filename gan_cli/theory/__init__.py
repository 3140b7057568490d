"""What is known exactly: divergences, transport, the best D and the value of a game at it.

Pure functions of densities, no networks. Everywhere P is the data and Q the model, p and q their
densities, and densities come as logarithms, `-inf` where there is none.
"""
