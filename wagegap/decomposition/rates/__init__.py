"""Gaps of rates."""
