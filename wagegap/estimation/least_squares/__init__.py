"""Least squares: rank-revealing, by cells, stacked, from moments, with absorbed effects."""
