"""A first study of a table that nobody has described: what its columns seem to be, and why."""
