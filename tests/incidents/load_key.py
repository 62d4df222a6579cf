"""Reads a key the way that older code does: as one type, whatever it is.

Usage: load_key.py PATH
"""

import sys

import paramiko

try:
    paramiko.RSAKey.from_private_key_file(sys.argv[1])
except paramiko.SSHException as error:
    sys.exit(f"paramiko.ssh_exception.SSHException: {error}")
