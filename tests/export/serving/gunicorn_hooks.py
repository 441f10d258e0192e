"""A configuration file of gunicorn's."""

import work


def post_fork(server: object, worker: object) -> None:
    """Begin a worker."""
    work.set_up("worker")
