"""Where a PostgreSQL store is: the configured URL, as both drivers understand it."""

from __future__ import annotations

from urllib.parse import quote

from sqlalchemy.engine import URL


def dsn(url: URL) -> str:
    """The address that asyncpg and libpq both understand: one or several hosts, and how TLS is done.

    Raises `ValueError` that says what in the URL is not understood.
    """
    hosts = url.query.get("host", ())
    hosts = (hosts,) if isinstance(hosts, str) else tuple(hosts)
    if url.host:
        hosts = (f"{url.host}:{url.port or 5432}", *hosts)
    query = {"ssl": "", "sslmode": "", "sslrootcert": "", "sslcert": "", "sslkey": ""}
    for name, value in url.query.items():
        if name != "host" and (name not in query or not isinstance(value, str)):
            raise ValueError(f"`{name}` is not understood; write host, sslmode, sslrootcert, sslcert or sslkey")
        if name != "host":
            query[name] = str(value)
    query["sslmode"] = query.pop("ssl") or query["sslmode"]
    if not hosts or not url.database:
        raise ValueError("it must name a host and a database, as `postgresql+asyncpg://gateway@db.example/dutybound`")
    names, ports = [], []
    for host in hosts:
        name, _, port = host.rpartition(":") if not host.startswith("/") and ":" in host else (host, "", "5432")
        names.append(name)
        ports.append(port)
    query |= {"host": ",".join(names), "port": ",".join(ports)}
    user = quote(url.username or "", safe="") + (f":{quote(str(url.password), safe='')}" if url.password else "")
    options = "&".join(f"{name}={quote(value, safe=',/:')}" for name, value in query.items() if value)
    return f"postgresql://{user + '@' if user else ''}/{quote(url.database, safe='')}?{options}"
