"""The page of `gan serve`: what it may ask for, what it is answered, and who may ask."""
