"""Everything that decides a step's answer, by hash, announced before any request leaves.

Invariant: a pure function of the step, its material and the roster; the same manifest again means
that the recorded answer may be offered again.
"""

from hashlib import sha256

from application.agents.inputs import inputs_of
from application.agents.material import Material
from application.agents.prompting import prompt_sha256, to_json
from application.agents.roster import Roster
from domain.pipeline import AGENT_OF
from domain.runs import Manifest
from domain.status import Step


def manifest(step: Step, material: Material, roster: Roster) -> Manifest:
    """What the step's answer depends on, by hash; pure, and the same for every attempt."""
    entry = roster[AGENT_OF[step]]
    prompt = prompt_sha256(entry, material.feature.content.mode)
    hashes = {
        name: sha256(json.encode()).hexdigest() for name, json in inputs_of(step, material).items()
    }
    parameters: dict[str, int | str] = {"max_tokens": entry.max_tokens, "turns": entry.turns}
    if entry.effort:
        parameters["effort"] = entry.effort
    whole = to_json([step, entry.model, prompt, roster.prices_name, hashes, parameters])
    return Manifest(
        model=entry.model,
        prompt_sha256=prompt,
        prices=roster.prices_name,
        inputs=hashes,
        parameters=parameters,
        sha256=sha256(whole.encode()).hexdigest(),
    )
