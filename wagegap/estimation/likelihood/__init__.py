"""Likelihood models and resampling that several doors share."""
