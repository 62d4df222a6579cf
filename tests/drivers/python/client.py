"""Connects with one of Python's drivers, and says in one line of JSON what came of it.

    client.py DRIVER CONNECTION

It runs one statement with a parameter seven times, so that a driver that prepares statements
after a few uses does.
"""

import asyncio
import json
import sys




def run_psycopg2(connection):
    import psycopg2

    opened = psycopg2.connect(connection)
    yield
    cursor = opened.cursor()
    for n in range(7):
        cursor.execute("select %s::int", (n,))
        opened.commit()


def run_psycopg(connection):
    import psycopg

    opened = psycopg.connect(connection)
    yield
    for n in range(7):
        opened.execute("select %s::int", (n,))
        opened.commit()


def run_asyncpg(connection):
    import asyncpg

    loop = asyncio.new_event_loop()
    opened = loop.run_until_complete(asyncpg.connect(connection))
    yield
    for n in range(7):
        loop.run_until_complete(opened.fetchval("select $1::int", n))


def run_sqlalchemy(connection):
    import sqlalchemy

    # Over asyncpg the engine is SQLAlchemy's asynchronous one.
    if connection.startswith("postgresql+asyncpg"):
        from sqlalchemy.ext.asyncio import create_async_engine

        loop = asyncio.new_event_loop()
        opened = loop.run_until_complete(create_async_engine(connection).connect())
        yield
        for n in range(7):
            loop.run_until_complete(opened.scalar(sqlalchemy.text("select :n + 0"), {"n": n}))
            loop.run_until_complete(opened.commit())
        return
    opened = sqlalchemy.create_engine(connection).connect()
    yield
    for n in range(7):
        opened.scalar(sqlalchemy.text("select :n + 0"), {"n": n})
        opened.commit()


def version(driver):
    """The versions that decide: the driver's, and its libpq's or Python's."""
    import importlib.metadata

    packages = {"psycopg2": "psycopg2-binary", "sqlalchemy": "SQLAlchemy"}
    number = importlib.metadata.version(packages.get(driver, driver))
    libpq = None
    if driver == "psycopg2":
        import psycopg2.extensions

        libpq = psycopg2.extensions.libpq_version()
    if driver == "psycopg":
        import psycopg

        libpq = psycopg.pq.version()
    if libpq:
        return f"{number}, libpq {libpq // 10000}.{libpq % 10000}"
    import platform

    return f"{number}, Python {platform.python_version()}"


def chain(error):
    """An exception and what caused it."""
    said = []
    while error is not None and len(said) < 5:
        said.append(f"{type(error).__name__}: {error}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    # SQLAlchemy repeats the driver's own text.
    return " <- ".join(said)


def code(error):
    """The SQLSTATE or errno of an exception or of one that caused it."""
    while error is not None:
        for name in ("pgcode", "sqlstate", "verify_code", "errno"):
            if getattr(error, name, None):
                return str(getattr(error, name))
        error = error.__cause__ or error.__context__
    return None


def main():
    driver, connection = sys.argv[1], sys.argv[2]
    if connection == "--version":
        print(version(driver))
        return
    answer = {"connected": False}
    try:
        for _ in globals()[f"run_{driver}"](connection):
            answer["connected"] = True
        answer["answered"] = True
    except BaseException as error:  # noqa: B902: all that the driver raises is an outcome
        answer["error"] = chain(error)
        answer["code"] = code(error)
    print(json.dumps(answer))


main()
