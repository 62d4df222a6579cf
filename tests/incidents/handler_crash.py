"""Incident 1: a database manager whose SSH tunnel builds a handler class.

Usage: handler_crash.py original|mended SSH_HOST SSH_PORT SSH_USER KEY KNOWN_HOSTS DB_HOST DB_PORT
"""

import logging
import select
import socketserver
import sys
import threading

import paramiko
import psycopg2

log = logging.getLogger("application")


class Tunnel:
    def __init__(self, host, port, user, key, known_hosts, target):
        self._stop_event = threading.Event()
        self._target = target
        self._client = paramiko.SSHClient()
        self._client.load_host_keys(known_hosts)
        self._client.connect(
            host, port, user, key_filename=key, allow_agent=False, look_for_keys=False
        )

    def start(self):
        handler = self._build_handler(self._client.get_transport())
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self._server.server_address[1]

    def _build_handler(self, transport):
        stop_event = self._stop_event
        database = self._target

        class Handler(Forwarding):
            stop_event = stop_event
            target = database

        Handler.transport = transport
        return Handler


class MendedTunnel(Tunnel):
    def _build_handler(self, transport):
        stop_evt = self._stop_event
        database = self._target

        class Handler(Forwarding):
            stop_event = stop_evt
            target = database

        Handler.transport = transport
        return Handler


class Forwarding(socketserver.BaseRequestHandler):
    def handle(self):
        channel = self.transport.open_channel(
            "direct-tcpip", self.target, self.request.getpeername()
        )
        while not self.stop_event.is_set():
            ready, _, _ = select.select([self.request, channel], [], [], 1)
            for one, other in ((self.request, channel), (channel, self.request)):
                if one in ready:
                    data = one.recv(65536)
                    if not data:
                        channel.close()
                        return
                    other.sendall(data)


def create_manager(tunnel):
    try:
        port = tunnel.start()
    except Exception as error:
        raise RuntimeError(f"Failed to create postgresql manager: {error}")
    return psycopg2.connect(host="127.0.0.1", port=port, user="app", dbname="appdb")


def main():
    logging.basicConfig(format="%(levelname)s %(message)s")
    variant, host, port, user, key, known_hosts, db_host, db_port = sys.argv[1:]
    tunnel = {"original": Tunnel, "mended": MendedTunnel}[variant]
    try:
        manager = create_manager(
            tunnel(host, int(port), user, key, known_hosts, (db_host, int(db_port)))
        )
    except Exception as error:
        log.error("Failed to create database manager for procurement: %s", error)
        sys.exit(1)
    with manager.cursor() as cursor:
        cursor.execute("select current_database()")
        print("connected to", cursor.fetchone()[0])


main()
