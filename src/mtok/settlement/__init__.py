"""Marks and final settlement values: how a print comes to settle something, as tables of states and exact arithmetic.

`marks` and `review` are how a mark comes to be, `waterfall` what stands for a day without a value, `values` from the
marks of a window to the value that is paid. `specification.toml` has every number. No framework, no clock, no network,
no database.
"""
