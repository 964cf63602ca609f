"""Estimators of the link."""
