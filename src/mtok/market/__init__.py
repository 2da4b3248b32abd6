"""The OTC request market: requests, matching, terms, contracts, margin and settlement, as tables and arithmetic.

`book` is all of it in memory and the one place where commands are given; `requests`, `proposals` and `contracts` are
the objects and their tables; `matching` finds compatible interest; `terms` is what two parties approve; `reveal` says
who learns what; `margin`, `netting` and `statement` are what is owed; `preview` is what it would cost. `ledger` is what
has moved, `trial_balance` what must hold of it, `beancount` the same for another program; `confirmation` and `fpml` are
documents of a contract. No framework, no clock, no network, no database.
"""
