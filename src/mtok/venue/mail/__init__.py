"""Mail: what is told to whom, written in the transaction that it tells of, delivered to one recipient at a time."""
