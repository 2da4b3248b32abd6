"""What stands beside every board: what the figures are, what they are not, whose data they rest on."""

from __future__ import annotations

from typing import Final

_WHAT: Final = (
    "What this is: what a million output tokens cost at posted prices, if bought in the proportions in which {tokens} "
    "that day. It moves with prices and with what people use. What it is not: a bill, a discount, the "
    "whole market or advice. Days carry the working week: budgets belong on averages."
)
WHAT_IT_IS: Final = _WHAT.format(tokens="tokens were used")
WHAT_IT_IS_BY_OUTPUT: Final = _WHAT.format(tokens="output tokens were made")
"""The same of a series that is weighted by completion tokens."""
TOP_50: Final = "OpenRouter names the 50 most used models of a day."
EFFECTS_EXPLAINED: Final = (
    "price: posted prices changed. mix: use moved between cheaper and dearer models. entry, exit: models came in or "
    "left. All in USD per 1M tokens."
)
LICENCE: Final = "Licensed under CC BY 4.0. Index computed from it by mtok."
