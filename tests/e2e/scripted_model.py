"""A model that does as a test says, for a service of its own: the demo model with scripted faults.

The service is told its address as the provider's and every person brings a key, as with the real
one; so nothing in the product is there for these tests only.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from infrastructure.demo_model import DemoModel, ServedRequest

START_SECONDS = 10


class ScriptedModel:
    """The demo model in a thread, because the browser's tests have an event loop of their own."""

    def __init__(self, model: DemoModel, loop: asyncio.AbstractEventLoop) -> None:
        self._model = model
        self._loop = loop
        self.url = model.url

    def will(self, agent: str, *faults: str) -> None:
        """Let this agent's next requests meet these faults, one each."""
        self._in_loop(lambda: self._model.script(agent, faults))

    def release(self) -> None:
        """Let every held answer go on."""
        self._in_loop(self._model.release)

    def asked(self, agent: str) -> list[ServedRequest]:
        """Every request of an agent so far."""
        return [entry for entry in self._model.requests if entry.agent == agent]

    def forget(self) -> None:
        """Forget what is scripted and not met yet."""
        self._in_loop(self._model.forget)

    def _in_loop(self, work: Callable[[], object]) -> None:
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (work(), done.set()))
        assert done.wait(START_SECONDS)


@contextmanager
def scripted_model(pace: float = 0.0) -> Iterator[ScriptedModel]:
    """It listens until the end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="scripted model")
    thread.start()
    model = DemoModel(pace=pace)
    try:
        asyncio.run_coroutine_threadsafe(model.start(), loop).result(START_SECONDS)
        yield ScriptedModel(model, loop)
    finally:
        asyncio.run_coroutine_threadsafe(model.stop(), loop).result(START_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
