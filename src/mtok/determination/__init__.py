"""One version × one day → a determination record: value, diagnostics, constituents, the move explained, evidence."""
