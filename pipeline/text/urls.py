"""One spelling for the addresses of one page.

    one_spelling("HTTPS://www.Example.org:443/News/?utm=x#top", ()) -> "example.org/News"

What does not count: blanks around it; http or https; user and password; letter case of scheme and host; `www.` in front
of a host of more than one label behind it; the port of the scheme; slashes at the end of the path; the fragment; the
query, but for the parameters that are asked for, in the order in which they stand. Case of the path, percent signs and
repeated slashes count as they stand. An address of another scheme keeps it.
What names no host has no spelling: `mailto:`, `data:`, a bare mail address. Nothing is fetched or resolved.
"""

from collections.abc import Collection

PORTS = {"http": ":80", "https": ":443", "": ":80"}


def one_spelling(url: str, parameters: Collection[str] | None = ()) -> str:
    """The spelling; empty where no host is named. `parameters` are names of the query that count; None: all of it."""
    rest, _, _ = url.strip().partition("#")
    rest, _, query = rest.partition("?")
    scheme, rest = _scheme(rest)
    if not scheme and _names_no_host(rest):
        return ""
    host, slash, path = rest.removeprefix("//").partition("/")
    host = _host(host, scheme)
    if not host:
        return ""
    named = "" if scheme in PORTS else f"{scheme}://"
    kept = _kept(query, parameters)
    return f"{named}{host}{f'{slash}{path}'.rstrip('/')}" + (f"?{kept}" if kept else "")


def _scheme(rest: str) -> tuple[str, str]:
    """(scheme in lower case or empty, what follows its colon)."""
    before, colon, after = rest.partition("://")
    return (before.lower(), after) if colon and before.isalnum() and before.isascii() else ("", rest)


def _names_no_host(rest: str) -> bool:
    """Whether an address without `//` is of a scheme that goes without (what follows its colon is no port), or mail."""
    before = rest.partition("/")[0]
    _, _, port = before.partition(":")
    return not before.startswith("[") and ("@" in before or not (port == "" or port.isdigit()))


def _host(host: str, scheme: str) -> str:
    host = host.rpartition("@")[2].lower().removesuffix(PORTS.get(scheme, "\n")).removesuffix(".")
    without = host.removeprefix("www.")
    return without if "." in without else host


def _kept(query: str, parameters: Collection[str] | None) -> str:
    if parameters is None:
        return query
    return "&".join(part for part in query.split("&") if part.partition("=")[0] in parameters)
