"""Incident 5: a web application that uses its database while it is being loaded.

gunicorn loads it before it forks its workers where it is told to (--preload). APPLICATION says
what else it does: `original`, `lazy` (no connection while it is loaded), `closed` (the pool is
closed again before the fork). DATABASE says where it connects.
"""

import logging
import os

import sqlalchemy

log = logging.getLogger("app")
logging.basicConfig(format="%(process)d %(levelname)s %(name)s: %(message)s")

variant = os.environ.get("APPLICATION", "original")
engine = sqlalchemy.create_engine(os.environ["DATABASE"])


def load_current_user():
    with engine.connect() as connection:
        return connection.execute(sqlalchemy.text("select current_user")).scalar()


if variant != "lazy":
    load_current_user()  # as scripts do that look whether the schema is there
if variant == "closed":
    engine.dispose()


def app(environ, start_response):
    if environ["PATH_INFO"] == "/healthz":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok\n"]
    try:
        body = f"{os.getpid()} {load_current_user()}\n"
        start_response("200 OK", [("Content-Type", "text/plain")])
    except Exception:
        log.exception("Exception on %s [GET]", environ["PATH_INFO"])
        body = "Internal Server Error\n"
        start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
    return [body.encode()]
