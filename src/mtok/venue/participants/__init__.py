"""What participants do and see: one layer of actions and views, with pages and an API on it that cannot differ."""
