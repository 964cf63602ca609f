"""Gaps of distributions."""
