#!/usr/bin/env bash
# Installs code-server, which is VS Code in a web browser, and the version of Node that it needs into
# a folder, for the extension's tests. Does nothing if they are installed already.
# Prerequisites: apt-get install chromium libkrb5-dev gcc g++ make python3 npm
# usage: install-code-server.sh FOLDER
set -euo pipefail

code_server=4.139.1
node=24.21.0

target=$(mkdir -p "${1:?usage: install-code-server.sh FOLDER}" && cd "$1" && pwd)
wanted="code-server $code_server, node $node"
if [ "$(cat "$target/installed" 2>/dev/null)" = "$wanted" ]; then
  echo "$wanted"
  exit 0
fi
for tool in npm gcc g++ make python3; do
  if ! command -v "$tool" >/dev/null; then
    echo "error: code-server is built with $tool; apt-get install it" >&2
    exit 3
  fi
done

install_package() { # FOLDER PACKAGE
  rm -rf "$1" # an interrupted run may have left it incomplete
  mkdir -p "$1"
  cd "$1"
  echo '{"private": true}' >package.json
  npm install --no-save --no-audit --no-fund --loglevel=error "$2"
}

rm -f "$target/installed"
install_package "$target/node" "node@$node"
export PATH=$target/node/node_modules/node/bin:$PATH
# This Node's own headers; those of the system may be of another version.
headers=$(find "$target/node" -path '*/include/node/common.gypi' -print -quit)
export npm_config_nodedir=${headers%/include/node/common.gypi}
install_package "$target/code-server" "code-server@$code_server"

cat >"$target/run" <<EOS
#!/bin/sh
PATH="$target/node/node_modules/node/bin:\$PATH" exec \\
  "$target/code-server/node_modules/.bin/code-server" "\$@"
EOS
chmod +x "$target/run"
echo "$wanted" >"$target/installed"
echo "$wanted"
