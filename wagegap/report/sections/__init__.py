"""Carrying out the sections of a study: each kind turns what the file says into a part of the report."""
