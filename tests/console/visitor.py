"""A visitor of the pages who is no browser: keeps cookies as one does, follows nothing unasked, and fills in forms."""

from __future__ import annotations

import re
from html import unescape
from http.cookies import SimpleCookie
from typing import Any

import httpx

_INPUT = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


class Visitor:
    """Somebody at the pages of a running gateway. Cookies are kept although they are `Secure`, as on loopback."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told, self.gateway = told, str(told["gateway"])
        self.cookies: dict[str, str] = {}

    def send(self, method: str, place: str, **more: Any) -> httpx.Response:
        """One request, to a path of the gateway or an address; cookies go to the gateway only."""
        own = place.startswith(("/", self.gateway))
        address = f"{self.gateway}{place}" if place.startswith("/") else place
        headers = {"accept": "text/html", **more.pop("headers", {})}
        if own and self.cookies:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = httpx.request(method, address, headers=headers, timeout=60, follow_redirects=False, **more)
        for line in answer.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return answer

    def get(self, place: str) -> httpx.Response:
        """A page, wherever it leads to."""
        answer = self.send("GET", place)
        for _ in range(10):
            if not answer.is_redirect:
                return answer
            answer = self.send("GET", str(answer.request.url.join(answer.headers["location"])))
        raise AssertionError("it leads round in circles")

    def sign_in(self, role: str) -> httpx.Response:
        """Sign in with one click; gives the first page."""
        return self.get(self.told["pages"]["login_as"][role])

    def post(self, path: str, form: dict[str, Any], page: httpx.Response, **headers: str) -> httpx.Response:
        """Send a form of a page, with the token that stands in it."""
        hidden = {unescape(name): unescape(value) for name, value in _INPUT.findall(page.text)}
        given = {"csrf": hidden["csrf"], **form}
        origin = {"origin": self.gateway, "referer": str(page.request.url)}
        return self.answer(self.send("POST", path, data=given, headers={**origin, **headers}))

    def answer(self, led: httpx.Response) -> httpx.Response:
        """The page by which a form was answered, where it has one; where it leads to otherwise, unasked."""
        return self.send("GET", led.headers["location"]) if "answer=" in led.headers.get("location", "") else led
