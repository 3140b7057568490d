"""A run that is trained again, and held against the first: rows, tensors, pictures; the verdict."""
