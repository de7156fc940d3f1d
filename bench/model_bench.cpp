// Times whole models for bench/peers.py: prepares one, says "ready", the milliseconds from the start of main() to the
// first result and the most memory that the process has had (KiB). Then, for each line with a number of seconds on
// standard input, it runs for so long and prints the milliseconds of each run.
//
//   model_bench MODEL THREADS BATCH [DTYPE [ISA]]

#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/error.h"
#include "evaluation/ready/classifier.h"

namespace {

using tessera::Clock;
using tessera::ms_since;

int number(const char* text) {
  int value = 0;
  const std::string_view view(text);
  if (std::from_chars(view.data(), view.data() + view.size(), value).ec != std::errc() || value < 1) {
    throw tessera::UsageError("not a positive number: " + std::string(view));
  }
  return value;
}

int run(int argc, char** argv) {
  const auto start = Clock::now();
  if (argc < 4) throw tessera::UsageError("usage: model_bench MODEL THREADS BATCH [DTYPE [ISA]]");
  // Pictures of 224, as peers.py gives them to the other programs.
  tessera::RunOptions options{.threads = number(argv[2]), .max_batch = number(argv[3]), .image_size = 224};
  if (argc > 4) options.dtype = argv[4];
  if (argc > 5) options.isa = argv[5];
  tessera::Classifier classifier(argv[1], options);
  const tessera::Tensor input = tessera::Tensor::filled(classifier.input_shape(options.max_batch), 0.5F);
  classifier.run(input.view());
  const double first_ms = ms_since(start);
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  std::printf("ready %.1f %ld\n", first_ms, usage.ru_maxrss);
  std::fflush(stdout);
  double seconds = 0;
  while (std::cin >> seconds) {
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    while (Clock::now() < end) {
      const auto begin = Clock::now();
      classifier.run(input.view());
      std::printf("%.4f ", ms_since(begin));
    }
    std::printf("\n");
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const tessera::Error& error) {
    std::fprintf(stderr, "model_bench: %s\n", error.what());
    return error.exit_code();
  }
}
