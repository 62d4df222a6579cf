"""Incident 3: a port forward in user space that forgets connections on which nothing moves.

Usage: portproxy.py PORT TARGET_PORT SECONDS
"""

import select
import socket
import struct
import sys
import threading


def forward(local, target, limit):
    remote = socket.create_connection(("127.0.0.1", target))
    forgotten = False
    while True:
        ready, _, _ = select.select([local, remote], [], [], limit)
        if not ready:
            forgotten = True
            select.select([local, remote], [], [])
        if forgotten:
            # What comes now belongs to no connection that is known.
            for end in (local, remote):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.close()
            return
        for one, other in ((local, remote), (remote, local)):
            if one in ready:
                data = one.recv(65536)
                if not data:
                    local.close()
                    remote.close()
                    return
                other.sendall(data)


def main():
    port, target, limit = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    listener = socket.create_server(("127.0.0.1", port))
    print("ready", flush=True)
    while True:
        local, _ = listener.accept()
        threading.Thread(target=forward, args=(local, target, limit), daemon=True).start()


main()
