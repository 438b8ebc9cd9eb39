r"""Finding secrets in text before it is written anywhere.

Invariant: what is found is replaced as a whole, and when in doubt more is taken than less.

It sees: keys of the model's provider, bearer tokens and JWTs, our own master keys and refresh
tokens, AWS key ids, private keys in PEM, passwords inside URLs, the values of fields and headers
whose name says what they hold, and every value that was given as a known secret (8 characters or
more); each also behind one layer of base64, base64url, hex or character references, and up to three
layers of percent or backslash escapes; as bytes, in nested structures, and in what objects show of
themselves.

It cannot see: a secret without a telling shape or name that nobody registered (a password inside a
sentence); one split over two fields, two records, or lines of one text; one that was compressed,
encrypted, reversed, spelled out or encoded twice in base64; a base64 text wrapped into lines. So
nothing here replaces not logging secrets in the first place.
"""

import binascii
import html
import math
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote

REDACTED: Final = "[redacted]"
SHORTEST_SECRET: Final = 8
LONGEST_TEXT: Final = 16_384
LONGEST_LOOKED_AT: Final = 1_000_000
DEEPEST: Final = 8
LONGEST_LIST: Final = 100
_SHORT: Final = 32  # characters of a text that may be remembered as clean
_REMEMBERED: Final = 1024

_SHAPES: Final = re.compile(
    r"""
      sk-ant-[\w-]{4,}
    | \bbp[a-z]{2}_[\w-]{16,}
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b
    | \$argon2[a-z]{1,2}\$[^\s"']+
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----.*?(?:-----END\ [A-Z ]*PRIVATE\ KEY-----|\Z)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
# What follows the first part is optional here and asked for afterwards, so that a run of letters is
# read once, also where nothing follows it.
_SIGNED: Final = re.compile(r"\beyJ[\w-]{6,}(\.[\w-]{6,}(?:\.[\w-]*)?)?", re.IGNORECASE)
_BEARER: Final = re.compile(r"\b(bearer\s+)[\w.~+/=-]{8,}", re.IGNORECASE)
_URL_PASSWORD: Final = re.compile(
    r"([a-z][a-z0-9+.-]{1,20}://[^\s:/@]{0,100}):[^\s/]{1,256}@", re.IGNORECASE
)

_NAMES: Final = (
    r"[\w-]{0,40}(?:passw(?:or)?d|passphrase|pwd|secret|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|master[_-]?key|signing[_-]?key|(?:access|refresh|id|session|security|csrf|auth|reset)"
    r"[_-]?token|x-amz-(?:signature|credential)|credentials?)"
)
_WHOLE_LINE_NAMES: Final = r"(?:proxy-)?authorization|(?:set-)?cookies?2?"
_SECRET_NAME: Final = re.compile(
    rf"{_NAMES}|{_WHOLE_LINE_NAMES}|[\w-]{{0,40}}_cookie", re.IGNORECASE
)
_QUOTE: Final = r"""(?:\\{0,8}["'])"""
_BEFORE_VALUE: Final = rf"(?:{_QUOTE}?\s*(?:=|:|=>)\s*|{_QUOTE}\s*,\s*)b?"
_FIELD: Final = re.compile(
    rf"(?<![\w-])({_NAMES})({_BEFORE_VALUE})(?:({_QUOTE}).*?(?:\3|\Z)|[^\s,;&<>)}}\]\"']+)",
    re.IGNORECASE | re.DOTALL,
)
_LINE_FIELD: Final = re.compile(
    rf"(?<![\w-])({_WHOLE_LINE_NAMES})({_BEFORE_VALUE})(?:({_QUOTE}).*?(?:\3|\Z)|[^\r\n\"'\\]+)",
    re.IGNORECASE | re.DOTALL,
)

# Each run is looked for only where it begins, or a long one would take quadratic time.
_RUN_BEGINS: Final = r"(?<![^\s\"'])[^\s\"']*"
_PERCENT: Final = re.compile(rf"{_RUN_BEGINS}%[0-9a-f]{{2}}[^\s\"']*", re.IGNORECASE)
_BACKSLASH: Final = re.compile(
    rf"{_RUN_BEGINS}\\(?:x[0-9a-f]{{2}}|u[0-9a-f]{{4}})[^\s\"']*", re.IGNORECASE
)
_ONE_BACKSLASH: Final = re.compile(r"\\{1,4}(?:x([0-9a-f]{2})|u([0-9a-f]{4}))", re.IGNORECASE)
_REFERENCE: Final = re.compile(rf"{_RUN_BEGINS}&#?\w{{2,8}};[^\s\"']*")
_HEX: Final = re.compile(r"\b(?:[0-9a-f]{2}){8,}\b", re.IGNORECASE)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
_TO_STANDARD: Final = str.maketrans("-_", "+/")
_LAYERS: Final = 3

# Looking for a few words costs a tenth of what the patterns cost, and most lines hold none.
# Each pattern above matches only text that holds one of these, in any case.
_SHAPE_HINTS: Final = ("sk-ant", "bp", "eyj", "akia", "asia", "private", "$argon2", "bearer", "://")
_FIELD_HINTS: Final = (
    "pass",
    "pwd",
    "secret",
    "key",
    "token",
    "credential",
    "auth",
    "cookie",
    "signature",
)

# The name alone says little (a fencing token is a number); with a long text it is a credential.
_TOKEN_BYTES: Final = 16
_TOKEN_FIELD: Final = re.compile(
    rf"(?<![\w-])(token)({_BEFORE_VALUE}{_QUOTE}?)[\w.~+/=-]{{{_TOKEN_BYTES},}}", re.IGNORECASE
)


class Redactor:
    """Takes secrets out of text and of structures."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Take secrets known by value; those shorter than 8 characters are left out."""
        known = sorted({text for text in secrets if len(text) >= SHORTEST_SECRET}, key=len)
        self._known = re.compile("|".join(map(re.escape, reversed(known)))) if known else None
        self._clean: set[str] = set()

    def shapes(self, text: str) -> str:
        """Take out what tells by itself that it is secret; safe on text that is JSON already."""
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        if not _hints(_SHAPE_HINTS, text):
            return text
        text = _SHAPES.sub(REDACTED, text)
        text = _SIGNED.sub(lambda found: REDACTED if found[1] else found[0], text)
        text = _BEARER.sub(rf"\1{REDACTED}", text)
        return _URL_PASSWORD.sub(rf"\1:{REDACTED}@", text)

    def text(self, text: str) -> str:
        """Take out everything that can be recognised, and the middle of what is too long."""
        if text in self._clean:
            return text
        cleared = self._cleared(text)
        # Names, levels and routes come again and again; only what holds no secret is remembered.
        if cleared == text and len(text) <= _SHORT:
            if len(self._clean) >= _REMEMBERED:
                self._clean.clear()
            self._clean.add(text)
        return cleared

    def _cleared(self, text: str) -> str:
        if len(text) > LONGEST_TEXT:
            # Looked through before it is cut, so that no half of a known secret is left over.
            text = self.shapes(text[:LONGEST_LOOKED_AT])
            half, left_out = LONGEST_TEXT // 2, max(len(text) - LONGEST_TEXT, 0)
            text = f"{text[:half]}... ({left_out} characters left out) ...{text[-half:]}"
        text = self._plain(text)
        for mark, run, decode in (
            ("%", _PERCENT, unquote),
            ("\\", _BACKSLASH, _unescape),
            ("&", _REFERENCE, html.unescape),
        ):
            if mark in text:
                text = run.sub(self._layered(decode), text)
        text = _HEX.sub(self._encoded(_from_hex), text)
        return _BASE64.sub(self._encoded(_from_base64), text)

    def value(self, value: object, depth: int = 0) -> Any:  # noqa: ANN401 - any plain JSON.
        """Rebuild any value of plain JSON types, without what can be recognised as secret."""
        match value:
            case None | bool() | int():
                return value
            case float():
                return value if math.isfinite(value) else str(value)
            case str():
                return self.text(value)
            case bytes() | bytearray():
                return self.text(bytes(value).decode(errors="backslashreplace"))
            case Mapping() if depth < DEEPEST:
                return self._mapping(value, depth)
            case [str() | bytes() as name, item] if depth < DEEPEST and _is_secret(name, item):
                return [self.value(name, depth), REDACTED]
            case list() | tuple() | set() | frozenset() if depth < DEEPEST:
                return [self.value(item, depth + 1) for item in list(value)[:LONGEST_LIST]]
            case _:
                return self.text(_shown(value))

    def _mapping(self, mapping: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        return {
            str(self.value(name, depth)): (
                REDACTED if _is_secret(name, item) else self.value(item, depth + 1)
            )
            for name, item in list(mapping.items())[:LONGEST_LIST]
        }

    def _plain(self, text: str) -> str:
        text = self.shapes(text)
        if not _hints(_FIELD_HINTS, text):
            return text
        text = _LINE_FIELD.sub(rf"\1\2{REDACTED}", text)
        text = _TOKEN_FIELD.sub(rf"\1\2{REDACTED}", text)
        return _FIELD.sub(rf"\1\2{REDACTED}", text)

    def _holds_secret(self, text: str) -> bool:
        return self._plain(text) != text

    def _layered(self, decode: Callable[[str], str]) -> Callable[[re.Match[str]], str]:
        def replace(run: re.Match[str]) -> str:
            decoded = run[0]
            for _ in range(_LAYERS):
                decoded = decode(decoded)
                if self._holds_secret(decoded):
                    return REDACTED
            return run[0]

        return replace

    def _encoded(self, decodings: Callable[[str], Iterable[str]]) -> Callable[[re.Match[str]], str]:
        def replace(run: re.Match[str]) -> str:
            return REDACTED if any(map(self._holds_secret, decodings(run[0]))) else run[0]

        return replace


def _hints(hints: tuple[str, ...], text: str) -> bool:
    lower = text.lower()
    return any(hint in lower for hint in hints)


def _is_secret(name: object, item: object) -> bool:
    """Tell whether a field or header of this name holds a secret."""
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    if not isinstance(name, str):
        return False
    if name.strip().lower() == "token":
        return isinstance(item, str | bytes) and len(item) >= _TOKEN_BYTES
    return _hints(_FIELD_HINTS, name) and _SECRET_NAME.fullmatch(name.strip()) is not None


def _unescape(text: str) -> str:
    return _ONE_BACKSLASH.sub(lambda found: chr(int(found[1] or found[2], 16)), text)


def _from_hex(run: str) -> Iterable[str]:
    yield bytes.fromhex(run).decode("latin-1")


def _from_base64(run: str) -> Iterable[str]:
    """Decode from each of four offsets: a secret need not begin where the run does."""
    letters = run.rstrip("=").translate(_TO_STANDARD)
    for offset in range(4):
        whole = letters[offset:]
        if len(whole) % 4 == 1:
            whole = whole[:-1]
        try:
            yield b64decode(whole + "=" * (-len(whole) % 4)).decode("latin-1")
        except binascii.Error:
            continue


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - any object may be logged, also a broken one.
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"
