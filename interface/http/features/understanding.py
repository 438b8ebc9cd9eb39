"""What is understood of a brief, for whoever is about to confirm it.

Invariant: it is the very reading that confirming the same body records; nothing is stored or paid.
"""

from litestar import post
from litestar.params import JSONBody

from domain import commands as c
from domain.errors import EmptyBrief
from domain.reading import Reading
from interface.http.account.rates import Counted
from interface.http.account.signed_in import caller_of
from interface.http.requests.body import JsonRequest
from interface.http.services import of
from interface.limits import Rate


@post(
    "/brief/reading",
    status_code=200,
    summary="What is understood of a brief",
    guards=[Counted(Rate.DECIDE)],
)
async def read_brief(request: JsonRequest, data: JSONBody[c.ConfirmBrief]) -> Reading:
    """Its points, each with its id, and the words that are taken as background.

    A sentence of the background becomes a point when it stands in `wanted`, here and in the body
    that confirms the brief.
    """
    tenant_id = caller_of(request).tenant_id
    reading = await of(request.app.state).readings.of(tenant_id, data.brief, data.wanted)
    if not reading.points:
        raise EmptyBrief
    return reading


HANDLERS = (read_brief,)
