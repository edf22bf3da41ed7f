"""`dutybound source new` as a person runs it, in a folder with a gateway's files; and what it prints, read."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from gateway import cli
from tests import configured
from tests.docs.reading import ROOT

TEXT = {"type": "string"}


class Made(NamedTuple):
    """How the command ended, and what it printed."""

    status: int
    out: str
    err: str

    @property
    def parts(self) -> list[Any]:
        """What the printed parts say, in their order."""
        assert self.status == 0, self.err
        return list(YAML(typ="safe", pure=True).load_all(self.out))

    def datasets(self, department: str = "tax") -> dict[str, Any]:
        """The datasets of the part of `sources.yaml`."""
        found: dict[str, Any] = self.parts[0][department]["datasets"]
        return found

    def line(self, text: str) -> str:
        """The one line with this text."""
        [found] = [line.strip() for line in self.out.splitlines() if text in line]
        return found


def gateway(folder: Path) -> Path:
    """A gateway's files, with the project's policies but without the Tax Service; gives `gateway.yaml`."""
    shutil.copytree(ROOT / "policies", folder / "policies", ignore=shutil.ignore_patterns("*.md", "tests", "tax.yaml"))
    return configured.write(folder)


def run(*words: object) -> Made:
    """Run `dutybound source new` with these words."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        status = cli.main(["source", "new", *map(str, words)])
    return Made(status, out.getvalue(), err.getvalue())


def of_openapi(config: Path, document: Mapping[str, Any] | str | bytes, *more: object) -> Made:
    """Begin a department `tax` from a document, which is put into a file beside the configuration."""
    file = config.parent / "description"
    if isinstance(document, Mapping):
        document = json.dumps(document)
    file.write_bytes(document.encode("utf-8", "surrogatepass") if isinstance(document, str) else document)
    return run("tax", "--openapi", file, "--config", config, *more)


def api(paths: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """An OpenAPI document with these paths."""
    return {"openapi": "3.0.3", "info": {"title": "Tax Service", "version": "1"}, "paths": paths, **more}


def get(items: Any, *parameters: Mapping[str, Any], at: str = "", **more: Any) -> dict[str, Any]:
    """A path whose GET answers a list of these, in the property `at` or bare, with the path's parameter `lei`."""
    schema: Any = {"type": "array", "items": items}
    if at:
        schema = {"type": "object", "properties": {at: schema}}
    own = {"name": "lei", "in": "path", "required": True, "schema": {"type": "string"}}
    answer = {"description": "ok", "content": {"application/json": {"schema": schema}}}
    return {"get": {"parameters": [own, *parameters], "responses": {"200": answer}, **more}}


def record(**properties: Any) -> dict[str, Any]:
    """A record's schema with these properties, beside those that name it and its subject."""
    own = {"noticeNo": {"type": "string"}, "version": {"type": "string"}, "lei": {"type": "string"}}
    return {"type": "object", "properties": {**own, **properties}}


def get_one(schema: Any, *parameters: Mapping[str, Any], kind: str = "application/json", **more: Any) -> dict[str, Any]:
    """A path whose GET answers what the schema is."""
    made = get({}, *parameters, **more)
    made["get"]["responses"]["200"]["content"] = {kind: {"schema": schema}}
    return made


def post(body: Any, answers: Any = None, **more: Any) -> dict[str, Any]:
    """A path whose POST takes a body and answers a list, or what else is given."""
    answers = {"type": "array", "items": record(due=TEXT)} if answers is None else answers
    asked = {"content": {"application/json": {"schema": body}}}
    answered = {"200": {"content": {"application/json": {"schema": answers}}}}
    return {"post": {"requestBody": asked, "responses": answered, **more}}


def body(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": [*required], "properties": properties}
