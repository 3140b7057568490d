"""How fast a command would train here, where the time goes, and what the fast paths gain."""
