"""What handlers are given: the services, and whose data the request is about.

Invariant: the tenant is that of whoever the guard let pass, and comes from nowhere else.
"""

from typing import Any
from uuid import UUID

from litestar.connection import Request
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from interface.http.account.signed_in import caller_of
from interface.http.services import Services, of

OfServices = NamedDependency[SkipValidation[Services]]
"""The services of the application that answers."""

OfTenant = NamedDependency[SkipValidation[UUID]]
"""The tenant of whoever asks."""


async def services(request: Request[Any, Any, Any]) -> Services:
    """Find them in the application."""
    return of(request.app.state)


async def tenant_id(request: Request[Any, Any, Any]) -> UUID:
    """Read it from the checked token."""
    return caller_of(request).tenant_id
