"""Rates of leaving, switching and staying."""
