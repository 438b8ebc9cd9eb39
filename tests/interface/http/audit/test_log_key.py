"""The public key of the log: public, and the same that the log's notes are checked with."""

from tests.interface.world import Person, Published


async def test_anybody_can_ask_for_the_key_that_signs_the_log(ann: Person) -> None:
    answer = await ann.ask("GET", "/.well-known/log-key", headers={"authorization": ""})
    assert answer.status_code == 200
    assert answer.json() == {"verifier_key": await Published().published()}


async def test_before_the_first_checkpoint_there_is_no_key(ann: Person) -> None:
    class Nothing:
        async def published(self) -> str | None:
            return None

    object.__setattr__(ann.world.services, "log_key", Nothing())
    assert (await ann.ask("GET", "/.well-known/log-key")).json() == {"verifier_key": None}


async def test_the_wait_for_a_checkpoint_is_told_to_operators(ann: Person) -> None:
    report = ann.world.doctor.report_now
    ann.world.doctor.report_now = type(report)(
        postgres=True,
        nats=True,
        artifacts=True,
        relay_lag_events=0,
        projection_lag_events=0,
        checkpoint_lag_seconds=42.5,
    )
    answer = await ann.ask("GET", "/health/ready")
    assert answer.json()["checkpoint_lag_seconds"] == 42.5
