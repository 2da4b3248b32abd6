"""Watches a store: what is odd or late, how the last days went, and who is told.

`codes` says what each alarm means and what to do, `alarms` finds them in observations and records, `publishing` in
what is published; `status` puts 30 days side by side, `delivery` tells the sinks what is new. All of it is derived;
only what has been delivered is remembered.
"""

from mtok.watch.alarms import Alarm, alarms_of
from mtok.watch.codes import CODES, LATE, NOTE, WARNING, Code, code_of
from mtok.watch.delivery import Delivery, deliver
from mtok.watch.publishing import Publishing
from mtok.watch.sinks import Sinks
from mtok.watch.status import DayStatus, Print, Status, status_of

__all__ = [
    "CODES",
    "LATE",
    "NOTE",
    "WARNING",
    "Alarm",
    "Code",
    "DayStatus",
    "Delivery",
    "Print",
    "Publishing",
    "Sinks",
    "Status",
    "alarms_of",
    "code_of",
    "deliver",
    "status_of",
]
