"""Questions asked of a link."""
