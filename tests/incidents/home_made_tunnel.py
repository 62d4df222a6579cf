"""Incident 2: an SSH tunnel of the application's own making, and a library's in its place.

Usage: home_made_tunnel.py own|library SSH_HOST SSH_PORT SSH_USER KEY KNOWN_HOSTS DB_HOST DB_PORT PORT
"""

import logging
import select
import socket
import sys
import time

import paramiko
from sshtunnel import SSHTunnelForwarder


class SSHTunnel:
    """Works when it is tried by hand. After a few connections it cleans up: too much."""

    def __init__(self, host, port, user, key, known_hosts, target):
        self.login = (host, port, user, key)
        self.known_hosts = known_hosts
        self.target = target
        self.client = None
        self.served = 0

    def connect(self):
        host, port, user, key = self.login
        self.client = paramiko.SSHClient()
        self.client.load_host_keys(self.known_hosts)
        self.client.connect(
            host, port, user, key_filename=key, allow_agent=False, look_for_keys=False
        )

    def serve(self, port):
        listener = socket.create_server(("127.0.0.1", port))
        self.connect()
        print("ready", flush=True)
        while True:
            local, _ = listener.accept()
            try:
                self.handle(local)
            except OSError as error:
                logging.warning("tunnel: %s", error)
                self.clean_up(local)

    def handle(self, local):
        # A channel is opened once the application has something to say.
        select.select([local], [], [])
        try:
            channel = self.client.get_transport().open_channel(
                "direct-tcpip", self.target, local.getpeername()
            )
        except (paramiko.SSHException, AttributeError) as error:
            logging.warning("tunnel: %s, reconnecting", error)
            local.close()
            self.connect()
            return
        while True:
            ready, _, _ = select.select([local, channel], [], [])
            for one, other in ((local, channel), (channel, local)):
                if one in ready:
                    data = one.recv(65536)
                    if not data:
                        self.clean_up(local)
                        return
                    other.sendall(data)

    def clean_up(self, local):
        local.close()
        self.served += 1
        if self.served % 3 == 0:
            self.client.close()  # the session that the next connections need


def main():
    logging.basicConfig(format="%(levelname)s %(message)s")
    variant, host, ssh_port, user, key, known_hosts, db_host, db_port, port = sys.argv[1:]
    target = (db_host, int(db_port))
    if variant == "own":
        SSHTunnel(host, int(ssh_port), user, key, known_hosts, target).serve(int(port))
    with SSHTunnelForwarder(
        (host, int(ssh_port)),
        ssh_username=user,
        ssh_pkey=key,
        remote_bind_address=target,
        local_bind_address=("127.0.0.1", int(port)),
    ):
        print("ready", flush=True)
        time.sleep(600)


main()
