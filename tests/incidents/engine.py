"""Incident 3: an application with a pool of asyncpg, which rests and then works again.

Usage: engine.py PORT REST_SECONDS [HEARTBEAT_SECONDS]
"""

import asyncio
import logging
import os
import sys

import asyncpg

log = logging.getLogger("engine")


async def beat(connection, every):
    while True:
        await asyncio.sleep(every)
        await connection.execute("select 1")


async def work(port, rest, heartbeat):
    log.info("Starting RCA Engine API...")
    pool = await asyncpg.create_pool(
        host="127.0.0.1",
        port=port,
        user="app",
        database="appdb",
        password=os.environ["PGPASSWORD"],
        ssl=False,
        min_size=1,
        max_size=1,
    )
    async with pool.acquire() as connection:
        await connection.fetchval("select 1")
        beating = asyncio.create_task(beat(connection, heartbeat)) if heartbeat else None
        await asyncio.sleep(rest)
        if beating:
            beating.cancel()
        await connection.fetchval("select count(*) from pg_class")
    await pool.close()
    print("worked")


def main():
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.INFO)
    port, rest, *heartbeat = sys.argv[1:]
    try:
        asyncio.run(work(int(port), float(rest), float(heartbeat[0]) if heartbeat else None))
    except Exception:
        log.exception("Query failed")
        sys.exit(1)


main()
