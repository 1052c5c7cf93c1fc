"""FHIR requests over HTTP, and the faults that meet them."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from fhir_adapters.refused import Refused
from fhir_adapters.sandbox import bundles, routes
from fhir_adapters.sandbox.faults import NO_FAULT, Fault, Faults
from fhir_adapters.sandbox.faulty import afterwards, instead, on_entries
from fhir_adapters.sandbox.interaction import Answer, Interaction
from fhir_adapters.sandbox.protocol import LARGEST_BODY, interaction, respond, told
from fhir_adapters.sandbox.repository import Repository

if TYPE_CHECKING:
    from fhir_adapters.sandbox.authorization import Authorization

RACE_S = 0.02  # long enough for the requests of several threads to arrive meanwhile


@dataclass(frozen=True, slots=True)
class _Copy:
    """A request that something on the way sends once more."""

    due: int
    request: Request
    body: bytes


class FhirHandler:
    """Answers requests with the faults that were planned for them."""

    def __init__(self, repository: Repository, faults: Faults, authorization: "Authorization | None") -> None:
        self.repository, self.faults, self.authorization = repository, faults, authorization
        self._requests = 0
        self._stale_until = 0
        self._copies: list[_Copy] = []

    async def answer(self, request: Request) -> Response:
        """Any request below the base."""
        body = await request.body()
        self._requests += 1
        if self._requests > self._stale_until:
            self.repository.search_horizon = None
        try:
            response = await self._with_fault(request, body, self._fault(request))
        except Refused as refused:
            response = told(refused)
        self._send_copies()
        return response

    def _fault(self, request: Request) -> Fault:
        header = request.headers.get("x-sandbox-fault")
        write = request.method in ("POST", "PUT", "DELETE") and not request.scope["path"].endswith("_search")
        return self.faults.of_header(header) if header else self.faults.take(write=write)

    async def _with_fault(self, request: Request, body: bytes, fault: Fault) -> Response:
        response = await instead(fault, body)
        if response is not None:
            return response
        if self.repository.abilities.races:
            seen = len(self.repository.store.log)
            await asyncio.sleep(RACE_S)
            self.repository.update_horizon = seen
        if fault.kind == "stale-search":
            self._stale_until = self._requests + fault.requests
            self.repository.search_horizon = len(self.repository.store.log)
        if fault.kind == "duplicate":
            self._answer(request, body, fault)
        if fault.kind == "duplicate-later":
            self._copies.append(_Copy(self._requests + fault.requests, request, body))
        return await afterwards(fault, self._answer(request, body, fault))

    def _answer(self, request: Request, body: bytes, fault: Fault) -> Response:
        """Nothing waits in here: a request is worked on as a whole, before any other."""
        try:
            scopes = self.authorization.scopes(request) if self.authorization else None
            limit = self.repository.abilities.max_bytes or LARGEST_BODY
            asked = interaction(request, request.path_params.get("path", ""), body, scopes, limit)
            answer = on_entries(fault, asked, self._work)
        except Refused as refused:
            return told(refused)
        return respond(self.repository.base_url, asked, answer)

    def _work(self, asked: Interaction) -> Answer:
        try:
            if asked.method == "POST" and not asked.path:
                return bundles.run(self.repository, asked)
            return routes.perform(self.repository, asked)
        except RecursionError:
            raise Refused(400, "structure", "the body is too deep") from None

    def _send_copies(self) -> None:
        due = [copy for copy in self._copies if copy.due <= self._requests]
        self._copies = [copy for copy in self._copies if copy.due > self._requests]
        for copy in due:
            self._answer(copy.request, copy.body, NO_FAULT)

    def clear(self) -> None:
        """Forget every resource, fault and copy."""
        self.repository.clear()
        self.faults.clear()
        self._copies.clear()
