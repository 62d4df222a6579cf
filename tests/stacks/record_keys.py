"""Gives every form of a client's key to the drivers that read one, and writes down
what they say.

usage: record_keys.py FOLDER CLIENT=PROGRAM...
"""

import os
import shutil
import subprocess
import sys
import tempfile

from forms import CA, EKU, KU, LEAF, Maker, RSA, ec, ED25519
import record

PASSWORD = "opensesame"


def forms(folder):
    """Each form's name, the file's name, certificate, key, and whether a password is given."""
    make = Maker(folder)
    root = make.cert("/CN=Clients", CA)
    for algorithm, kind in (("rsa", RSA), ("ec", ec("P-256")), ("ed25519", ED25519)):
        cert, key = make.cert("/CN=app", LEAF + KU + "extendedKeyUsage=clientAuth\n", root, kind=kind)

        def made(name, *words):
            path = os.path.join(folder, f"{algorithm}-{name}")
            if os.path.exists(path):
                os.remove(path)
            make.run(*words, "-out", path)
            os.chmod(path, 0o600)
            return path

        kinds = {"rsa": [("pkcs1", "rsa")], "ec": [("sec1", "ec")]}.get(algorithm, [])
        yield f"{algorithm} pkcs8", cert, made("pkcs8.key", "pkey", "-in", key)
        yield f"{algorithm} pkcs8 .pem", cert, made("pkcs8.pem", "pkey", "-in", key)
        der = made("pkcs8.pk8", "pkcs8", "-topk8", "-nocrypt", "-outform", "DER", "-in", key)
        yield f"{algorithm} pkcs8-der .pk8", cert, der
        shutil.copy(der, der[:-4] + ".der")
        yield f"{algorithm} pkcs8-der .der", cert, der[:-4] + ".der"
        for form, tool in kinds:
            more = ["-traditional"] if tool == "rsa" else []
            yield f"{algorithm} {form}", cert, made(f"{form}.key", tool, "-in", key, *more)
            yield f"{algorithm} {form} .pem", cert, made(f"{form}.pem", tool, "-in", key, *more)
            yield f"{algorithm} {form} .pk8", cert, made(f"{form}.pk8", tool, "-in", key, *more)
            yield f"{algorithm} {form}-der", cert, made(f"{form}.der", tool, "-in", key, "-outform", "DER", *more)
            yield (f"{algorithm} {form}-encrypted", cert,
                   made(f"{form}-enc.key", tool, "-in", key, "-aes256", "-passout", f"pass:{PASSWORD}", *more))
        yield (f"{algorithm} pkcs8-encrypted", cert,
               made("pkcs8-enc.key", "pkcs8", "-topk8", "-in", key, "-passout", f"pass:{PASSWORD}"))
        yield (f"{algorithm} pkcs8-encrypted .pem", cert,
               made("pkcs8-enc.pem", "pkcs8", "-topk8", "-in", key, "-passout", f"pass:{PASSWORD}"))
        yield (f"{algorithm} pkcs8-encrypted-der .pk8", cert,
               made("pkcs8-enc.pk8", "pkcs8", "-topk8", "-in", key, "-outform", "DER", "-passout", f"pass:{PASSWORD}",
                    "-v1", "PBE-SHA1-3DES"))
        yield (f"{algorithm} pkcs8-encrypted-pbes2-der .pk8", cert,
               made("pkcs8-pbes2.pk8", "pkcs8", "-topk8", "-in", key, "-outform", "DER", "-passout", f"pass:{PASSWORD}"))
        yield (f"{algorithm} pkcs12 .p12", cert,
               made("bundle.p12", "pkcs12", "-export", "-name", "user", "-in", cert, "-inkey", key, "-passout", f"pass:{PASSWORD}"))
        if algorithm == "rsa":
            wide = os.path.join(folder, "rsa-wide.key")
            shutil.copy(key, wide)
            os.chmod(wide, 0o644)
            yield "rsa pkcs8 mode-0644", cert, wide
            ssh = os.path.join(folder, "rsa-openssh.key")
            subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", ssh], check=True)
            yield "rsa openssh", cert, ssh


def said(client, program, cert, key, password):
    if client == "psql":
        text = (f"host=db.corp.test hostaddr=127.0.0.1 port={record.PORT} user=app password=secret dbname=postgres "
                f"sslmode=require sslrootcert=/nonexistent sslcert={cert} sslkey={key} gssencmode=disable")
        text += f" sslpassword={password}" if password else ""
        done = subprocess.run([program, "-XAtc", "SELECT 'ok'", text], capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL)
        yield "libpq", (done.stdout + done.stderr).strip().split(" failed: ")[-1]
        return
    words = {
        "python": [program, f"{record.HERE}/keys.py", cert, key, password],
        "node": [program, f"{record.HERE}/keys.js", cert, key],
        "java": [program, "-Duser.language=en", "-cp", os.environ.get("CLASSPATH", ""), "Keys", cert, key, password],
        "go": [program, cert, key, password],
        "rust": [program, "keys", cert, key],
    }[client]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    lines = [line.split("\t", 1) for line in done.stdout.splitlines() if "\t" in line]
    if not lines:
        raise SystemExit(done.stderr)
    yield from lines


def main():
    out, clients = sys.argv[1], [word.split("=", 1) for word in sys.argv[2:]]
    folder = tempfile.mkdtemp(prefix="keys-")
    server = record.Server(folder)
    make = Maker(folder)
    cert, key = make.cert("/CN=db.corp.test", "subjectAltName=DNS:db.corp.test\n")
    server.show(open(cert).read(), open(key).read())
    try:
        with open(f"{out}/keys.tsv", "w") as file:
            file.write("# What drivers say of the forms of a client's key, written by record_keys.py.\n"
                       "# form, password (none, given), driver, text\n\n")
            for name, cert, key in forms(folder):
                for given in ("", PASSWORD) if "encrypted" in name or "pkcs12" in name else ("",):
                    for client, program in clients:
                        for driver, text in said(client, program, cert, key, given):
                            text = record.tidy(text).replace(key, "KEY").replace(cert, "CERT")
                            file.write(f"{name}\t{'given' if given else 'none'}\t{driver}\t{text}\n")
    finally:
        server.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
