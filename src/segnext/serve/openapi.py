"""What the OpenAPI document says that the routes' signatures do not."""

from typing import Any

_URL = {"type": "string", "description": "Only where the server was started with --allow-urls."}

_ONE_OF = [{"required": ["image"]}, {"required": ["url"]}]

PREDICT_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "oneOf": _ONE_OF,
                    "properties": {
                        "image": {
                            "type": "string",
                            "format": "binary",
                            "description": "JPEG, PNG, WebP, BMP or TIFF; the content decides.",
                        },
                        "url": _URL,
                    },
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "oneOf": _ONE_OF,
                    "properties": {
                        "image": {
                            "type": "string",
                            "format": "byte",
                            "description": "The file in base64.",
                        },
                        "url": _URL,
                    },
                }
            },
        },
    }
}

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "What is wrong, in one line."}},
}


def refused(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the refusals of a route."""
    return {status: _describe(status) for status in statuses}


def _describe(status: int) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": _REASONS[status],
        "content": {"application/json": {"schema": _ERROR}},
    }
    if status in (429, 503):
        described["headers"] = {
            "Retry-After": {"schema": {"type": "integer"}, "description": "In seconds."}
        }
    return described


_REASONS = {
    400: "The body or the picture is broken.",
    401: "The server has a token, and it was not shown.",
    403: "The server answers to this machine's own pages only.",
    404: "There is no such thing.",
    408: "The body came too slowly.",
    413: "The picture has more bytes or pixels than the server takes.",
    415: "The body is no form or JSON, or the file is no picture or more than one.",
    422: "A parameter is out of range, or the model cannot take this picture.",
    429: "The queue is full.",
    500: "A fault of the server; its log has more.",
    503: "The picture took too long, or the server is starting or stopping.",
}

PREDICT_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": (
            "A PNG for mask (train ids with a palette), overlay and confidence; JSON for polygons "
            "(COCO) and report; GeoJSON, in pixels, for geojson."
        ),
        "content": {
            "image/png": {"schema": {"type": "string", "format": "binary"}},
            "application/json": {"schema": {"type": "object"}},
            "application/geo+json": {"schema": {"type": "object"}},
        },
        "headers": {
            "Server-Timing": {
                "schema": {"type": "string"},
                "description": "Milliseconds in the queue, decoding, network and drawing.",
            },
            "X-Model": {"schema": {"type": "string"}, "description": "Which model answered."},
        },
    },
    **refused(400, 401, 403, 408, 413, 415, 422, 429, 500, 503),
}

TEXT: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Text."}
}


def add_token(document: dict[str, Any], open_paths: frozenset[str]) -> None:
    """Say in a document which of its paths ask for the token."""
    document.setdefault("components", {})["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"}
    }
    for path, methods in document["paths"].items():
        if path not in open_paths:
            for method in methods.values():
                method["security"] = [{"token": []}]
