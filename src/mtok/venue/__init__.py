"""The Django project: what people look at, download and build on. It renders `publication/` and decides nothing.

`front` answers what was answered before; `opened` holds the publication as it is; `pages` and `api` show it.
"""
