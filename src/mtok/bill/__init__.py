"""My bill: what a user's own tokens cost at posted prices, why that moved, and how well a series would hedge it.

`export` reads a usage export row by row, `names` finds each model among the constituents, `market` reads the posted
prices and values of the same days from what is published, `assessment` puts them together, `hedging` measures. A
function of the export and the publication: nothing is kept, sent or asked for. docs/bill.md has every definition.
"""

from mtok.bill.assessment import Bill, Covered, Day, Step, Uncovered, bill_of
from mtok.bill.export import RefusedRow
from mtok.bill.hedging import Fit, Joint

__all__ = ["Bill", "Covered", "Day", "Fit", "Joint", "RefusedRow", "Step", "Uncovered", "bill_of"]
