"""Secrets that stand in generated code: keys by their shape, and words where only a setting may be.

Invariant: the finding names the kind of secret and its line, never the secret. In documents, tests
and examples a made-up value is usual: there only shapes count that nothing else has.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from application.agents.checks.lexing import RegionKind, regions
from application.agents.inspection import StaticFinding


class Shape(NamedTuple):
    """What a kind of secret looks like."""

    name: str
    pattern: re.Pattern[str]
    documents: bool
    """Whether it also counts in tests, documents and examples."""


RULES: Final = Path(__file__).with_name("rules") / "secrets.toml"
SHAPES: Final = tuple(
    Shape(rule["name"], re.compile(rule["pattern"]), rule["documents"])
    for rule in tomllib.loads(RULES.read_text(encoding="utf-8"))["shape"]
)

_LOCAL: Final = (
    r"(?:localhost|127\.0\.0\.1|\[::1\]|0\.0\.0\.0|host\.docker\.internal"
    r"|(?:db|database|postgres|postgresql|pg|mysql|mongo|mongodb|redis|cache|rabbitmq|mailpit|minio)"
    r"\b(?![.]\w))"
)
_MADE_UP: Final = (
    r"(?:pass(?:word|wd)?|postgres|secret|change|your|example|user|admin|root|test|dev|xxx|\*\*)"
)
_DATABASE: Final = re.compile(
    r"\b(?:postgres(?:ql)?|mysql|mariadb|mongodb(?:\+srv)?|rediss?|amqps?|mssql|sqlserver)"
    r"://[^\s:/@'\"$<{`]{0,100}:"
    rf"(?!{_MADE_UP}\w{{0,100}}@)"
    r"[^\s@'\"$<{`]{6,200}@"
    rf"(?!{_LOCAL}|[\w.-]{{0,200}}example)",
    re.IGNORECASE,
)
_IN_CODE: Final = re.compile(
    r"\b(?:postgres(?:ql)?|mysql|mariadb|mongodb(?:\+srv)?|rediss?|amqps?|mssql|sqlserver|https?|smtps?"
    r"|ftp)://[^\s:/@'\"$<{`?#]{1,100}:[^\s/@'\"$<{`?#]{3,200}@"
    rf"(?!{_LOCAL})",
    re.IGNORECASE,
)
_ASSIGNED: Final = re.compile(
    r"(?P<name>\b[A-Za-z_$][\w$]{0,60})[\"']?\s?(?::\s?string\s?)?[:=]\s?(?P<quote>[\"'`])"
    r"(?P<value>[^\"'`\s$]{6,200})(?P=quote)"
)
_PASSWORD: Final = re.compile(
    r"(?:(?:admin|db|database|root|user|default|smtp|mail|email|redis|pg|postgres|mysql|master|initial"
    r"|seed|demo|my|app|api|service|basic|auth|login|account)?_?pass(?:word|wd|phrase)?|pwd)",
    re.IGNORECASE,
)
_SECRET: Final = re.compile(
    r"(?:\w{0,40}(?:secret|api_?key|access_?key|private_?key|encryption_?key|signing_?key|auth_?key"
    r"|access_?token|auth_?token|api_?token|bearer|client_?secret|webhook_?secret|master_?key|pepper)"
    r"(?:_?key|_?value)?|secret|salt|(?:session|cookie|jwt|hmac|crypto|cipher|token)_?(?:key|secret))",
    re.IGNORECASE,
)
_HANDED: Final = re.compile(
    r"\b(?:jwt\.(?:sign|verify)|jsonwebtoken\.(?:sign|verify)|sign|verify|createHmac|createCipheriv"
    r"|createDecipheriv|jwtVerify)\(\s?"
    r"(?:[^()\"'`\n]{1,80},\s?|[\"'][\w-]{3,20}[\"'],\s?)(?P<quote>[\"'`])(?P<value>[^\"'`$\n]{6,200})"
    r"(?P=quote)"
)
_SESSION: Final = re.compile(
    r"\b(?:secret|secretOrKey|secretKey|secretOrPrivateKey|signingKey|jwtSecret|sessionSecret"
    r"|passphrase)[\"']?\s?:\s?\[?\s?"
    r"(?:process\.env(?:\.\w{1,60}|\[[^\]\n]{1,60}\])\s?(?:\|\||\?\?)\s?)?"
    r"(?P<quote>[\"'`])(?P<value>[^\"'`$\n]{6,200})(?P=quote)"
)
_FALLBACK: Final = re.compile(
    r"\benv(?:\.|\[[\"'])(?P<name>\w{1,60})(?:[\"']\])?"
    r"\s?(?:\|\||\?\?)\s?(?P<quote>[\"'`])(?P<value>[^\"'`$\n]{3,200})(?P=quote)"
)
_OF_A_SECRET: Final = re.compile(r"SECRET|PASSWORD|PASSWD|_KEY|TOKEN|PEPPER|SALT")
_HEADER: Final = re.compile(
    r"[\"'`](?:Basic [A-Za-z0-9+/]{10,200}={0,2}|Bearer [\w.~+/-]{16,400}={0,2})[\"'`]"
)
_DOCUMENT: Final = re.compile(
    r"\.(?:md|mdx|txt|rst|example|sample|template|dist|snap|adoc)$|(?:^|/)(?:tests?|specs?|__tests__"
    r"|fixtures?|examples?|docs?|e2e|mocks?|__mocks__|seeds?)/|\.(?:test|spec|stories|mock|e2e)\.[a-z]+$",
    re.IGNORECASE,
)
_CODE: Final = re.compile(
    r"\.(?:[mc]?[jt]sx?|svelte|vue|py|env|json|ya?ml|toml|ini|html?|sh|sql)$|(?:^|/)\.env"
)
_DATA: Final = re.compile(r"\.(?:json|ya?ml|toml|ini|html?)$")
_LABEL: Final = re.compile(r"^(?:[A-ZÀ-Ý]?[a-zà-ÿ]+[.:!?…]?|[a-z]+(?:[A-Z][a-z]+)+)$")
_PATHLIKE: Final = re.compile(
    r"^(?:[./#@<{\[(%*]|https?:|[a-z]+(?:[._:-][a-z]+)+$|[A-Z]+(?:_[A-Z0-9]+)*$)"
)
_STANDS_FOR: Final = re.compile(
    r"example|sample|placeholder|redacted|your[-_ ]|<|\.\.\.|…|\{\{|%s|xxxx|\*\*\*"
    r"|^(?:string|text|hidden|current-password|new-password|one-time-code|bearer|sha\d{3}|hs\d{3}|rs\d{3}|bcrypt|argon2\w*)$",
    re.IGNORECASE,
)
_MIXED: Final = re.compile(r"\d|[!@#%^&*+=?]")
MOST_FINDINGS: Final = 20
"""Per file."""
_WHAT_TO_DO: Final = "read it from the environment, and name the setting in `.env.example`"


def secret_findings(path: str, content: str) -> Iterator[StaticFinding]:
    """One finding for each secret and line."""
    document = bool(_DOCUMENT.search(path))
    seen: set[int] = set()
    for at, what in sorted(_found(path, content, document=document)):
        line = content.count("\n", 0, at) + 1 if len(seen) < MOST_FINDINGS else 0
        if line and line not in seen:
            seen.add(line)
            message = f"It looks like {what} stands in the file: {_WHAT_TO_DO}."
            yield StaticFinding(path, line, "secret", message)


def _found(path: str, content: str, *, document: bool) -> Iterator[tuple[int, str]]:
    for shape in SHAPES:
        if shape.documents or not document:
            for found in shape.pattern.finditer(content):
                if not _STANDS_FOR.search(found.group()):
                    yield found.start(), shape.name
    for found in _DATABASE.finditer(content):
        yield found.start(), "a database password"
    if document or not _CODE.search(path):
        return
    yield from _written(path, content)


def _written(path: str, content: str) -> Iterator[tuple[int, str]]:
    """Words in code where only a setting may be; what comments show is no secret."""
    for found in _IN_CODE.finditer(content):
        yield found.start(), "a password in an address"
    lower = content.lower()
    if not any(word in lower for word in _HINTS):
        return
    plain = _without_comments(path, content)
    for found in _HANDED.finditer(plain):
        if not _STANDS_FOR.search(found["value"]) and found["value"][:1] not in "./#@<{":
            yield found.start(), "a signing secret"
    for found in _FALLBACK.finditer(plain):
        if _OF_A_SECRET.search(found["name"]):
            yield found.start(), "a secret as a default"
    for found in _HEADER.finditer(plain):
        if not _STANDS_FOR.search(found.group()):
            yield found.start(), "a password or token in a header"
    data = bool(_DATA.search(path))
    for found in () if data else _SESSION.finditer(plain):
        if _is_secret(found["value"], words=True):
            yield found.start(), "a secret of sessions or signatures"
    for found in _ASSIGNED.finditer(plain):
        name, value = found["name"], found["value"]
        mixed = bool(_MIXED.search(value))
        if _PASSWORD.fullmatch(name) and (mixed or not data) and _is_secret(value):
            yield found.start(), "a password"
        elif _SECRET.fullmatch(name) and _is_secret(value) and (mixed or len(value) > _LONG):
            yield found.start(), "a secret"


def _without_comments(path: str, content: str) -> str:
    """The text with comments blanked, each character where it was."""
    return "".join(
        " " * len(region.text) if region.part is RegionKind.COMMENT else region.text
        for region in regions(path, content)
    )


_HINTS: Final = ("pass", "pwd", "secret", "key", "token", "bearer", "basic", "pepper", "salt",
                 "jwt", "hmac", "cipher", "sign", "verify")  # fmt: skip
_LONG: Final = 15
"""Characters of letters only that are no word."""


def _is_secret(value: str, *, words: bool = False) -> bool:
    """Whether a text is neither a label, a name, a path nor a stand-in."""
    if _STANDS_FOR.search(value) or (_PATHLIKE.match(value) and not (words and " " not in value)):
        return False
    if words and " " in value and (value[:1].isupper() or value[:2] in {"a ", "an", "th"}):
        return False  # A sentence or a label.
    return not (_LABEL.match(value) and ("pass" in value.lower() or value[:1].isupper()))
