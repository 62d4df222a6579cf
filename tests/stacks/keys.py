"""A client's certificate and key as asyncpg loads them: certificate, key, password."""

import ssl
import sys

cert, key, password = sys.argv[1:4]
try:
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(cert, keyfile=key, password=lambda: password)
    said = "ok"
except Exception as error:
    said = str(error)
print("asyncpg", said, sep="\t")
