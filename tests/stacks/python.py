"""Python's ssl: `ssl` is the context that asyncpg makes, `default` create_default_context's."""

import socket
import ssl
import sys

port, host, roots = int(sys.argv[1]), sys.argv[2], sys.argv[3]
print("version", "python", "%d.%d" % sys.version_info[:2])


def shake(context):
    raw = socket.create_connection(("127.0.0.1", port), 10)
    raw.sendall(b"\0\0\0\x08\x04\xd2\x16\x2f")
    raw.recv(1)
    context.wrap_socket(raw, server_hostname=host).close()


for how in ("plain", "default"):
    for demand in ("none", "chain", "name"):
        try:
            context = ssl.create_default_context() if how == "default" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = demand == "name"
            context.verify_mode = ssl.CERT_NONE if demand == "none" else ssl.CERT_REQUIRED
            if demand != "none":
                context.load_verify_locations(roots)
            shake(context)
            said = "ok"
        except Exception as error:
            said = str(error)
        print("python-default" if how == "default" else "python", demand, said, sep="\t")
