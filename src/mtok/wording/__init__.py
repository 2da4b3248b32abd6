"""What a record says, in words and figures that people read: the same on the terminal and on the pages.

`figures` writes numbers, dates and shares; `words` translates codes; `sentences` tells a move. Pure text: how wide a
terminal is and what HTML looks like is the business of `cli` and `venue`.
"""
