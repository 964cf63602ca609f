"""Figures of executed pages: SVG, without the date that would make each build another."""

c.InlineBackend.figure_formats = {"svg"}  # noqa: F821
c.InlineBackend.rc = {"svg.hashsalt": "wagegap", "figure.figsize": (7.0, 4.6)}  # noqa: F821
c.InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "metadata": {"Date": None}}  # noqa: F821
