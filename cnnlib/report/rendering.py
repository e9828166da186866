"""Pages from the templates of this package, which escape whatever they show."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from cnnlib.evaluation.metrics import visible


def render(name: str, **values: Any) -> str:
    """The HTML of a template with these values."""
    pages = Environment(
        loader=PackageLoader("cnnlib.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= {"percent": lambda share: f"{share:.2%}", "visible": visible}
    return pages.get_template(name).render(**values)
