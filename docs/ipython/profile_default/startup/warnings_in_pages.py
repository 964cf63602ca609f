"""Warnings on pages: their class and what they say, without the file that a page is run from."""

import warnings


def say(message, category, filename, lineno, line=None):
    """Return a warning as a reader of the page needs it."""
    return f"{category.__name__}: {message}\n"


warnings.formatwarning = say
