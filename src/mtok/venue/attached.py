"""What people attach to what they say: the venue keeps the digest of a file and never the file."""

from __future__ import annotations

import hashlib

from django import forms


class Attached(forms.Form):
    """A written reason and a file that shows it."""

    reason = forms.CharField(
        label="Reason",
        widget=forms.Textarea({"rows": 3}),
        help_text="One paragraph, for whoever reads this in three years. Name no person.",
    )
    evidence = forms.FileField(
        label="Evidence",
        help_text="A file that shows it: the venue keeps its sha256 alone, so keep the file.",
    )

    def clean_reason(self) -> str:
        """Return it in one line."""
        return " ".join(self.cleaned_data["reason"].split())

    def digest(self) -> str:
        """Return the sha256 of the file."""
        found = hashlib.sha256()
        for chunk in self.cleaned_data["evidence"].chunks():
            found.update(chunk)
        return found.hexdigest()
