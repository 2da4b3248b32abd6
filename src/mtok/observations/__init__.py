"""Raw bytes to volumes, prices and catalogue rows: lossless, tolerant, one reason code for every rejected record.

R-5.1 (numbers) and R-5.2 (the schedule of a capture) are applied here, when a response is read; so are the
rejections of R-2. Everything that chooses between captures is left to the rules.
"""

from mtok.observations.catalogue import Catalogue
from mtok.observations.endpoints import EndpointRow, Endpoints, decode_endpoints
from mtok.observations.models import COMPLETION, decode_models
from mtok.observations.payload import PayloadFault, decode_payload
from mtok.observations.rankings import decode_rankings
from mtok.observations.tables import Observations

__all__ = [
    "COMPLETION",
    "Catalogue",
    "EndpointRow",
    "Endpoints",
    "Observations",
    "PayloadFault",
    "decode_endpoints",
    "decode_models",
    "decode_payload",
    "decode_rankings",
]
