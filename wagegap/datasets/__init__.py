"""Published figures and tables that this package produced, shipped with their sources."""
