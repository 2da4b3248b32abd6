"""What is published of the determinations: their vintages, the transparency log that says what was said when, and
the files a stranger needs to compute every value again.
"""
