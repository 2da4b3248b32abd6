"""The addresses of the participants' pages."""

from __future__ import annotations

from django.urls import path, register_converter

from mtok.venue.participants.pages import about, complaints, contracts, marks, requests, terms


class ObjectId:
    """An id of the market as it can stand in an address."""

    regex = "[A-Za-z0-9_-]{1,22}"

    def to_python(self, value: str) -> str:
        """Return it as it is."""
        return value

    def to_url(self, value: str) -> str:
        """Return it as it is."""
        return value


class RequestCommand(ObjectId):
    """A command that its owner gives a request with a button."""

    regex = "confirm|pause|resume|cancel"


class Document(ObjectId):
    """A document of a contract that is a page."""

    regex = "confirmation|statement"


class DocumentFile(ObjectId):
    """A document of a contract."""

    regex = "confirmation|statement|fpml"


register_converter(ObjectId, "object")
register_converter(RequestCommand, "request_command")
register_converter(Document, "document")
register_converter(DocumentFile, "document_file")

urlpatterns = [
    path("requests", requests.requests, name="venue_requests"),
    path("requests/new", requests.new_request, name="venue_new_request"),
    path("requests/<object:identity>", requests.one_request, name="venue_request"),
    path("requests/<object:identity>/amend", requests.amend, name="venue_amend"),
    path("requests/<object:identity>/<request_command:name>", requests.command, name="venue_request_command"),
    path("terms", terms.all_terms, name="venue_terms"),
    path("terms/<object:identity>", terms.one_terms, name="venue_one_terms"),
    path("terms/<object:identity>/approve", terms.approve, name="venue_approve"),
    path("terms/<object:identity>/decline", terms.decline, name="venue_decline"),
    path("terms/<object:identity>/ask", terms.ask, name="venue_ask"),
    path("terms/<object:identity>.json", terms.canonical, name="venue_canonical"),
    path("contracts", contracts.contracts, name="venue_contracts"),
    path("contracts/<object:identity>", contracts.one_contract, name="venue_contract"),
    path("contracts/<object:identity>/contact", contracts.contact, name="venue_contact"),
    path("contracts/<object:identity>/marks", marks.contract_marks, name="venue_contract_marks"),
    path("contracts/<object:identity>/agree", contracts.agree, name="venue_agree"),
    path("contracts/<object:identity>/terminate", contracts.terminate, name="venue_terminate"),
    path("contracts/<object:identity>/dispute", contracts.dispute, name="venue_dispute"),
    path("contracts/<object:identity>/<document:name>", contracts.document, name="venue_document"),
    path("contracts/<object:identity>/<document_file:name>.json", contracts.document_file, name="venue_file"),
    path("specification", about.specification, name="venue_specification"),
    path("notifications", about.notifications, name="venue_notifications"),
    path("complaints", complaints.complaints, name="venue_complaints"),
    path("complaints/<object:identity>", complaints.complaint, name="venue_complaint"),
]
