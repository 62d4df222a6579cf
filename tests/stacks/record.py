"""Shows every form of certificate to real TLS stacks, and writes down what they say.

usage: record.py FOLDER CLIENT=PROGRAM...

FOLDER gets the forms and what each client says of them; the clients are python, node,
java, go and rust (a built rust/), psql and psycopg. scripts/record-stacks installs them.
What other versions of them said before is kept.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from forms import Maker, forms

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True).stdout.strip()
PORT = int(os.environ.get("STACKS_PORT", "54017"))
DEMANDS = {"none": "require", "chain": "verify-ca", "name": "verify-full"}

PSYCOPG = """
import psycopg, sys
try:
    psycopg.connect(sys.argv[1]).close(); print("ok")
except Exception as error:
    print(str(error))
"""


def as_postgres(*words, **more):
    return subprocess.run(["runuser", "-u", "postgres", "--", *words], **more)


class Server:
    """A PostgreSQL server that shows whatever certificate it is given."""

    def __init__(self, folder):
        self.data = os.path.join(folder, "data")
        self.config = os.path.join(folder, "openssl.cnf")
        with open(self.config, "w") as file:
            # The server itself takes every certificate and every version.
            file.write("openssl_conf=a\n[a]\nssl_conf=b\n[b]\nsystem_default=c\n[c]\n"
                       "CipherString=ALL:@SECLEVEL=0\nMinProtocol=TLSv1\n")
        os.chmod(folder, 0o755)
        password = os.path.join(folder, "password")
        with open(password, "w") as file:
            file.write("secret\n")
        os.chmod(password, 0o644)
        os.mkdir(self.data)
        shutil.chown(self.data, "postgres")
        as_postgres(f"{BIN}/initdb", "-D", self.data, "-A", "scram-sha-256", "-U", "app",
                    f"--pwfile={password}", "--no-sync", check=True, stdout=subprocess.DEVNULL)
        with open(f"{self.data}/postgresql.conf", "a") as file:
            file.write(f"port={PORT}\nlisten_addresses='127.0.0.1'\nunix_socket_directories=''\nfsync=off\n"
                       "ssl=on\nssl_min_protocol_version=TLSv1\nssl_ciphers='ALL:@SECLEVEL=0'\n"
                       "log_min_messages=fatal\nssl_ecdh_curve='prime256v1'\n")

    def show(self, chain, key, limit=""):
        for name, text in (("server.crt", chain), ("server.key", key)):
            path = f"{self.data}/{name}"
            if os.path.exists(path):
                os.remove(path)
            with open(path, "w") as file:
                file.write(text)
            shutil.chown(path, "postgres")
            os.chmod(path, 0o600)
        with open(f"{self.data}/postgresql.auto.conf", "w") as file:
            file.write(limit)
        self.stop()
        done = as_postgres("env", f"OPENSSL_CONF={self.config}", f"{BIN}/pg_ctl", "-D", self.data, "-w",
                           "-l", f"{self.data}/log", "start", capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr + open(f"{self.data}/log").read()[-2000:])

    def stop(self):
        as_postgres(f"{BIN}/pg_ctl", "-D", self.data, "-m", "immediate", "stop", capture_output=True)


def libpq(client, program, host, roots):
    """The sentences of psql or psycopg, by their demand."""
    found = []
    for demand, mode in DEMANDS.items():
        text = f"host={host} hostaddr=127.0.0.1 port={PORT} user=app password=secret dbname=postgres sslmode={mode} connect_timeout=10"
        text += " sslrootcert=" + (roots if demand != "none" else "/nonexistent")
        text += " sslcert=/nonexistent sslkey=/nonexistent gssencmode=disable"
        words = [program, "-XAtc", "SELECT 'ok'", text] if client == "psql" else [program, "-c", PSYCOPG, text]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
        said = (done.stdout + done.stderr).strip()
        # What is before the last colon but one says where, not what.
        said = re.sub(r"^.*? failed: ", "", said.replace("\n", " "))
        found.append((client, demand, said))
    if client == "psql":
        version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
        version = re.search(r"(\d+)\.", version).group(1)
        return [("libpq", demand, said) for _, demand, said in found], {"libpq": version}
    version = subprocess.run([program, "-c", "import psycopg; print(psycopg.pq.version() // 10000)"],
                             capture_output=True, text=True).stdout.strip()
    return [("libpq", demand, said) for _, demand, said in found], {"libpq": version}


def raw(client, program, host, roots):
    words = {
        "python": [program, f"{HERE}/python.py"],
        "node": [program, f"{HERE}/node.js"],
        "java": [program, "-Duser.language=en", "-cp", os.environ.get("CLASSPATH", ""), "Stack"],
        "go": [program],
        "rust": [program],
    }[client]
    done = subprocess.run([*words, str(PORT), host, roots], capture_output=True, text=True, timeout=120)
    rows, versions = [], {}
    for line in done.stdout.splitlines():
        if line.startswith("version "):
            _, stack, version = line.split(" ")
            versions[stack] = version
        elif line.count("\t") >= 2:
            rows.append(tuple(line.split("\t", 2)))
    if not rows:
        raise SystemExit(f"{client}: {done.stderr}")
    return rows, versions


def tidy(text):
    """Without what changes from one run to the next."""
    text = re.sub(r"(?<=current time )\S+", "NOW", text)
    text = re.sub(r"\b[0-9A-F]{12,}:(?=error:)", "", text)
    text = re.sub(r"verification time \d+ \(UNIX\)", "verification time NOW (UNIX)", text)
    text = re.sub(r"\(\d+ seconds [a-z ]+\)", "(… seconds)", text)
    return re.sub(r"\s+", " ", text.replace("\\", "/")).strip()


def before(path):
    """The lines of an earlier record."""
    if os.path.exists(path):
        with open(path) as file:
            for line in file:
                if line.strip() and not line.startswith("#"):
                    yield line.rstrip("\n").split("\t")


def main():
    out, clients = sys.argv[1], [word.split("=", 1) for word in sys.argv[2:]]
    folder = tempfile.mkdtemp(prefix="stacks-")
    server = Server(folder)
    shutil.rmtree(f"{out}/forms", ignore_errors=True)
    os.makedirs(f"{out}/forms")
    rows, runs = [], set()
    shown = []
    for name, host, sent, trusted in forms(Maker(folder)):
        shown.append((name, host, [cert[0] for cert in sent], [cert[0] for cert in trusted], sent[0][1], ""))
    good = shown[0]
    for limit in ("TLSv1", "TLSv1.1", "TLSv1.2"):
        name = "only-" + limit.lower().replace(".", "-")
        shown.append((name, *good[1:5], f"ssl_max_protocol_version='{limit}'\n"))
    try:
        for name, host, sent, trusted, key, limit in shown:
            pem = [open(path).read() for path in sent]
            anchors = [open(path).read() for path in trusted]
            roots = os.path.join(folder, "root.crt")
            with open(roots, "w") as file:
                file.write("".join(anchors))
            os.chmod(roots, 0o644)
            with open(f"{out}/forms/{name}.pem", "w") as file:
                file.write(f"host: {host}\nsent:\n{''.join(pem)}trusted:\n{''.join(anchors)}")
            server.show("".join(pem), open(key).read(), limit)
            for client, program in clients:
                run = libpq if client in ("psql", "psycopg") else raw
                said, versions = run(client, program, host, roots)
                for stack, demand, text in said:
                    version = versions[stack.removesuffix("-default")]
                    runs.add((stack, version))
                    if text != "ok":
                        rows.append((name, stack, version, demand, tidy(text).replace(roots, "root.crt")))
            for row in rows:
                if row[0] == name:
                    print("\t".join(row), flush=True)
            print(name, "done", flush=True)
    finally:
        server.stop()
        shutil.rmtree(folder)
    measured = set(runs)
    for line in before(f"{out}/said.tsv"):
        if line[0] == "*" and tuple(line[1:]) not in runs:
            runs.add(tuple(line[1:]))
        elif line[0] != "*" and (line[1], line[2]) not in measured:
            rows.append(tuple(line))
    rows.sort()
    with open(f"{out}/said.tsv", "w") as file:
        file.write(f"# What real TLS stacks say of the certificates in forms/, written by record.py on "
                   f"{time.strftime('%Y-%m-%d')}.\n# A form that a stack accepts has no row.\n"
                   "# form, stack, version, demand (none, chain, name), text; form \"*\": the runs\n\n")
        for stack, version in sorted(runs):
            file.write(f"*\t{stack}\t{version}\n")
        for row in rows:
            file.write("\t".join(row) + "\n")


if __name__ == "__main__":
    main()
