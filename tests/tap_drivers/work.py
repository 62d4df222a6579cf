"""Works with one of Python's drivers as applications do, and prints a digest of all answers.

    work.py psycopg2|psycopg|asyncpg URL

Some hundred statements, errors in between, COPY in and out, rows of several megabytes, a
cursor, and a statement that is cancelled.
"""

import asyncio
import hashlib
import io
import sys
import threading

STATEMENTS = 300
COPIED = 20000
LARGE = "select repeat('row', 1400000) || n, n from generate_series(1, 3) n"
CURSOR = "select n, md5(n::text) from generate_series(1, 1000) n"
digest = hashlib.sha256()


def note(*answers):
    for answer in answers:
        digest.update(repr(answer).encode())


def lines():
    return "".join(f"{n}\ttext {n}\n" for n in range(COPIED)).encode()


def of_libpq(connection, error, marker, copy_in, copy_out):
    """psycopg2 and psycopg, which differ in COPY and in how a statement is named as cancelled."""
    cursor = connection.cursor()
    for n in range(STATEMENTS):
        cursor.execute(f"select {marker}::int + 1, {marker}::text", (n, f"'{n}\\"))
        note(cursor.fetchall())
        if n % 50 == 0:
            try:
                cursor.execute(f"select 1 / {marker}::int", (0,))
            except error as failed:
                note(getattr(failed, "pgcode", None) or failed.sqlstate)
                connection.rollback()
    cursor.execute("create temporary table copied (n int, t text)")
    copy_in(cursor, lines())
    note(copy_out(cursor))
    cursor.execute(LARGE)
    note(cursor.fetchall())
    named = connection.cursor("rows")
    named.execute(CURSOR)
    while rows := named.fetchmany(100):
        note(rows)
    named.close()
    connection.commit()
    threading.Timer(0.5, connection.cancel).start()
    try:
        cursor.execute("select pg_sleep(60)")
    except error as failed:
        note(getattr(failed, "pgcode", None) or failed.sqlstate)
    connection.rollback()
    cursor.execute("select 'after'")
    note(cursor.fetchall())
    connection.close()


def run_psycopg2(url):
    import psycopg2

    def copy_in(cursor, data):
        cursor.copy_expert("copy copied from stdin", io.BytesIO(data))

    def copy_out(cursor):
        out = io.BytesIO()
        cursor.copy_expert("copy copied to stdout", out)
        return out.getvalue()

    of_libpq(psycopg2.connect(url), psycopg2.Error, "%s", copy_in, copy_out)


def run_psycopg(url):
    import psycopg

    def copy_in(cursor, data):
        with cursor.copy("copy copied from stdin") as copy:
            copy.write(data)

    def copy_out(cursor):
        with cursor.copy("copy copied to stdout") as copy:
            return b"".join(bytes(part) for part in copy)

    of_libpq(psycopg.connect(url), psycopg.Error, "%s", copy_in, copy_out)


def run_asyncpg(url):
    asyncio.run(of_asyncpg(url))


async def of_asyncpg(url):
    import asyncpg

    connection = await asyncpg.connect(url)
    for n in range(STATEMENTS):
        note([tuple(row) for row in await connection.fetch("select $1::int + 1, $2::text", n, f"'{n}\\")])
        if n % 50 == 0:
            try:
                await connection.fetch("select 1 / $1::int", 0)
            except asyncpg.PostgresError as failed:
                note(failed.sqlstate)
    await connection.execute("create temporary table copied (n int, t text)")
    await connection.copy_to_table("copied", source=io.BytesIO(lines()))
    out = io.BytesIO()
    await connection.copy_from_table("copied", output=out)
    note(out.getvalue())
    note([tuple(row) for row in await connection.fetch(LARGE)])
    async with connection.transaction():
        async for row in connection.cursor(CURSOR, prefetch=100):
            note(tuple(row))
    try:
        await connection.execute("select pg_sleep(60)", timeout=0.5)
    except asyncio.TimeoutError:
        note("timed out")
    note(await connection.fetchval("select 'after'"))
    await connection.close()


globals()[f"run_{sys.argv[1]}"](sys.argv[2])
print(digest.hexdigest())
