#!/bin/sh
# Sets up a bare Debian 12 and passes every test: format, AddressSanitizer and UBSan, ThreadSanitizer, 8 s of each
# fuzzer, clang-tidy on what the last commit changed, and the whole suite of the release build, whose summary comes last.
# Each stage begins with the time that has passed; without ccache all of it takes some 50 minutes on two slow cores.
#
#   scripts/test.sh           all of it
#   scripts/test.sh release   the release build alone
set -eu
cd "$(dirname "$0")/.."
jobs=$(nproc)
started=$(date +%s)

# A stage's name, and the time since the start.
stage() {
  passed=$(($(date +%s) - started))
  printf '== %d:%02d %s\n' $((passed / 60)) $((passed % 60)) "$1"
}

stage "packages"
scripts/setup.sh test

# One test binary of a sanitizer's build, its tests dealt out to as many processes as there are cores; output is shown
# only of one that fails.
run_sanitized() {
  preset=$1
  binary=build/$1/tests/$2
  shift 2
  export ASAN_OPTIONS=allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1
  export LSAN_OPTIONS=suppressions="$PWD/tests/leak_suppressions.txt":print_suppressions=0
  running=""
  for shard in $(seq 0 $((jobs - 1))); do
    GTEST_TOTAL_SHARDS=$jobs GTEST_SHARD_INDEX=$shard "$binary" "$@" >"build/sanitizer-$shard.log" 2>&1 &
    running="$running $!"
  done
  shard=0
  for process in $running; do
    if ! wait "$process"; then
      cat "build/sanitizer-$shard.log"
      echo "$preset: $binary failed" >&2
      exit 1
    fi
    echo "$preset: $binary, part $((shard + 1)) of $jobs: $(grep -c "^\[       OK" "build/sanitizer-$shard.log") tests passed"
    shard=$((shard + 1))
  done
}

if [ "${1:-all}" = all ]; then
  stage "format"
  scripts/format.sh --check
  stage "clang-tidy (what the last commit changed)"
  TIDY_AT_MOST=8 scripts/tidy.sh
  stage "address and undefined-behaviour sanitizers (all but the full-size models)"
  cmake --preset asan >/dev/null
  cmake --build --preset asan -j "$jobs" --target core_test engine_test layers_test cpu_test weights_test vision_test cli_test \
    device_test registry_test evaluation_test profiling_test pages_test synth_test picture_queue_test run_state_test \
    processes_test
  for test in engine/engine_test layers/layers_test device/device_test models/registry_test weights/weights_test \
    vision/vision_test vision/picture_queue_test synth/synth_test pages/pages_test evaluation/evaluation_test \
    evaluation/profiling_test evaluation/run_state_test scale/processes_test; do
    run_sanitized asan "$test"
  done
  # Left out: limits on memory, which the sanitizer's own exceeds, what measures times, and what takes half a minute or
  # more under it to reach code that others here reach as well. All of it runs in the release build.
  run_sanitized asan core/core_test --gtest_filter="-Resources.TooManyThreads*"
  run_sanitized asan cpu/cpu_test --gtest_filter="-Tuning.MeasuresEachShapeOnce:Tuning.EveryChoiceGivesTheSameLogits"
  run_sanitized asan tools/cli_test --gtest_filter="-*MemoryRunsOut*:*MemoryItCouldNotGet*:*CannotBeStarted*:*EveryBatchAndThreadCount*:*TunesOnce*:*ProfileCompares*:*DoesNotRemember*:*EmbeddedModels*:*TwentyKills*:*WhenTheDiskIsFull*:*InBothModes*:CliProbe.TheModelIsOneLikeAnyOther:CliProbe.GivesTheSameHead*:CliProbe.GivesAModelThat*:CliProbe.FoldersNamedByNumbers*:CliProbe.TakesFeaturesFromTheirFile*:Cli.BenchMeasuresEachCombination:Device.Selftest*"
  stage "address and undefined-behaviour sanitizers, on the emulated CUDA device"
  if cmake --build --preset asan --target help | grep -q emulated_plugin_test; then
    cmake --build --preset asan -j "$jobs" --target emulated_device_test emulated_plugin_test
    run_sanitized asan cuda/emulated_device_test
    run_sanitized asan cuda/emulated_plugin_test --gtest_filter="-*DeviceLayers.DoNotDependOn*"
  else
    echo "left out: the headers of CUDA, cuBLAS and cuDNN are not here"
  fi
  stage "thread sanitizer (thread and memory pool, engine, layers, CPU kernels, what holds a run's state)"
  cmake --preset tsan -DTESSERA_BUILD_BENCH=OFF >/dev/null
  cmake --build --preset tsan -j "$jobs" --target core_test engine_test layers_test cpu_test device_test synth_test \
    picture_queue_test run_state_test processes_test
  run_sanitized tsan core/core_test --gtest_filter="ThreadPool.*:MemoryPool.*"
  run_sanitized tsan engine/engine_test
  run_sanitized tsan layers/layers_test --gtest_filter="*DoNotDependOnThreads*"
  run_sanitized tsan cpu/cpu_test --gtest_filter="*DoNotDependOnThreads*"
  run_sanitized tsan device/device_test
  run_sanitized tsan vision/picture_queue_test
  run_sanitized tsan synth/synth_test --gtest_filter="ShapesFiles.*"
  run_sanitized tsan evaluation/run_state_test
  run_sanitized tsan scale/processes_test
  stage "fuzzers"
  scripts/fuzz.sh 8
fi

stage "release"
configured=$(cmake --preset release -DCMAKE_CUDA_ARCHITECTURES=90)  # one of those that a plugin for users is built for
echo "$configured" | grep -E "left out|CUDA plugin" || true
cmake --build --preset release -j "$jobs"
ctest --preset release -j "$jobs" --output-on-failure
