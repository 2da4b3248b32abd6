"""The venue's REST API: what participants do on pages, for programs with a key."""
