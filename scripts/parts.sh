# SPDX-License-Identifier: Apache-2.0
# Sourced: a script's parts, each with its time, and what the scripts share.
#
#   print_table_at_exit       a table of the parts, however the script ends
#   part NAME COMMAND...      runs it; a failure ends the script (set -e)
#   try_part NAME COMMAND...  runs it; a failure sets $failed to 1

jobs=$(nproc)
export LSAN_OPTIONS="suppressions=$PWD/tests/lsan.supp"
running=""

# Seconds of processor time that all ended children took.
children_seconds() {
  times >"$table.times"
  sed -n 2p "$table.times" | awk '{ split($1, u, /[ms]/); split($2, s, /[ms]/); print u[1]*60 + u[2] + s[1]*60 + s[2] }'
}

end_part() {  # how it ended
  [ -n "$running" ] || return 0
  children_seconds >"$table.cpu"
  printf '%-24s %8d s %8.0f s  %s\n' "$running" "$(($(date +%s) - began))" \
    "$(awk -v now="$(cat "$table.cpu")" -v before="$cpu_before" 'BEGIN { print now - before }')" "$1" >>"$table"
  running=""
}

begin_part() {  # name
  printf '\n== %s\n' "$1"
  began=$(date +%s)
  children_seconds >"$table.cpu"
  cpu_before=$(cat "$table.cpu")
  running=$1
}

part() {
  begin_part "$1"
  shift
  "$@"
  end_part ok
}

try_part() {
  begin_part "$1"
  shift
  if "$@"; then end_part ok; else failed=1; end_part failed; fi
}

print_table() {
  code=$?
  end_part failed
  printf '\n%-24s %10s %10s\n' part elapsed processor
  cat "$table"
  printf '%-24s %8d s\n' total "$(($(date +%s) - script_began))"
  trap - EXIT
  rm -f "$table" "$table.times" "$table.cpu"
  exit "$code"
}

print_table_at_exit() {
  table=$(mktemp)
  script_began=$(date +%s)
  trap print_table EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

configure_and_build() {  # preset, further arguments of the build
  preset=$1
  shift
  configure "$preset"
  cmake --build --preset "$preset" -j "$jobs" "$@"
}

configure() {  # preset, further arguments of cmake
  if command -v ccache >/dev/null; then set -- "$@" -DCMAKE_CXX_COMPILER_LAUNCHER=ccache; fi
  cmake --preset "$@" >/dev/null
}

# What it keeps is in build/fuzz; of what the corpus holds nothing is written.
fuzz_target() {  # name, libFuzzer's limits
  name=$1
  shift
  mkdir -p "build/fuzz/$name" "fuzz/corpus/$name"
  "build/asan/fuzz/${name}_fuzz" "$@" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/$name-" "build/fuzz/$name" "fuzz/corpus/$name" >"build/fuzz/$name.log" 2>&1 ||
    { tail -n 40 "build/fuzz/$name.log"; echo "fuzz $name: a finding, see build/fuzz/$name-*"; return 1; }
  printf '%s: ' "$name"
  grep -E 'number_of_executed_units|new_units_added' "build/fuzz/$name.log" | tr -s '\n ' ' '
  echo
}

fuzz_names() { (cd build/asan/fuzz && ls -- *_fuzz) | sed 's/_fuzz$//'; }
