"""What the venue does with the market: commands as persons give them, marks, the clock, margin, the private log.

Pages and the API call this and nothing below; this calls the core and `mtok.venue.database`.
"""
