"""Incident 4: a framework that keeps the first engine it made, and a test that comes too late.

The framework's settings are compose's: the host is `db`. Usage: late_configuration.py original|mended
"""

import functools
import os
import sys

import sqlalchemy
import sqlalchemy.orm

settings = {"url": "postgresql+psycopg2://app@db:5432/db"}


def configure(url):
    settings["url"] = url


@functools.lru_cache
def get_engine():
    return sqlalchemy.create_engine(settings["url"])


@functools.lru_cache
def get_session_local():
    return sqlalchemy.orm.sessionmaker(get_engine())


class DBContextManager:
    """Gives out the session of this context, or makes one."""

    session = None

    def __enter__(self):
        return self.session or get_session_local()()

    def __exit__(self, *_):
        pass


def test_assign_role_to_user(mended):
    get_session_local()  # what a module of the framework does when it is imported
    configure(os.environ["DATABASE_URL"])  # what conftest.py does afterwards
    if mended:
        engine = sqlalchemy.create_engine(settings["url"])
        DBContextManager.session = sqlalchemy.orm.Session(engine)
    with DBContextManager() as session:
        assert session.execute(sqlalchemy.text("select current_database()")).scalar() == "appdb"


test_assign_role_to_user(sys.argv[1] == "mended")
print("1 passed")
