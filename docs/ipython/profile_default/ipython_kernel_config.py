"""Figures of executed pages: SVG, the same at each build."""

c.InteractiveShellApp.matplotlib = "inline"  # noqa: F821
c.InlineBackend.figure_formats = {"svg"}  # noqa: F821
c.InlineBackend.rc = {"svg.hashsalt": "wagegap"}  # noqa: F821
c.InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "metadata": {"Date": None}}  # noqa: F821
