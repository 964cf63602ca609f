"""Gaps of means."""
