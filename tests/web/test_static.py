"""The bundles: made from their source to the byte, small, and served so that a browser never has an old one."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import httpx
import pytest

from gateway.web.static import FOLDER, address
from tests.npm import installed


def test_the_bundles_are_what_their_source_gives(tmp_path: Path) -> None:
    folder = installed(FOLDER.parent)
    subprocess.run(["node", "build.mjs", str(tmp_path)], cwd=folder, check=True, timeout=250)
    made = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    kept = {file.name: file.read_bytes() for file in FOLDER.iterdir()}
    assert made.keys() == kept.keys(), "run `make assets`"
    assert [name for name in made if made[name] != kept[name]] == [], "run `make assets`"


def test_each_package_s_licence_goes_along() -> None:
    told = (FOLDER / "licences.txt").read_text("utf-8")
    for package in ("@codemirror/view", "@lezer/lr", "cm6-graphql", "graphql-language-service", "graphql"):
        assert f"{package} " in told
    assert "Permission is hereby granted" in told


def test_what_a_page_loads_is_small() -> None:
    packed = {file.name: len(gzip.compress(file.read_bytes())) for file in FOLDER.iterdir()}
    shared = sum(size for name, size in packed.items() if name.startswith("part-"))
    assert (FOLDER / "pages.css").stat().st_size < 24_000
    assert packed["playground.js"] + shared < 220_000
    assert packed["editor.js"] + shared < 150_000


def test_a_bundle_is_kept_as_long_as_its_address_names_its_content(served: httpx.Client) -> None:
    now = served.get(f"/{address('pages.css')}")
    assert (now.status_code, now.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert now.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert now.headers["content-encoding"] == "gzip"
    assert now.content == (FOLDER / "pages.css").read_bytes()
    for old in ("/static/pages.css", "/static/pages.css?v=0"):
        assert served.get(old).headers["cache-control"] == "no-cache"
    again = served.get("/static/pages.css", headers={"if-none-match": now.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("accepted", ["identity", "br", "gzip;q=0", ""])
def test_who_takes_no_gzip_gets_none(served: httpx.Client, accepted: str) -> None:
    response = served.get("/static/editor.js", headers={"accept-encoding": accepted})
    assert "content-encoding" not in response.headers
    assert response.headers["vary"] == "Accept-Encoding"
    assert response.content == (FOLDER / "editor.js").read_bytes()


@pytest.mark.parametrize("name", ["none.js", "..%2fpackage.json", "..%2f__init__.py", "", "licences.txt/"])
def test_nothing_else_is_served_there(served: httpx.Client, name: str) -> None:
    assert served.get(f"/static/{name}").status_code in (404, 307)
