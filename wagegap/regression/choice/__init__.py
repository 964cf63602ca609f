"""Choice among places or fields."""
