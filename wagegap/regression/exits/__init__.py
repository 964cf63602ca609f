"""Who leaves, and how, in discrete time."""
