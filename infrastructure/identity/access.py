"""Whether a signed token is an access token: the one question that signatures do not answer.

An issuer signs ID tokens, logout tokens and refresh tokens with the same keys. An ID token tells an
application who signed in; whoever has one was not given any access (OIDC Core 1.0, section 2).
Why it is told this way: docs/decisions/0031.
"""

from collections.abc import Mapping
from typing import Any, Final

ACCESS_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
"""Header types that say so themselves (RFC 9068, section 2.1)."""

PLAIN_TYPES: Final = frozenset({"jwt", "application/jwt", None})
"""Header types that say nothing."""

GRANTS: Final = frozenset(
    {
        "scope",  # RFC 9068; Keycloak, Auth0, authentik
        "scp",  # Entra, Okta
        "client_id",  # RFC 9068
        "cid",  # Okta
        "uid",  # authentik, Okta
        "appid",  # Entra 1.0
        "azpacr",  # Entra 2.0
        "appidacr",  # Entra 1.0
        "gty",  # Auth0, for machines
        "permissions",  # Auth0
        "role",  # Supabase
        "realm_access",  # Keycloak
        "resource_access",  # Keycloak
    }
)
"""Claims that say what was granted, and to which client: no ID token has one."""

HASHES: Final = frozenset({"at_hash", "c_hash", "s_hash"})
"""Claims of an ID token about what was given beside it (OIDC Core 1.0, section 3.3.2.11)."""

ABOUT_A_SIGN_IN: Final = frozenset(
    {
        "nonce",
        "auth_time",
        "acr",
        "amr",
        "sid",
        "name",
        "given_name",
        "family_name",
        "middle_name",
        "nickname",
        "preferred_username",
        "profile",
        "picture",
        "website",
        "email",
        "email_verified",
        "gender",
        "birthdate",
        "zoneinfo",
        "locale",
        "phone_number",
        "phone_number_verified",
        "address",
        "updated_at",
    }
)
"""Claims that tell of a sign-in or a person (OIDC Core 1.0, sections 2 and 5.1). Access tokens may
have them, too; alone, without a grant, they make an ID token."""

_SAYS: Final = {"typ": "bearer", "token_use": "access"}
"""Claims by which an issuer says what it signed: Keycloak's `typ`, Cognito's `token_use`."""


def is_access_token(header_type: str | None, claims: Mapping[str, Any]) -> bool:
    """Whether a token says, or at least does not deny, that it grants access.

    Args:
        header_type: `typ` of its header, in lower case; None if there is none.
        claims: Its claims, whose signature is good.
    """
    if "events" in claims:  # A logout token or another security event (RFC 8417).
        return False
    for name, word in _SAYS.items():
        said = claims.get(name)
        if said is not None:
            return isinstance(said, str) and said.lower() == word
    if header_type in ACCESS_TYPES:
        return True
    if header_type not in PLAIN_TYPES or HASHES & claims.keys():
        return False
    return bool(GRANTS & claims.keys()) or not ABOUT_A_SIGN_IN & claims.keys()
