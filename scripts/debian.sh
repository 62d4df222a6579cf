# Sourced by scripts/in-debian and scripts/package-check: minimal Debians in
# folders of their own.

say() { printf '%s\n' "$*" >&2; }

commit() { git -c safe.directory="$PWD" rev-parse HEAD 2>/dev/null || true; }

# Of the last commit, in seconds since 1970: archives of one commit are the same.
date_of_commit() { git -c safe.directory="$PWD" log -1 --format=%ct 2>/dev/null || date +%s; }

# in_private_mounts SCRIPT ARGUMENTS…: begins the script again where its mounts are
# its own, and end with it.
in_private_mounts() {
  [ -z "${IN_PRIVATE_MOUNTS:-}" ] || return 0
  [ "$(id -u)" -eq 0 ] || { say "run this as root: it makes a root file system"; exit 2; }
  command -v mmdebstrap >/dev/null || { say "install mmdebstrap first"; exit 2; }
  IN_PRIVATE_MOUNTS=1 exec unshare --mount --propagation private -- "$@"
}

# The mirror of this machine, where it is a Debian; else mmdebstrap's own choice.
mirror() {
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' \
    2>/dev/null | grep -v security | head -n 1 || true
}

# new_root SUITE: unpacks a minimal Debian into memory and prints its folder. It is
# a mount, and so are the folders of this machine that are put into it: they are
# taken away before anything is removed.
new_root() {
  # mmdebstrap goes by the ending of the name.
  local suite=$1 kept=target/debian/$1.tar made=target/debian/new-$1.tar mirrors=() root
  if [ ! -e "$kept" ]; then
    say "making a minimal Debian ($suite)"
    mkdir -p target/debian
    mapfile -t mirrors < <(mirror)
    mmdebstrap --quiet --variant=minbase "$suite" "$made" "${mirrors[@]}" >&2
    mv "$made" "$kept"
  fi
  root=$(mktemp -d "/tmp/dbdoctor-$suite-XXXXXX")
  mount -t tmpfs -o mode=755 dbdoctor "$root"
  # Device nodes come from the machine.
  tar xf "$kept" -C "$root" --exclude './dev/*'
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  printf '%s\n' "$root"
}

# remove_roots ROOT…
remove_roots() {
  local root
  for root; do
    umount --recursive --lazy "$root" && rmdir "$root"
  done
}

# What programs and apt expect of a running system.
mount_system() {
  mount -t proc proc "$1/proc"
  mount --rbind /dev "$1/dev"
}

# install_in ROOT PACKAGE…: names, or paths of files in it.
install_in() {
  local root=$1
  shift
  chroot "$root" apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive chroot "$root" \
    apt-get install -qq -y --no-install-recommends "$@" >"$root/tmp/apt.log" 2>&1 ||
    { cat "$root/tmp/apt.log" >&2; return 1; }
}
