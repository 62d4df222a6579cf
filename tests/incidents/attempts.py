"""An application that connects so many times, one after the other.

Usage: attempts.py asyncpg|psycopg2 PORT TIMES
"""

import asyncio
import logging
import os
import sys
import time

import asyncpg
import psycopg2

log = logging.getLogger("database")


def with_asyncpg(port):
    async def connect():
        connection = await asyncpg.connect(
            host="127.0.0.1",
            port=port,
            user="app",
            database="appdb",
            password=os.environ["PGPASSWORD"],
        )
        await connection.close()

    asyncio.run(connect())


def with_psycopg2(port):
    psycopg2.connect(host="127.0.0.1", port=port, user="app", dbname="appdb").close()


def main():
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    driver, port, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    connect = {"asyncpg": with_asyncpg, "psycopg2": with_psycopg2}[driver]
    succeeded = 0
    for _ in range(times):
        try:
            connect(port)
            succeeded += 1
        except Exception:
            log.exception("PostgreSQL is inaccessible through the SSH tunnel")
        time.sleep(0.05)
    print(f"{succeeded} of {times} succeeded")
    sys.exit(0 if succeeded == times else 1)


main()
