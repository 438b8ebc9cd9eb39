"""The controls that a security review answers, by id.

Invariant: a control that the reviewer passed over is named as not reviewed; silence is no yes. The
chapters are those of the OWASP Application Security Verification Standard 5.0, read at Level 2; the
ISM numbers are those of the Australian Information Security Manual's guidelines for software
development and gateways of web applications, in our own words.
"""

import re
from collections.abc import Mapping
from typing import Final

from domain.documents import Report

CONTROLS: Final[Mapping[str, str]] = {
    "V1": "Encoding and sanitization",
    "V2": "Validation and business logic",
    "V3": "Web frontend security",
    "V4": "API and web service",
    "V5": "File handling",
    "V6": "Authentication",
    "V7": "Session management",
    "V8": "Authorization",
    "V9": "Self-contained tokens",
    "V10": "OAuth and OpenID Connect",
    "V11": "Cryptography",
    "V12": "Secure communication",
    "V13": "Configuration",
    "V14": "Data protection",
    "V15": "Secure coding and architecture",
    "V16": "Security logging and error handling",
    "V17": "WebRTC",
    "ISM-1240": "All input of web applications is validated or sanitised",
    "ISM-1241": "All output of web applications is encoded",
    "ISM-1276": "Database queries are parameterised, never built from text",
    "ISM-1278": "Errors say as little as possible about the database",
    "ISM-1424": "Responses carry headers that restrict what a browser does with them",
    "ISM-1552": "Web content is offered over HTTPS only",
}


_ID: Final = re.compile(r"\b(?:V[0-9]{1,2}|ISM-[0-9]{4})\b", re.IGNORECASE)


def unanswered(report: Report) -> tuple[str, ...]:
    """A line for each control that the report says nothing of."""
    answered = {ident.upper() for control in report.controls for ident in _ID.findall(control.id)}
    return tuple(
        f"{ident} {name}: the reviewer gave no answer."
        for ident, name in CONTROLS.items()
        if ident not in answered
    )
