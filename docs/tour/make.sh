#!/bin/bash
# Makes every block of output and every figure of the tour anew.
#
#   docs/tour/make.sh [--check | --without-times] [TESSERA]     TESSERA: the binary, by default build/release/tools/tessera
#
# In a page, the comment `<!-- $ COMMAND -->` stands before the output of the command. `<!-- measured $ COMMAND -->` is the
# same for output with times in it, `<!-- figure $ COMMAND -->` makes a picture in $figures, `<!-- measured figure $ ... -->`
# one with times in it. What has times wants a machine that does nothing else; --without-times leaves it as it is. --check
# makes the rest in a temporary folder and fails where a page says something else: ctest runs it.
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)
check='' times=yes
case "${1:-}" in
  --check) check=yes times='' ; shift ;;
  --without-times) times='' ; shift ;;
esac
tessera=$(realpath "${1:-$repository/build/release/tools/tessera}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/home" "$work/pages" "$work/figures"
ln -s "$tessera" "$work/bin/tessera"
ln -s "$repository/models" "$repository/layers" "$work/"
export PATH="$work/bin:$PATH" TESSERA_HOME="$work/home"
export figures="$repository/docs/tour"
if [ -n "$check" ]; then figures="$work/figures"; fi
cd "$work"

run() {
  bash -o pipefail -c "$1" < /dev/null 2>&1 || { echo "failed: $1" >&2; exit 1; }
}
# The output of a command as a block; trailing spaces would not survive an editor.
block() {
  local output  # without the empty lines at its end
  output=$(run "$1" | sed 's/[[:space:]]*$//')
  printf '```\n$ %s\n%s\n```\n' "$1" "$output"
}

# Copies a page; what stands between the fences behind a comment is made anew.
remake() {
  local line inside='' keep=''
  while IFS= read -r line; do
    if [ -n "$inside" ]; then
      if [ -n "$keep" ]; then printf '%s\n' "$line"; fi
      if [ "$inside" = begins ] && [ "$line" = '```' ]; then
        inside=yes
      elif [ "$line" = '```' ]; then
        inside=''
      fi
      continue
    fi
    printf '%s\n' "$line"
    case "$line" in
      '<!-- $ '*' -->')
        line=${line#'<!-- $ '}
        block "${line%' -->'}"
        inside=begins keep='' ;;
      '<!-- measured $ '*' -->')
        line=${line#'<!-- measured $ '}
        if [ -n "$times" ]; then block "${line%' -->'}"; fi
        inside=begins keep=yes
        if [ -n "$times" ]; then keep=''; fi ;;
      '<!-- figure $ '*' -->')
        line=${line#'<!-- figure $ '}
        run "${line%' -->'}" >&2 ;;
      '<!-- measured figure $ '*' -->')
        line=${line#'<!-- measured figure $ '}
        if [ -n "$times" ]; then run "${line%' -->'}" >&2; fi ;;
    esac
  done
}

status=0
for page in "$repository"/docs/tour/[0-9]*.md; do
  name=$(basename "$page")
  echo "docs/tour/$name" >&2
  remake < "$page" > "$work/pages/$name"
  if [ -z "$check" ]; then
    cp "$work/pages/$name" "$page"
  elif ! diff -u "$page" "$work/pages/$name"; then
    echo "docs/tour/$name is stale; docs/tour/make.sh makes it anew" >&2
    status=1
  fi
done
exit $status
