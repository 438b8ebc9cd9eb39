"""Everything that decides a step's answer, by hash, announced before any request leaves.

Invariant: a pure function of the step, its material and the agents' configuration; the same
fingerprint again means that the recorded answer may be offered again.
"""

from hashlib import sha256

from application.agents.agent_config import AgentConfigs
from application.agents.inputs import inputs_of
from application.agents.prompting import prompt_sha256, to_json
from application.agents.step_inputs import StepInputs
from domain.pipeline import AGENT_OF
from domain.runs import UNPRICED, InputFingerprint
from domain.status import Step


def fingerprint_of(
    step: Step, material: StepInputs, agent_configs: AgentConfigs
) -> InputFingerprint:
    """What the step's answer depends on, by hash; pure, and the same for every attempt."""
    entry = agent_configs[AGENT_OF[step]]
    prompt = prompt_sha256(entry, material.feature.content.mode)
    hashes = {
        name: sha256(json.encode()).hexdigest() for name, json in inputs_of(step, material).items()
    }
    parameters: dict[str, int | str] = {"max_tokens": entry.max_tokens, "turns": entry.turns}
    if entry.effort:
        parameters["effort"] = entry.effort
    if entry.thinking:
        parameters["thinking"] = entry.thinking
    table = agent_configs.prices
    prices = UNPRICED if table.of(entry.model) is None else table.version
    whole = to_json([step, entry.model, prompt, prices, hashes, parameters])
    return InputFingerprint(
        model=entry.model,
        prompt_sha256=prompt,
        prices=prices,
        inputs=hashes,
        parameters=parameters,
        sha256=sha256(whole.encode()).hexdigest(),
    )
