# Sourced by scripts/demo and scripts/test: makes sure that the programs they run
# are installed. On Debian and Ubuntu it installs the missing ones; elsewhere it
# lists them. Services of the installed packages are not started.

# PROGRAM:PACKAGE for Debian. A Python module is written python3/MODULE.
required_programs=(
  cc:build-essential
  pkg-config:pkg-config
  openssl:openssl
  psql:postgresql-client
  ssh:openssh-client
  sshd:openssh-server
)
required_for_tests=(
  pgbouncer:pgbouncer
  pgpool:pgpool2
  haproxy:haproxy
  dnsmasq:dnsmasq-base
  nft:nftables
  ip:iproute2
  puttygen:putty-tools
  dropbear:dropbear-bin
  sudo:sudo
  setpriv:util-linux
  ps:procps
  mount:mount
  xmllint:libxml2-utils
  cmark-gfm:cmark-gfm
  prometheus-node-exporter:prometheus-node-exporter
  node:nodejs
  curl:curl
  shellcheck:shellcheck
  systemd-analyze:systemd
  jq:jq
  zsh:zsh
  fish:fish
  python3/asyncpg:python3-asyncpg
  python3/gunicorn:gunicorn
  python3/paramiko:python3-paramiko
  python3/psycopg2:python3-psycopg2
  python3/sqlalchemy:python3-sqlalchemy
  python3/sshtunnel:python3-sshtunnel
)

# For scripts/in-debian and scripts/package-check.
required_for_packages=(
  mmdebstrap:mmdebstrap
  dpkg-shlibdeps:dpkg-dev
)

say() { printf '%s\n' "$*" >&2; }

# Servers are in sbin, which is not always in PATH.
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

is_there() {
  case "$1" in
    # Debian's modules work only with Debian's Python, whichever comes first in PATH.
    python3/*) /usr/bin/python3 -c "import ${1#*/}" 2>/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

missing_packages() {
  local entry
  for entry in "$@"; do
    is_there "${entry%%:*}" || printf '%s\n' "${entry#*:}"
  done
  # Debian does not put the server's programs in PATH.
  compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null ||
    command -v postgres >/dev/null || printf 'postgresql\n'
  pkg-config --exists openssl 2>/dev/null || printf 'libssl-dev\n'
}

# ensure_packages PROGRAM:PACKAGE…
ensure_packages() {
  if ! command -v cargo >/dev/null; then
    say 'Install a Rust toolchain first: https://rustup.rs'
    return 1
  fi
  local packages
  mapfile -t packages < <(missing_packages "$@" | sort -u)
  [ "${#packages[@]}" -gt 0 ] || return 0

  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null && as_root=(sudo)
  fi
  if ! command -v apt-get >/dev/null || { [ "$(id -u)" -ne 0 ] && [ "${#as_root[@]}" -eq 0 ]; }; then
    say "Install these Debian packages, or your system's equivalents: ${packages[*]}"
    say '  Fedora:   dnf install gcc pkgconf openssl-devel postgresql-server openssh-server pgbouncer pgpool-II haproxy dnsmasq nftables iproute nodejs putty jq zsh fish ShellCheck systemd python3-{asyncpg,gunicorn,paramiko,psycopg2,sqlalchemy}, and sshtunnel for Python'
    say '  Arch:     pacman -S base-devel openssl postgresql openssh pgbouncer haproxy dnsmasq nftables iproute2 nodejs putty jq zsh fish shellcheck systemd python-{asyncpg,gunicorn,paramiko,psycopg2,sqlalchemy}, and pgpool-II and sshtunnel for Python'
    say '  macOS:    brew install pkg-config openssl postgresql@16 (the lab needs Linux for the rest)'
    return 1
  fi

  say "installing ${packages[*]}"
  # invoke-rc.d runs this program before it starts a service; 101 forbids the start.
  local policy=/usr/sbin/policy-rc.d ours=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
    ours=yes
  fi
  local status=0
  {
    "${as_root[@]}" apt-get update -q &&
      "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "${packages[@]}"
  } >&2 || status=$?
  [ -z "$ours" ] || "${as_root[@]}" rm -f "$policy"
  return "$status"
}
