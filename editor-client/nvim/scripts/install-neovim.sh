#!/usr/bin/env bash
# Installs a Neovim new enough for inline completion (0.12) into a folder, beside the system's own
# packages: from the next Debian, over the mirror that this system already uses, with its own libc.
# usage: install-neovim.sh FOLDER
set -euo pipefail

target=$(mkdir -p "${1:?usage: install-neovim.sh FOLDER}" && cd "$1" && pwd)
suite=${NVIM_SUITE:-forky}
nvim=$target/root/usr/bin/nvim
if [ -x "$target/nvim" ] && "$target/nvim" --version >/dev/null 2>&1; then
  "$target/nvim" --version | head -n 1
  exit 0
fi

mirror=$(cat /etc/apt/sources.list.d/*.sources 2>/dev/null | awk '/^URIs:/ {print $2; exit}')
if [ -z "$mirror" ]; then
  mirror=$(awk '$1 == "deb" {for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) {print $i; exit}}' \
    /etc/apt/sources.list)
fi
if [ -z "$mirror" ]; then
  echo "error: no Debian mirror is configured on this system; install Neovim 0.12 yourself" >&2
  exit 3
fi

apt=$target/apt
rm -rf "$apt" "$target/root"
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$target/root"
: >"$apt/status" # nothing counts as installed, so the whole closure is fetched, libc included
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" \
  >"$apt/sources.list"
cat >"$apt/apt.conf" <<EOF
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
EOF
export APT_CONFIG=$apt/apt.conf
apt-get --quiet=2 update
apt-get --quiet=2 --yes --no-install-recommends --download-only install neovim >/dev/null
for package in "$apt"/cache/archives/*.deb; do
  dpkg --extract "$package" "$target/root"
done
rm -rf "$apt"

# Started through its own loader, so that neither the program nor the system's libc is touched.
loader=$(find "$target/root/usr/lib" -name 'ld-linux-*.so.*' | head -n 1)
cat >"$target/nvim" <<EOF
#!/bin/sh
export VIMRUNTIME="$target/root/usr/share/nvim/runtime"
exec "$loader" --library-path "$(dirname "$loader")" "$nvim" "\$@"
EOF
chmod +x "$target/nvim"
"$target/nvim" --version | head -n 1
