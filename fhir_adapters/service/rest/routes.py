"""The HTTP of the FHIR API."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from fhir_adapters.refused import Refused
from fhir_adapters.service.access.gate import Gate
from fhir_adapters.service.access.scopes import Reach, Reader
from fhir_adapters.service.answers import FHIR_JSON, Documented, documented, respond
from fhir_adapters.service.audit import Access, Audit
from fhir_adapters.service.options import ServiceOptions
from fhir_adapters.service.patients import Patients
from fhir_adapters.service.rest.bundles import etag, history, searchset
from fhir_adapters.service.rest.capability import statement
from fhir_adapters.service.rest.kinds import KIND_OF, RESULTS, SCHEMA_OF, SEARCHES
from fhir_adapters.service.rest.pages import PARAMETER, Page, Seal
from fhir_adapters.service.rest.parameters import Search, search_of, within
from fhir_adapters.service.rest.shelf import Item, Shelf, people_of

Json = dict[str, Any]
Pairs = list[tuple[str, str]]
FORM = "application/x-www-form-urlencoded"
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_VERSION = re.compile(r"[1-9]\d{0,8}", re.ASCII)


class RestRoutes:
    """Read, vread, history and search."""

    def __init__(
        self, shelf: Shelf, gate: Gate, audit: Audit, patients: Patients, options: ServiceOptions, version: str
    ) -> None:
        self._shelf, self._gate, self._audit, self._patients, self._options = shelf, gate, audit, patients, options
        self._statement, self._seal = statement(options, version), Seal()

    def router(self) -> APIRouter:
        """The routes of every type."""
        router = APIRouter(prefix="/fhir", tags=["FHIR R4"])
        router.add_api_route("/metadata", self.metadata, methods=["GET"], summary="CapabilityStatement",
                             response_class=Response, responses={200: _fhir("CapabilityStatement")})  # fmt: skip
        for kind, names in SEARCHES.items():
            self._add(router, kind, names)
        return router

    async def metadata(self, request: Request) -> Response:
        """What this server can do. Open to all."""
        request.scope["what"] = "metadata"
        return respond(self._statement, kind=FHIR_JSON)

    def _add(self, router: APIRouter, kind: str, names: tuple[str, ...]) -> None:
        refused = documented(400, 401, 403, 404, 406)
        found: Documented = {200: _fhir("Bundle")}
        one: Documented = {200: _fhir(kind), 304: {"description": "Not modified."}}
        parameters = {"parameters": [_parameter(name) for name in (*names, "_count", "_sort", "_summary")]}
        form = {"requestBody": {"content": {FORM: {"schema": {"type": "object"}}}}}
        for path, method, interaction, work, answers, extra in (
            (f"/{kind}", "GET", "search-type", self._search, found, parameters),
            (f"/{kind}/_search", "POST", "search-type", self._search, found | documented(415), form),
            (f"/{kind}/{{id}}", "GET", "read", self._read, one, _in_path("id")),
            (f"/{kind}/{{id}}/_history", "GET", "history-instance", self._history, found, _in_path("id")),
            (f"/{kind}/{{id}}/_history/{{version}}", "GET", "vread", self._read, one, _in_path("id", "version")),
        ):
            router.add_api_route(
                path, self._endpoint(kind, interaction, work), methods=[method], response_class=Response,
                operation_id=f"{interaction}-{method}-{kind}".lower(), summary=f"{kind}: {interaction}",
                responses=refused | answers, openapi_extra=extra,
            )  # fmt: skip

    def _endpoint(self, kind: str, interaction: str, work: Any) -> Any:
        async def endpoint(request: Request) -> Response:
            request.scope["what"] = f"fhir {interaction}"
            client, status, person = "unknown", 500, None
            try:
                _speaks_json(request)
                reader = self._gate.reader(request)
                client = reader.client
                reach = reader.reach(kind, "s" if interaction == "search-type" else "r")
                if reach is None:
                    raise Refused(403, "forbidden", f"no scope of the token lets it {interaction} {kind}",
                                  headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'})  # fmt: skip
                pairs = await _pairs(request)
                response, person = await run_in_threadpool(work, request, kind, pairs, reader, reach)
                status = response.status_code
                return response
            except Refused as refused:
                status = refused.status
                raise
            finally:
                address = request.client.host if request.client else ""
                at = datetime.now(UTC)
                self._audit.put(Access(at, client, address, interaction, kind, status, person))

        return endpoint

    def _read(
        self, request: Request, kind: str, pairs: Pairs, reader: Reader, reach: Reach
    ) -> tuple[Response, int | None]:
        item = self._one(kind, request.path_params["id"], request.path_params.get("version"), reader, reach)
        headers = {"ETag": etag(item), "Last-Modified": format_datetime(item.updated, usegmt=True)}
        if _is_known(request, item):
            return Response(status_code=304, headers=headers), item.person_id
        return respond(item.resource, kind=FHIR_JSON, headers=headers), item.person_id

    def _one(self, kind: str, id_: str, version: str | None, reader: Reader, reach: Reach) -> Item:
        search = self._of_one(kind, id_, every_revision=version is not None)
        if version is not None and _VERSION.fullmatch(version) and kind in RESULTS:
            search = replace(search, wanted=replace(search.wanted, revisions=(int(version),)))
        search = replace(search, wanted=within(search.wanted, reach))
        found = self._shelf.find(search, reader.client)
        if version is not None:
            found = [item for item in found if item.version == version]
        if not found:
            raise Refused(404, "not-found", f"no such {kind}")
        return found[0]

    def _of_one(self, kind: str, id_: str, *, every_revision: bool) -> Search:
        if not _ID.fullmatch(id_):
            raise Refused(404, "not-found", f"no such {kind}")
        base = search_of(kind, [("_id", id_)], self._patients, self._options.site, Reach(None))
        return replace(base, wanted=replace(base.wanted, every_revision=every_revision or base.wanted.every_revision))

    def _history(
        self, request: Request, kind: str, pairs: Pairs, reader: Reader, reach: Reach
    ) -> tuple[Response, int | None]:
        id_ = request.path_params["id"]
        search = replace(self._of_one(kind, id_, every_revision=True), newest_first=True)
        for name, value in pairs:
            search = self._since(search, name, value)
        page = self._page_of(pairs, reader) or Page(replace(search, wanted=within(search.wanted, reach)), reader.client)
        base = f"{self._options.fhir_base}/{kind}/{id_}/_history"
        items, links = self._paged(page, base)
        if not items and page.after is None and not search.wanted.bounds:
            raise Refused(404, "not-found", f"no such {kind}")
        links = {"self": self._link(base, page)} | links
        return respond(history(items, self._options.fhir_base, links), kind=FHIR_JSON), people_of(items)

    def _since(self, search: Search, name: str, value: str) -> Search:
        if name in ("_since", "_count"):
            asked = ("_lastUpdated", f"ge{value}") if name == "_since" else (name, value)
            read = search_of(search.kind, [asked], self._patients, self._options.site, Reach(None))
            bounds = (*search.wanted.bounds, *read.wanted.bounds)
            count = max(read.count, 1) if name == "_count" else search.count
            return replace(search, count=count, wanted=replace(search.wanted, bounds=bounds))
        if name not in ("_format", "_pretty", PARAMETER):
            raise Refused(400, "not-supported", "a history takes _since and _count")
        return search

    def _search(
        self, request: Request, kind: str, pairs: Pairs, reader: Reader, reach: Reach
    ) -> tuple[Response, int | None]:
        base = f"{self._options.fhir_base}/{kind}"
        page = self._page_of(pairs, reader)
        if page is None:
            search = search_of(kind, pairs, self._patients, self._options.site, reach)
            wanted = replace(search.wanted, until_row=self._shelf.reader.newest_row())
            page = Page(replace(search, wanted=wanted), reader.client)
        if page.search.kind != kind or within(page.search.wanted, reach) != page.search.wanted:
            raise Refused(400, "expired", "the link to the page is of another search")
        search = page.search
        items, links = ([], {}) if search.only_count else self._paged(page, base)
        readable = page.after is None and not search.identifies
        links = {"self": f"{base}?{urlencode(pairs)}" if readable else self._link(base, page)} | links
        total = self._shelf.count(search) if search.only_count or search.total else None
        person = search.wanted.person_id or people_of(items)
        return respond(searchset(items, self._options.fhir_base, links, total), kind=FHIR_JSON), person

    def _paged(self, page: Page, base: str) -> tuple[list[Item], dict[str, str]]:
        """The resources of a page, and the link to the next one, if there is one."""
        search = page.search
        items = self._shelf.find(search, page.client, after=page.after, limit=search.count + 1)
        shown = items[: search.count]
        if len(items) <= search.count:
            return shown, {}
        return shown, {"next": self._link(base, page.from_place(shown[-1].place))}

    def _link(self, base: str, page: Page) -> str:
        return f"{base}?{urlencode({PARAMETER: self._seal.seal(page)})}"

    def _page_of(self, pairs: Pairs, reader: Reader) -> Page | None:
        sealed = [value for name, value in pairs if name == PARAMETER]
        return self._seal.open(sealed[0], reader.client) if sealed else None


async def _pairs(request: Request) -> Pairs:
    """The parameters in the address and, of a POST, in the body."""
    pairs = list(request.query_params.multi_items())
    if request.method != "POST":
        return pairs
    body = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != FORM:
        raise Refused(415, "not-supported", f"{FORM} is expected")
    try:
        return pairs + parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=100)
    except ValueError as error:
        raise Refused(400, "structure", "the body is no form") from error


def _speaks_json(request: Request) -> None:
    accepted = request.headers.get("accept", "*/*").lower()
    if not any(word in accepted for word in ("json", "*/*", "application/*")):
        raise Refused(406, "not-supported", "only JSON is spoken")


def _is_known(request: Request, item: Item) -> bool:
    """Whether the client has this version already."""
    known = request.headers.get("if-none-match")
    if known is not None:
        return etag(item) in [part.strip() for part in known.split(",")] or known.strip() == "*"
    try:
        since = parsedate_to_datetime(request.headers.get("if-modified-since", ""))
        return item.updated.replace(microsecond=0) <= since.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return False


def _fhir(kind: str) -> Json:
    name = kind if kind in ("Bundle", "OperationOutcome") else "Resource"
    return {"description": kind, "content": {FHIR_JSON: {"schema": {"$ref": f"#/components/schemas/{name}"}}}}


def _parameter(name: str) -> Json:
    schema = SCHEMA_OF.get(name) or SCHEMA_OF[KIND_OF[name]]
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _in_path(*names: str) -> Json:
    pattern = {"id": r"^[A-Za-z0-9\-.]{1,64}$", "version": r"^[1-9][0-9]{0,8}$"}
    return {"parameters": [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": pattern[name]}}
        for name in names
    ]}  # fmt: skip
