"""A case registry: answers for one case whether it is open, whom it is about and whose it is. One process per
registry.

`GET /cases/{id}` -> `{"id", "open", "subjects": [{"scheme", "value"}], "officials": [...]}`, or 404. It tells nothing
else of a case, lists none and finds none by subject.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.demo.clients import cases
from deploy.demo.serve import arguments, serve


def build(registry: str) -> Starlette:
    """The registry of the department `registry`."""
    own = {name: case for name, case in cases().items() if case.registry == registry}
    calls: list[str] = []

    async def one(request: Request) -> Response:
        name = request.path_params["id"]
        calls.append(name)
        case = own.get(name)
        if case is None:
            return JSONResponse({"error": "no such case"}, 404)
        subjects = [{"scheme": case.scheme, "value": case.value}]
        return JSONResponse({"id": name, "open": case.open, "subjects": subjects, "officials": [case.official]})

    async def asked(request: Request) -> Response:
        return JSONResponse(calls)

    return Starlette(routes=[Route("/cases/{id}", one), Route("/_calls", asked)])


def main() -> None:
    """Serve until asked to end."""
    parser = arguments("A case registry of the invented region.")
    parser.add_argument("--registry", choices=("market", "courts"), required=True)
    options = parser.parse_args()
    serve(build(options.registry), options.port)


if __name__ == "__main__":
    main()
