"""The REST API under /v1: the published data as it is asked for, by django-ninja."""
