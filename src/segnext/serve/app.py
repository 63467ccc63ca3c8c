"""The routes: predict, the model, health, metrics and the page."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from segnext import __version__
from segnext.serve.answers import Answer, Output, Wish
from segnext.serve.assets import Asset, load_assets
from segnext.serve.bodies import drain, read_picture
from segnext.serve.counters import Counters
from segnext.serve.engine import Engine, Job
from segnext.serve.example import draw_example
from segnext.serve.fetching import fetch_picture
from segnext.serve.gate import Gate
from segnext.serve.identity import Identity
from segnext.serve.intake import check_picture
from segnext.serve.openapi import PREDICT_ANSWERS, PREDICT_BODY, TEXT, add_token, refused
from segnext.serve.refusals import RefusalError
from segnext.serve.settings import Settings

logger = logging.getLogger("segnext")

_FETCH_SECONDS = 10.0
_DRAIN_SECONDS = 5.0
# Nobody reads it: the client has gone. The number is nginx's.
_CLIENT_GONE = 499


class Service:
    """Everything that the routes share.

    Args:
        engine: Computes.
        identity: Of its model.
        settings: Limits.
        counters: For the metrics.
    """

    def __init__(
        self, engine: Engine, identity: Identity, settings: Settings, counters: Counters
    ) -> None:
        self.engine = engine
        self.identity = identity
        self.settings = settings
        self.counters = counters
        self.ready = False
        self.example: bytes | None = None
        # As many as there are places: whoever has one never waits for another's slow address.
        self._threads = ThreadPoolExecutor(engine.places + engine.workers)

    async def run(self, call: Callable[[], Any]) -> Any:
        """Call what may block in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def prepare(self) -> None:
        """Segment the example with every worker: the first picture of a shape is slow."""
        predictor = self.engine.predictor
        spec = predictor.spec
        try:
            data = await self.run(lambda: draw_example(spec.classes, spec.normalization.channels))
            if data is not None:
                jobs = [self._submit(data, Wish("report", picture=True))]
                jobs += [self._submit(data, Wish()) for _ in range(self.engine.workers - 1)]
                answers = await asyncio.gather(*map(asyncio.wrap_future, jobs))
                self.example = answers[0].body
        except RefusalError as refusal:  # such as a graph that takes one size only
            logger.warning("the example could not be segmented: %s", refusal.message)
        self.ready = True

    async def close(self) -> None:
        """Finish what was taken on, and end the threads."""
        await asyncio.to_thread(self.engine.close)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _submit(self, data: bytes, wish: Wish) -> Any:
        channels = self.engine.predictor.spec.normalization.channels
        header = check_picture(data, channels=channels, max_pixels=1 << 30)
        return self.engine.submit(Job(data, header, wish))

    async def answer(self, request: Request, wish: Wish) -> Answer | None:
        """Serve one request; `None` if its client went away meanwhile.

        Raises:
            RefusalError: It cannot be served.
        """
        settings = self.settings
        begin = asyncio.get_running_loop().time()
        with self.engine.take_place():
            try:
                async with asyncio.timeout_at(begin + settings.timeout_s):
                    data = await read_picture(
                        request, max_body=settings.max_body, max_bytes=settings.max_bytes
                    )
            except TimeoutError:
                msg = f"the body did not arrive within {settings.timeout_s:g} s"
                raise RefusalError(408, msg, {"Connection": "close"}) from None
            try:
                async with asyncio.timeout_at(begin + settings.timeout_s):
                    return await self._compute(request, data, wish)
            except TimeoutError:
                msg = f"not done within {settings.timeout_s:g} s; try again, or a smaller picture"
                raise RefusalError(503, msg, {"Retry-After": "5"}) from None

    async def _compute(self, request: Request, data: bytes | str, wish: Wish) -> Answer | None:
        settings = self.settings
        if isinstance(data, str):
            data = await self._fetch(data)
        channels = self.engine.predictor.spec.normalization.channels
        picture = data
        header = await self.run(
            lambda: check_picture(picture, channels=channels, max_pixels=settings.max_pixels)
        )
        answer = asyncio.wrap_future(self.engine.submit(Job(picture, header, wish)))
        gone = asyncio.ensure_future(_wait_until_gone(request))
        either: set[asyncio.Future[Any]] = {answer, gone}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            return await answer if answer.done() else None
        finally:
            gone.cancel()
            answer.cancel()

    async def _fetch(self, url: str) -> bytes:
        settings = self.settings
        if not settings.allow_urls:
            raise RefusalError(400, "this server fetches no addresses; send the picture itself")
        fetched: bytes = await self.run(
            lambda: fetch_picture(
                url,
                max_bytes=settings.max_bytes,
                timeout_s=min(_FETCH_SECONDS, settings.timeout_s),
            )
        )
        return fetched


async def _wait_until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def build_app(service: Service) -> FastAPI:
    """Return the ASGI application."""
    settings, counters = service.settings, service.counters
    assets = load_assets()

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        preparing = asyncio.ensure_future(service.prepare())
        yield
        preparing.cancel()
        await service.close()

    app = FastAPI(
        title="segnext",
        version=__version__,
        description="A semantic segmentation model: photos in, masks out.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    _add_predict(app, service)
    _add_model(app, service)
    _add_health(app, service)
    for path, asset in assets.items():
        app.add_api_route(path, _send(asset), methods=["GET"], include_in_schema=False)
    open_paths = frozenset({*assets, "/healthz", "/readyz", "/openapi.json"})
    if settings.token is not None:
        document = app.openapi()
        add_token(document, open_paths)
    known = {getattr(route, "path", None) for route in app.routes}
    app.add_middleware(
        Gate,
        token=settings.token,
        local_only=settings.is_loopback and settings.token is None,
        open_paths=open_paths,
        counters=counters,
        route_of=lambda path: path if path in known else None,
    )
    _add_refusals(app)
    return app


def _add_predict(app: FastAPI, service: Service) -> None:
    @app.post(
        "/v1/predict",
        summary="Segment a picture",
        response_class=Response,
        responses=PREDICT_ANSWERS,
        openapi_extra=PREDICT_BODY,
    )
    async def predict(
        request: Request,
        output: Annotated[Output, Query(description="What to answer with.")] = "mask",
        alpha: Annotated[float, Query(ge=0, le=1, description="Of an overlay's colours.")] = 0.5,
        picture: Annotated[bool, Query(description="Put the picture in a report.")] = False,
    ) -> Response:
        try:
            answer = await service.answer(request, Wish(output, alpha, picture))
        except RefusalError as refusal:
            if refusal.status == 408:
                raise
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN_SECONDS):
                    await drain(request, 2 * service.settings.max_body)
            raise
        except ClientDisconnect:
            answer = None
        if answer is None:
            return Response(status_code=_CLIENT_GONE)
        headers = {"Server-Timing": answer.server_timing(), "X-Model": service.identity.signature}
        return Response(answer.body, media_type=answer.media_type, headers=headers)


def _add_model(app: FastAPI, service: Service) -> None:
    refusals = refused(401, 403)

    @app.get("/v1/model", summary="Which model answers", responses=refusals)
    async def model() -> dict[str, Any]:
        return service.identity.describe(service.engine.predictor, service.settings)

    @app.get(
        "/v1/example",
        summary="A synthetic picture, segmented at start",
        responses=refused(401, 403, 404, 503),
    )
    async def example() -> Response:
        if service.example is not None:
            return Response(service.example, media_type="application/json")
        if service.ready:
            raise RefusalError(404, "no synthetic scene suits this model")
        raise RefusalError(503, "the example is being segmented", {"Retry-After": "1"})


def _add_health(app: FastAPI, service: Service) -> None:
    engine, refusals = service.engine, refused(403)

    @app.get("/healthz", summary="The process runs", responses=refusals)
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz", summary="The model is loaded and warm", responses=refused(403, 503))
    async def readyz() -> dict[str, str]:
        if not service.ready:
            raise RefusalError(503, "the model is getting warm", {"Retry-After": "1"})
        return {"status": "ready"}

    gauges: dict[str, tuple[str, Callable[[], float]]] = {
        "segnext_requests_taken": ("Requests that hold a place.", lambda: engine.taken),
        "segnext_places": ("Requests that can hold one.", lambda: engine.places),
        "segnext_pictures_waiting": ("Pictures that no worker began.", lambda: engine.waiting),
        "segnext_workers": ("Pictures computed at a time.", lambda: engine.workers),
        "segnext_ready": ("1 once the model is warm.", lambda: float(service.ready)),
    }

    @app.get(
        "/metrics",
        summary="Counts and times for Prometheus",
        response_class=PlainTextResponse,
        responses={**TEXT, **refused(401, 403)},
    )
    async def metrics() -> Response:
        text = service.counters.write(gauges)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _send(asset: Asset) -> Callable[[Request], Any]:
    async def send(request: Request) -> Response:
        headers = {"ETag": asset.etag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == asset.etag:
            return Response(status_code=304, headers=headers)
        return Response(asset.content, media_type=asset.media_type, headers=headers)

    return send


def _add_refusals(app: FastAPI) -> None:
    """Answer every fault with one line: nothing of the inside leaves."""

    @app.exception_handler(RefusalError)
    async def refuse(_: Request, refusal: RefusalError) -> Response:
        return JSONResponse({"error": refusal.message}, refusal.status, refusal.headers)

    @app.exception_handler(RequestValidationError)
    async def refuse_parameter(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:]) or "request"
        return JSONResponse({"error": f"{place}: {first['msg']}"}, 422)

    @app.exception_handler(HTTPException)
    async def refuse_route(_: Request, error: HTTPException) -> Response:
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def hide(_: Request, error: Exception) -> Response:
        logger.error("internal error", exc_info=error)
        return JSONResponse({"error": "internal error; see the log"}, 500)
