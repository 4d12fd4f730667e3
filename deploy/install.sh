#!/usr/bin/env bash
# Installs, upgrades and removes the agent without a Debian package: each version in a virtual environment of its own
# below /opt/edge-agent/releases, and a link `current` that changes hands in one rename.
#
#   sudo deploy/install.sh                      from this checkout; again after `git pull`: an upgrade
#   sudo deploy/install.sh --wheel FILE         from a wheel of the agent
#   sudo deploy/install.sh --wheels DIR         without the network: the libraries' wheels from a folder
#   sudo deploy/install.sh uninstall [--purge]  configuration and data stay; with --purge nothing does
#
# An upgrade that does not become ready is taken back. Power may be cut at any line: what starts next is one version or
# the other, whole; running this again finishes it. EDGE_AGENT_ROOT installs below another root, to try.
set -euo pipefail
shopt -s inherit_errexit
unset PYTHONPATH PYTHONHOME # of whoever calls; a release finds its own
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=${EDGE_AGENT_ROOT-}
home=$root/opt/edge-agent
releases=$home/releases
unit=edge-agent.service
config=$root/etc/edge-agent/edge-agent.toml
command_link=$root/usr/local/bin/edge-agent
needed_mb=${EDGE_AGENT_NEEDED_MB:-650} # a release is 240 MB, pip's scratch as much, and the agent goes on writing

say() { printf 'install: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
systemd_runs() { [ -d "$root/run/systemd/system" ]; }
version_in() { "$1/bin/edge-agent" --version 2>/dev/null | sed 's/^edge-agent //'; }
current() { readlink "$home/current" 2>/dev/null | sed 's|^releases/||' || true; }

point() { # LINK TARGET: in one rename
  ln -sfn "$2" "$1.new"
  mv -T "$1.new" "$1"
  sync "$(dirname "$1")"
}

put() { # SOURCE PLACE: in one rename, and only when it changed
  cmp -s "$1" "$2" && return
  mkdir -p "$(dirname "$2")"
  install -m 0644 "$1" "$2.new"
  sync "$2.new"
  mv "$2.new" "$2"
}

need_root() { [ "$(id -u)" = 0 ] || fail "must be root: sudo deploy/install.sh"; }

need_no_package() {
  if [ -z "$root" ] && [ -e /usr/lib/edge-agent/upgrade.py ]; then
    fail "the Debian package edge-agent is installed: upgrade that, or remove it first (apt-get remove edge-agent; configuration and data stay)"
  fi
}

need_python() {
  python=${EDGE_AGENT_PYTHON:-python3}
  "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null ||
    fail "no Python from 3.11 to 3.14: apt-get install python3 (Debian 12 or newer), or name one in EDGE_AGENT_PYTHON"
  "$python" -c 'import ensurepip, venv' 2>/dev/null || fail "this Python makes no virtual environments: apt-get install python3-venv"
}

need_space() {
  local free_mb
  free_mb=$(($(df --output=avail -k "$home" | tail -n 1) / 1024))
  [ "$free_mb" -ge "$needed_mb" ] || fail "$home: $needed_mb MB are needed, $free_mb MB are free. Nothing was changed. \
Make room (apt-get clean; journalctl --vacuum-size=50M), then run this again"
}

alone() {
  exec 9>"$home/.lock"
  flock -n 9 || fail "another install.sh is at work"
}

sweep() { # what a cut left behind, and all but the current and the previous version
  local release keep_one keep_two
  keep_one=$(current) keep_two=$(readlink "$home/previous" 2>/dev/null | sed 's|^releases/||' || true)
  rm -rf "$home/tmp" "$home"/*.new
  for release in "$releases"/*; do
    [ -d "$release" ] || continue
    case "${release##*/}" in "$keep_one" | "$keep_two") [ ! -e "$release/complete" ] || continue ;; esac
    rm -rf "$release"
  done
}

fingerprint() { # of what is to be installed
  if [ -n "$asked_wheel" ]; then sha256sum <"$asked_wheel"; else
    (cd "$here/.." && find edge_agent hardware_mocks pyproject.toml deploy/constraints.txt -type f ! -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum | sha256sum)
  fi | cut -c1-8
}

asked_version() {
  if [ -n "$asked_wheel" ]; then
    basename "$asked_wheel" | cut -d- -f2
  else
    sed -n 's/^__version__ = "\(.*\)"/\1/p' "$here/../edge_agent/__init__.py"
  fi
}

copy_of_checkout() { # pip leaves folders of its own where it builds
  mkdir -p "$home/tmp/sources"
  cp -r "$here/../edge_agent" "$here/../hardware_mocks" "$here/../models" "$here/../pyproject.toml" "$here/../setup.py" "$here/../README.md" "$home/tmp/sources/"
  echo "$home/tmp/sources"
}

make_venv() { # FOLDER OPTION ...
  local folder=$1
  shift
  "$python" -m venv "$@" "$folder" >>"$home/install.log" 2>&1 || fail "$python -m venv $folder did not work; nothing was changed: $(tail -n 1 "$home/install.log")"
}

pip_into() { # RELEASE ARGUMENT ...
  local pip=$python release=$1
  shift
  if ! "$python" -c "import pip" 2>/dev/null; then
    make_venv "$home/tmp/builder"
    pip=$home/tmp/builder/bin/python
  fi
  TMPDIR=$home/tmp PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    "$pip" -m pip --quiet --python "$release/bin/python" install "$@" >>"$home/install.log" 2>&1 </dev/null ||
    fail "pip could not install; nothing was changed. $(explain)"
}

explain() {
  if grep -q 'No space left on device' "$home/install.log"; then
    echo "The card is full: make room (apt-get clean; journalctl --vacuum-size=50M), then run this again"
  elif grep -qE 'Failed to establish a new connection|name resolution|Network is unreachable|ProxyError|Connection refused' "$home/install.log"; then
    echo "It cannot reach the package index: connect the network, or bring wheels along (--wheels DIR)"
  else
    echo "What it said: $(grep -v '^WARNING' "$home/install.log" | tail -n 3 | tr '\n' ' ')(all of it: $home/install.log)"
  fi
}

lay_down() { # RELEASE: whole when its file `complete` is there
  local release=$1 options=(--constraint "$here/constraints.txt") venv=(--without-pip) what=$asked_wheel
  [ ! -e "$release/complete" ] || return 0
  : >"$home/install.log"
  mkdir -p "$home/tmp"
  [ -n "$what" ] || what=$(copy_of_checkout)
  # Python 3.13 has lgpio from Debian (python3-lgpio) or not at all.
  if "$python" -c 'import sys, lgpio; sys.exit(sys.version_info < (3, 13))' 2>/dev/null; then venv+=(--system-site-packages); fi
  make_venv "$release" "${venv[@]}"
  [ -z "$asked_wheels" ] || options+=(--no-index --find-links "$asked_wheels")
  pip_into "$release" "${options[@]}" "${what}[pi,signed,models]"
  "$release/bin/edge-agent" --version >>"$home/install.log" 2>&1 || fail "the new version does not even start; nothing was changed: $(tail -n 1 "$home/install.log")"
  cp "$here/upgrade.py" "$release/"
  sync -f "$release"
  touch "$release/complete"
  sync "$release"
}

helper() { # RELEASE WHAT
  "$releases/$1/bin/python" -sP "$releases/$1/upgrade.py" "$2" "$("$releases/$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
    --root "${root:-/}" --agent "$home/current/bin/edge-agent"
}

lay_down_units() {
  local version
  sed "s|^ExecStart=/usr/bin/edge-agent|ExecStart=/opt/edge-agent/current/bin/edge-agent|" "$here/systemd/edge-agent.service" >"$home/tmp/$unit"
  put "$home/tmp/$unit" "$root/etc/systemd/system/$unit"
  put "$here/systemd/sysusers.conf" "$root/usr/local/lib/sysusers.d/edge-agent.conf"
  put "$here/systemd/tmpfiles.conf" "$root/usr/local/lib/tmpfiles.d/edge-agent.conf"
  put "$here/systemd/60-edge-agent.rules" "$root/etc/udev/rules.d/60-edge-agent.rules"
  put "$here/systemd/modules-load.conf" "$root/etc/modules-load.d/edge-agent.conf"
  version=$(systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
  if [ "${version:-0}" -ge 254 ]; then put "$here/systemd/backoff.conf" "$root/etc/systemd/system/$unit.d/backoff.conf"; fi
  if command -v systemd-sysusers >/dev/null; then
    systemd-sysusers ${root:+--root="$root"} edge-agent.conf || fail "the user edge-agent could not be made"
    systemd-tmpfiles ${root:+--root="$root"} --create edge-agent.conf || true # what it cannot do in a chroot, it does at boot
  else
    say "no systemd here: the user edge-agent and the folders are not made"
  fi
  mkdir -p "$(dirname "$command_link")"
  [ "$(readlink "$command_link" 2>/dev/null)" = /opt/edge-agent/current/bin/edge-agent ] || point "$command_link" /opt/edge-agent/current/bin/edge-agent
  if systemd_runs; then
    systemctl daemon-reload
    udevadm control --reload 2>/dev/null || true
    udevadm trigger --subsystem-match=gpio --subsystem-match=i2c-dev --subsystem-match=spidev 2>/dev/null || true
    modprobe -q i2c-dev 2>/dev/null || true
    systemctl enable --quiet "$unit"
  fi
}

put_to_work() { # RELEASE
  local new=$1 old why stays
  old=$(current)
  if [ "$old" = "$new" ] && [ ! -e "$home/trying" ]; then
    lay_down_units
    if systemd_runs && [ -e "$config" ]; then systemctl start "$unit" || fail "the service does not start: journalctl -u edge-agent tells why"; fi
    say "version $(version_in "$home/current") is installed already"
    return
  fi
  if [ "$old" = "$new" ]; then old=$(readlink "$home/previous" 2>/dev/null | sed 's|^releases/||' || true); fi # a try cut short
  why=$(helper "$new" keep 2>&1) || fail "the new version was not put to work: $why"
  lay_down_units
  if systemd_runs && systemctl is-active --quiet "$unit"; then systemctl stop "$unit"; fi
  if [ -n "$old" ]; then point "$home/previous" "releases/$old"; fi
  touch "$home/trying"
  sync "$home"
  point "$home/current" "releases/$new"
  if why=$(helper "$new" try 2>&1); then
    rm -f "$home/trying"
    helper "$new" forget
    say "version $(version_in "$home/current") is installed$([ -e "$config" ] || echo '. Next: sudo edge-agent setup')"
    return
  fi
  if [ -z "$old" ]; then
    rm -f "$home/trying"
    fail "installed, but not well: $why"
  fi
  if systemd_runs; then systemctl stop "$unit" || true; fi
  if stays=$(helper "$new" restore 2>&1); then
    point "$home/current" "releases/$old"
    rm -f "$home/trying" "$home/previous"
    if systemd_runs; then systemctl start "$unit" || true; fi
    fail "the new version was taken back, version $(version_in "$home/current") runs on: $why"
  fi
  rm -f "$home/trying"
  if systemd_runs; then systemctl start --no-block "$unit" || true; fi
  say "the new version is not well: $why"
  fail "$stays"
}

do_install() {
  need_no_package
  need_python
  mkdir -p "$releases"
  alone
  sweep
  local name
  name=$(asked_version)-$(fingerprint)
  [ -e "$releases/$name/complete" ] || need_space
  lay_down "$releases/$name"
  mkdir -p "$home/tmp"
  put_to_work "$name"
  sweep
}

do_uninstall() {
  if [ ! -d "$home" ] && [ "$asked_purge" = no ]; then say "nothing is installed in $home"; fi
  if systemd_runs; then
    systemctl stop "$unit" 2>/dev/null || true
    systemctl disable --quiet "$unit" 2>/dev/null || true
  fi
  rm -rf "$root/etc/systemd/system/$unit" "$root/etc/systemd/system/$unit.d" "$command_link" \
    "$root/etc/udev/rules.d/60-edge-agent.rules" "$root/etc/modules-load.d/edge-agent.conf" \
    "$root/usr/local/lib/sysusers.d/edge-agent.conf" "$root/usr/local/lib/tmpfiles.d/edge-agent.conf"
  rmdir "$root/usr/local/lib/sysusers.d" "$root/usr/local/lib/tmpfiles.d" 2>/dev/null || true
  rm -rf "$home"
  if systemd_runs; then systemctl daemon-reload; fi
  if [ "$asked_purge" = no ]; then
    say "removed; configuration stays in /etc/edge-agent, data in /var/lib/edge-agent. With --purge they go, too"
    return
  fi
  rm -rf "$root/etc/edge-agent" "$root/var/lib/edge-agent" "$root"/etc/credstore/edge-agent.* "$root"/dev/shm/edge-agent-refuge-*
  if [ -z "$root" ]; then
    userdel edge-agent >/dev/null 2>&1 || true
    groupdel edge-agent >/dev/null 2>&1 || true
  fi
  say "removed, with its configuration and its data"
}

asked=install asked_wheel='' asked_wheels='' asked_purge=no
while [ $# -gt 0 ]; do
  case "$1" in
    install | uninstall) asked=$1 ;;
    --wheel) asked_wheel=$(realpath -m "${2?--wheel wants a file}") && shift ;;
    --wheels) asked_wheels=$(realpath -m "${2?--wheels wants a folder}") && shift ;;
    --purge) asked_purge=yes ;;
    -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" && exit ;;
    *) fail "unknown argument $1: see deploy/install.sh --help" ;;
  esac
  shift
done
if [ -n "$asked_wheel" ] && [ ! -f "$asked_wheel" ]; then fail "$asked_wheel: no such wheel"; fi
need_root
case "$asked" in install) do_install ;; uninstall) do_uninstall ;; esac
