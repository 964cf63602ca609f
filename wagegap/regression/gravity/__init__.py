"""Bilateral flows."""
