"""Decompositions of gaps; each is one file."""
