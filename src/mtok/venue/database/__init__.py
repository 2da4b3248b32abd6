"""The market in a database: its records as they are, their history, the ledger, what is to be mailed.

`transactions` gives a command to the few objects it concerns and keeps what is new, in one transaction.
"""
