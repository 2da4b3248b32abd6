"""Who uses the venue: persons and their logins, organisations, roles that two persons grant, keys of the API."""
