"""The tables of the market, step by step."""
