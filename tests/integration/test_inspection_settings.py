"""Settings that code reads in whatever way are named where a person finds them."""

import pytest

from application.running.computing import Here
from infrastructure.inspection import Inspector, types

READS = {
    "taken apart": 'const { SMTP_URL, PORT: port = "3000" } = process.env;\n',
    "with a default": 'const { SMTP_URL = "x" } = process.env;\n',
    "another name": "const env = process.env;\nexport const url = env.SMTP_URL;\n",
    "a parameter": 'export function read(env = process.env) { return env["SMTP_URL"]; }\n',
    "typed": "function read(env: NodeJS.ProcessEnv = process.env) { return env.SMTP_URL; }\n",
    "a helper": "function need(name: string) { return process.env[name]; }\n"
    'export const url = need("SMTP_URL");\n',
    "an arrow": "const need = (name: string): string => process.env[name] ?? '';\n"
    'export const url = need("SMTP_URL");\n',
}
FINE = {
    "another object": "const env = { SMTP_URL: 1 };\nexport const url = env.SMTP_URL;\n",
    "a constant": 'const LARGEST = 3;\nexport const told = fetch("SMTP_URL", LARGEST);\n',
    "the platform's": "const { NODE_ENV } = process.env;\n",
}


@pytest.fixture(autouse=True)
def without_compiler(monkeypatch):
    monkeypatch.setattr(types, "checker", lambda: None)


async def told(code: str, example: str, path: str = "src/settings.ts") -> list[str]:
    files = {path: code, ".env.example": example}
    found = await Inspector(Here()).inspect(None, files, ())
    return [str(one) for one in found if one.rule == "stack" and one.error]


@pytest.mark.parametrize("way", READS)
async def test_a_setting_that_is_read_in_any_way_is_asked_for(way):
    (said,) = await told(READS[way], "PORT=\n")
    assert "Name the setting `SMTP_URL` in `.env.example`" in said
    assert await told(READS[way], "PORT=\n# SMTP_URL=\n") == []
    assert await told(READS[way], "PORT=\n", "tests/a.test.ts") == []


@pytest.mark.parametrize("way", FINE)
async def test_what_is_no_setting_is_not_asked_for(way):
    assert await told(FINE[way], "PORT=\n") == []
