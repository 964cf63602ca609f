"""Countries: their names and codes, and which column of a frame holds them."""
