"""The server: routes, keys, and the delivery of an answer with the fault its script names.

Invariant: a scripted fault is consumed by exactly one request to `/v1/messages`.
"""

import asyncio
import hashlib
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Self

import msgspec

from application.running.computing import Computing, CouldNotCompute, Here
from infrastructure.demo_model import wire
from infrastructure.demo_model.answering import WrongRequest, agent_of, answered, counted
from infrastructure.demo_model.delivery import AnswerDelivery
from infrastructure.demo_model.faults import Script, UnknownFault
from infrastructure.demo_model.http import Incoming, Outgoing, TooLarge, receive
from infrastructure.demo_model.ledger import RequestLedger, ServedRequest

REJECTED = "sk-ant-rejected"
PACE_SECONDS = 0.004
TOO_LONG = "The demo model could not read this text in the time it has. Say it in another way."


class FaultOrder(msgspec.Struct, frozen=True):
    """The body of `POST /_faults`."""

    faults: tuple[str, ...]
    agent: str = "*"


class DemoModel:
    """The demo model as a server on a loopback port of its own."""

    def __init__(
        self,
        *,
        pace: float = PACE_SECONDS,
        ledger: Path | None = None,
        control: bool = False,
        computing: Computing | None = None,
    ) -> None:
        """Set it up; nothing listens yet.

        Args:
            pace: Seconds between two pieces of a streamed answer, so that people see it written.
            ledger: Where to append every request as a JSON line; no keys, no contents.
            control: Whether other processes may script faults by `POST /_faults`.
            computing: Where answers are written, so that no text holds up this process; without
                it here and now, for tests.
        """
        self._ledger = RequestLedger(ledger)
        self._script = Script()
        self._delivery = AnswerDelivery(pace)
        self._control = control
        self._computing: Computing = computing or Here()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.url = ""

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen, on a free port if `port` is 0; the base URL for the SDK.

        Raises:
            OSError: the port is in use.
            ValueError: with `control`, the host is no loopback address.
        """
        if self._control and not ip_address(host).is_loopback:
            raise ValueError("Faults may be scripted over the loopback only.")
        self._server = await asyncio.start_server(self._serve, host, port)
        self.url = f"http://{host}:{self._server.sockets[0].getsockname()[1]}"
        return self.url

    async def stop(self) -> None:
        """Close the port and end every connection."""
        if self._server is None:
            return
        self._server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def requests(self) -> list[ServedRequest]:
        """Every request to `/v1/messages` so far, oldest first."""
        return self._ledger.entries

    @property
    def held(self) -> int:
        """How many requests wait for `release`."""
        return self._delivery.held

    def script(self, agent: str, faults: Iterable[str]) -> None:
        """Let an agent's (`*`: anyone's) next requests meet these faults, one each.

        Raises:
            UnknownFault: there is no such fault.
        """
        self._script.add(agent, faults)

    def forget(self) -> None:
        """Forget what is scripted and not met yet."""
        self._script.clear()

    def release(self) -> None:
        """Let every held request go on."""
        self._delivery.release()

    async def until_held(self, count: int = 1) -> None:
        """Wait until so many requests are held."""
        await self._delivery.until_held(count)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a stream's callback always runs in a task.
        self._connections.add(task)
        out = Outgoing(writer)
        peer = ip_address(writer.get_extra_info("peername")[0])
        try:
            while incoming := await receive(reader):
                await self._route(incoming, reader, out, from_loopback=peer.is_loopback)
        except TooLarge:
            await out.answer(413, wire.error("invalid_request_error", "The request is too large."))
        except (ValueError, ConnectionError, asyncio.CancelledError):
            out.reset()
        finally:
            self._connections.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _route(
        self,
        incoming: Incoming,
        reader: asyncio.StreamReader,
        out: Outgoing,
        *,
        from_loopback: bool,
    ) -> None:
        digest = hashlib.sha256(incoming.body).hexdigest()
        out.request_id = f"req_demo_{digest[:24]}"
        if incoming.path.startswith("/_") and self._control and from_loopback:
            await self._take_control(incoming, out)
        elif not incoming.key or incoming.key.startswith(REJECTED):
            await out.answer(401, wire.error("authentication_error", "invalid x-api-key"))
        elif (incoming.method, incoming.path) == ("POST", "/v1/messages"):
            await self._messages(incoming, digest, reader, out)
        elif (incoming.method, incoming.path) == ("POST", "/v1/messages/count_tokens"):
            await self._count(incoming, out)
        elif incoming.method == "GET" and incoming.path.startswith("/v1/models"):
            await self._models(incoming.path.removeprefix("/v1/models").strip("/"), out)
        else:
            await out.answer(404, wire.error("not_found_error", "Not found"))

    async def _messages(
        self, incoming: Incoming, digest: str, reader: asyncio.StreamReader, out: Outgoing
    ) -> None:
        key = incoming.headers.get("idempotency-key", "")
        agent = agent_of(incoming.body)
        entry = self._ledger.arrived(incoming.path, agent, key, digest)
        fault = self._script.next(agent)
        entry.fault = "" if fault.name == "ok" else str(fault.name)
        outcome = "disconnected"
        try:
            answer = await self._computing.run(key, answered, incoming.body, fault.name)
            if isinstance(answer, WrongRequest):
                outcome = "400"
                await out.answer(400, wire.error("invalid_request_error", answer.reason))
                return
            entry.input_tokens = answer.input_tokens
            entry.output_tokens = wire.output_tokens(answer.reply)
            outcome = await self._delivery.deliver(
                answer, fault, digest=digest, key=incoming.key, reader=reader, out=out
            )
        except CouldNotCompute:
            outcome = "400"
            await out.answer(400, wire.error("invalid_request_error", TOO_LONG))
        except asyncio.CancelledError:
            outcome = "stopped"
            raise
        finally:
            self._ledger.settled(entry, outcome)

    async def _count(self, incoming: Incoming, out: Outgoing) -> None:
        found = await self._computing.run("", counted, incoming.body)
        if isinstance(found, WrongRequest):
            await out.answer(400, wire.error("invalid_request_error", found.reason))
        else:
            await out.answer(200, {"input_tokens": found.input_tokens})

    async def _models(self, name: str, out: Outgoing) -> None:
        listed = [wire.model_info(*model) for model in wire.MODELS]
        if not name:
            ends = {"first_id": listed[0]["id"], "last_id": listed[-1]["id"], "has_more": False}
            await out.answer(200, {"data": listed, **ends})
        elif found := [model for model in listed if model["id"] == name]:
            await out.answer(200, found[0])
        else:
            await out.answer(404, wire.error("not_found_error", f"model: {name}"))

    async def _take_control(self, incoming: Incoming, out: Outgoing) -> None:
        match incoming.method, incoming.path:
            case "POST", "/_faults":
                try:
                    order = msgspec.json.decode(incoming.body, type=FaultOrder)
                    self.script(order.agent, order.faults)
                except (msgspec.MsgspecError, UnknownFault) as wrong:
                    await out.answer(400, wire.error("invalid_request_error", str(wrong)))
                    return
            case "DELETE", "/_faults":
                self._script.clear()
            case "POST", "/_release":
                self.release()
            case "GET", "/_requests":
                pass
            case _:
                await out.answer(404, wire.error("not_found_error", "Not found"))
                return
        entries = msgspec.to_builtins(self.requests)
        await out.answer(200, {"held": self.held, "requests": entries})
