"""What the pages share: one file each, that asks the network for nothing and shows hostile text as text.

    environment(folder, count=count) -> Jinja's, in which every value goes through `visible` and is escaped
    script("sort.js", "page.js")     -> (the scripts as one, base64 of its sha256 for the page's policy)

It must never mark a value as safe that is not a file of this package.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.report.wording import visible

HERE = Path(__file__).parent


def environment(folder: Path, **filters: Any) -> Environment:
    """For the templates of `folder`; a name that a template does not know is an error."""
    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= filters
    return made


def script(*names: str) -> tuple[Markup, str]:
    """The scripts of a page, and the digest by which its policy allows them and no other."""
    text = ours(*names)
    return text, base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def ours(*names: str) -> Markup:
    """Files of this folder, one behind the other, as they are."""
    return Markup("".join((HERE / name).read_text("utf-8") for name in names))  # noqa: S704


def _shown(value: Any) -> Any:
    """Jinja calls this on every value that it writes, before it escapes it."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
