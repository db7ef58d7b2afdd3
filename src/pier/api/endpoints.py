"""All endpoints of the Engine API, in the order in which templates are tried: parts that Pier lacks come last."""

from pier.api.router import Router
from pier.api.routes import absent, archives, containers, execs, image_works, images, networks, system, volumes


def router() -> Router:
    """The table of every endpoint."""
    nouns = (system, containers, archives, execs, image_works, images, networks, volumes, absent)
    return Router(route for noun in nouns for route in noun.ROUTES)
