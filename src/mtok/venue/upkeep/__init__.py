"""Keeping a venue: made once, its keys, copies of it and back, and whether it is what its history says."""
