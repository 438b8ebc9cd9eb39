"""One bad item stops no process: the real ones, on events of a later version and rotten files."""

import psycopg
import pytest

from tests.faults.invariants import assert_invariants
from tests.faults.service import EVERYTHING, Service, until
from tests.faults.spoiling import rot, write_later

PROCESSES = EVERYTHING
PATIENCE_SECONDS = 120.0  # It waits for whole features to be built.


@pytest.mark.campaign
async def test_events_of_a_later_version_hurt_their_own_feature_alone(service: Service) -> None:
    user = await service.user()
    feature = await write_later(service, user)
    answer = await user.http.get(f"/api/features/{feature}")
    assert (answer.status_code, answer.json()["code"]) == (503, "newer_version")
    await user.drive(await user.create(), {"spec_ready"})

    def parked() -> bool:
        [(count,)] = service.rows("SELECT count(*) FROM app.parked WHERE feature_id = %s", feature)
        return bool(count)

    await until(parked, "its rows stand still, and it is noted")
    listed = await user.read("/api/features")
    assert len(listed["items"]) == 2
    # Those that start anew find it there, and go on, too.
    lived = [part for name in EVERYTHING for part in service.running(name)]
    assert [part.name for part in lived if part.code is not None] == []
    for part in lived:
        assert await part.stop() == 0, part.said()
    await service.start(*EVERYTHING)
    await user.drive(await user.create(), {"spec_ready"})
    assert all(service.running(name) for name in EVERYTHING)
    code, said = await service.command("parked", "--json")
    assert code == 0, said
    assert feature in said
    # Who wants to be rid of it need not wait for the newer version.
    assert (await user.http.delete(f"/api/features/{feature}")).status_code == 202
    await until(lambda: not parked(), "nobody waits for it any more")
    await assert_invariants(service)


@pytest.mark.campaign
async def test_rotten_files_of_a_deleted_feature_stop_no_sweeper(service: Service) -> None:
    user = await service.user()
    user.patience = PATIENCE_SECONDS
    parent = await rot(service, user)
    others = [await user.draft() for _ in range(3)]
    for other in others:
        user.features.remove(other)
        await user.command("DELETE", f"/api/features/{other}")

    def removed() -> bool:
        rows = service.rows(
            "SELECT feature_id FROM app.removals"
            " WHERE done_at IS NULL AND feature_id = ANY (%s::uuid[])",
            [*map(str, others), parent],
        )
        return [str(row[0]) for row in rows] == [parent]

    def tried() -> int:
        [(tries, error)] = service.rows(
            "SELECT tries, error FROM app.removals WHERE feature_id = %s", parent
        )
        assert "damaged" in error or not tries
        return int(tries)

    await until(tried, "the rotten ones are met")
    await until(removed, "every other feature's files are removed")
    [sweeper] = service.running("sweeper")
    assert sweeper.said().count("removal_postponed") == 1
    sweeper.kill()
    before = tried()
    await service.start("sweeper")
    await until(lambda: tried() > before, "one that starts anew tries again, at once")
    assert service.running("sweeper")
    with psycopg.connect(service.stack.dsn) as connection:  # Later tests have a sweeper, too.
        connection.execute(
            "UPDATE app.removals SET done_at = now() WHERE feature_id = %s", (parent,)
        )
