#!/usr/bin/env python3
"""Records what real drivers print for the lab's faults.

    python3 -m venv v && v/bin/pip install psycopg2-binary 'psycopg[binary]' psycopg_pool \\
        asyncpg pg8000 SQLAlchemy 'paramiko<4' sshtunnel
    npm install pg postgres knex          # in the folder named by NODE_PATH's parent
    v/bin/python tests/corpus/record.py LAB DBDOCTOR SCENARIO... > recorded.txt

RUST names the program that record.rs makes in a crate of its own, and ONLY the
drivers that are wanted, separated by commas.

Each scenario is served by the lab; each driver then connects as dbdoctor would,
in a process of its own, and its last words are kept. Who reads the result
decides which cause a text speaks of: a driver may say less than there is.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import time

PRELUDE = """
import os, sys, urllib.parse
env = os.environ
def params():
    t = sys.argv[1]
    if '://' in t:
        return None
    import shlex
    return dict(p.split('=', 1) for p in shlex.split(t))
def url():
    p = params()
    if p is None:
        return sys.argv[1]
    p = dict(p)
    q = urllib.parse.quote
    host = p.pop('host', 'localhost'); port = p.pop('port', '5432')
    user = p.pop('user', env.get('PGUSER', 'app')); db = p.pop('dbname', 'appdb')
    pw = p.pop('password', env.get('PGPASSWORD'))
    auth = q(user, safe='') + (':' + q(pw, safe='') if pw else '')
    if host.startswith('/'):
        p['host'] = host; host = ''
        place = ''
    else:
        place = f'{host}:{port}'
    query = urllib.parse.urlencode(p)
    return f'postgresql://{auth}@{place}/{db}' + ('?' + query if query else '')
"""

PYTHON = {
    "psycopg2": "import psycopg2; psycopg2.connect(sys.argv[1])",
    "psycopg": "import psycopg; psycopg.connect(sys.argv[1])",
    "psycopg_pool": """
import logging; logging.basicConfig(format='%(asctime)s %(levelname)s %(name)s: %(message)s')
from psycopg_pool import ConnectionPool
pool = ConnectionPool(sys.argv[1], min_size=1, timeout=2, open=True)
with pool.connection() as c: c.execute('select 1')
""",
    "asyncpg": "import asyncio, asyncpg; asyncio.run(asyncpg.connect(url(), timeout=6))",
    "pg8000": """
import pg8000.dbapi
p = params() or {}
pg8000.dbapi.connect(user=p.get('user','app'), host=p.get('host','localhost'), port=int(p.get('port',5432)),
    database=p.get('dbname'), password=p.get('password', env.get('PGPASSWORD')), timeout=6,
    ssl_context=True if p.get('sslmode') not in (None,'disable') else None)
""",
    "sqlalchemy": """
import sqlalchemy
e = sqlalchemy.create_engine(url().replace('postgresql://', 'postgresql+psycopg2://', 1))
with e.connect() as c: c.execute(sqlalchemy.text('select 1'))
""",
}

NODE = {
    "node-postgres": "const {Client}=require('pg'); (async()=>{const c=new Client({connectionString:process.argv[1],connectionTimeoutMillis:6000});await c.connect();await c.query('select 1');await c.end()})().catch(e=>{console.error(e);process.exit(1)})",
    "postgres.js": "const postgres=require('postgres'); const sql=postgres(process.argv[1],{max:1,connect_timeout:6}); sql`select 1`.then(()=>process.exit(0)).catch(e=>{console.error(e);process.exit(1)})",
    "knex": "const k=require('knex')({client:'pg',connection:process.argv[1],acquireConnectionTimeout:4000}); k.raw('select 1').then(()=>process.exit(0)).catch(e=>{console.error(e);process.exit(1)})",
}

RUST = ["tokio-postgres", "sqlx", "sqlx-pool"]

SSH = {
    "paramiko": """
import paramiko
user, _, rest = sys.argv[1].rpartition('@'); host, _, port = rest.partition(':')
c = paramiko.SSHClient()
if env.get('KNOWN'): c.load_host_keys(env['KNOWN'])
c.connect(host, int(port or 22), user, key_filename=env.get('KEY') or None, password=env.get('DBDOCTOR_SSH_PASSWORD'),
    passphrase=env.get('DBDOCTOR_SSH_PASSPHRASE'), look_for_keys=False, allow_agent=False, timeout=6, banner_timeout=6)
if env.get('DB'):
    h, _, p = env['DB'].rpartition(':')
    c.get_transport().open_channel('direct-tcpip', (h, int(p)), ('127.0.0.1', 0), timeout=8)
""",
    "sshtunnel": """
import sshtunnel, logging
user, _, rest = sys.argv[1].rpartition('@'); host, _, port = rest.partition(':')
h, _, p = env.get('DB', '127.0.0.1:5432').rpartition(':')
t = sshtunnel.SSHTunnelForwarder((host, int(port or 22)), ssh_username=user, ssh_pkey=env.get('KEY') or None,
    ssh_password=env.get('DBDOCTOR_SSH_PASSWORD'), remote_bind_address=(h, int(p)), allow_agent=False, host_pkey_directories=[])
t.start()
""",
}


def words(command, env, prefix, cwd):
    try:
        done = subprocess.run(prefix + command, env=env, cwd=cwd, capture_output=True, text=True,
                              timeout=25, stdin=subprocess.DEVNULL, start_new_session=True)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode == 0:
        return None
    return (done.stderr or done.stdout).strip()


def main():
    lab, dbdoctor, *names = sys.argv[1:]
    for name in names:
        served = subprocess.Popen([lab, "serve", name, "--bin", dbdoctor], stdout=subprocess.PIPE, text=True)
        try:
            expected = line = ""
            while "Ctrl-C" not in line:
                line = served.stdout.readline()
                if not line:
                    break
                if line.startswith("# expected: "):
                    expected = line.split()[-1]
                elif line.startswith("cd "):
                    command = line
            record(name, expected, command)
        finally:
            served.send_signal(signal.SIGINT)
            served.wait()


def record(name, expected, command):
    parts = shlex.split(command.replace('"$PATH"', os.environ["PATH"]))
    cwd = parts[1]
    at = parts.index("-i") + 1
    env = {}
    while "=" in parts[at]:
        key, _, value = parts[at].partition("=")
        env[key] = value
        at += 1
    end = next(i for i in range(at, len(parts)) if "dbdoctor" in parts[i].rsplit("/", 1)[-1])
    prefix = parts[at:end]
    args = parts[end + 2:]
    flags, target = {}, None
    i = 0
    while i < len(args):
        if args[i].startswith("--") and "=" not in args[i] and i + 1 < len(args):
            flags[args[i]] = args[i + 1]
            i += 2
        else:
            target = args[i] if not args[i].startswith("--") else target
            i += 1
    env.update({"LC_ALL": "C.UTF-8", "NODE_PATH": os.environ.get("NODE_PATH", "")})

    only = os.environ.get("ONLY")

    def wanted(driver):
        return not only or driver in only.split(",")

    def keep(driver, text):
        if text and wanted(driver):
            print(f"### {expected} | {driver} | {name}\n{text}\n", flush=True)

    if "--ssh" in flags and "," not in flags["--ssh"]:
        m = dict(re.findall(r"(\w+)=(\S+)", target or ""))
        db = f"{m.get('host', '127.0.0.1')}:{m.get('port', '5432')}"
        more = dict(env, DB=db, KEY=flags.get("--ssh-key", ""), KNOWN=flags.get("--ssh-known-hosts", ""))
        host = flags["--ssh"]
        ssh = ["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "ConnectTimeout=6",
               "-o", f"UserKnownHostsFile={flags.get('--ssh-known-hosts', '/dev/null')}", "-W", db, f"ssh://{host}"]
        if "--ssh-key" in flags:
            ssh[1:1] = ["-i", flags["--ssh-key"]]
        keep("openssh", words(ssh, more, prefix, cwd))
        for driver, code in SSH.items():
            keep(driver, words([sys.executable, "-c", PRELUDE + code, host], more, prefix, cwd))
        return
    if target is None:
        return
    if parts[end + 1] == "key":
        more = dict(env, KEY=target)
        keep("ssh-keygen", words(["ssh-keygen", "-y", "-P", env.get("DBDOCTOR_SSH_PASSPHRASE", ""), "-f", target], env, prefix, cwd))
        keep("paramiko", words([sys.executable, "-c", "import sys, os, paramiko; paramiko.PKey.from_path(sys.argv[1], os.environ.get('DBDOCTOR_SSH_PASSPHRASE','').encode() or None)", target], more, prefix, cwd))
        return
    keep("psql", words(["psql", "-XAtw", "-c", "select 1", "-d", target], env, prefix, cwd))
    for driver, code in PYTHON.items():
        if wanted(driver):
            keep(driver, words([sys.executable, "-c", PRELUDE + code, target], env, prefix, cwd))
    url = words([sys.executable, "-c", PRELUDE + "sys.exit(url())", target], env, prefix, cwd)
    for driver, code in NODE.items():
        if wanted(driver):
            keep(driver, words(["node", "-e", code, url or target], env, prefix, cwd))
    for driver in RUST if "RUST" in os.environ else []:
        if wanted(driver):
            keep(driver, words([os.environ["RUST"], driver, url or target], env, prefix, cwd))


main()
