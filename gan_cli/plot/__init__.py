"""Pictures of samples, as arrays `(height, width, 3)` of uint8."""
