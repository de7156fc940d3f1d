// The `tessera` binary: one subcommand a file; errors become exit codes here and nowhere else.

#include <csignal>
#include <new>

#include "core/error.h"
#include "core/output_file.h"
#include "tools/command_line.h"
#include "tools/say.h"
#include "tools/tool.h"

namespace tessera {

namespace {

int run(int argc, char** argv) {
  CommandLine line("tessera", "tessera: see, profile and compare image classifiers", TESSERA_VERSION);
  line.program().footer(
      "Examples:\n"
      "  tessera classify cat.jpg --model efficientnet_lite0\n"
      "  tessera compare --data photos/ --model A.h5 --model B.h5 --out run/\n"
      "  tessera inspect seeded:vit_base_patch16_224\n"
      "`tessera COMMAND --help` says more.");
  Outcome outcome;
  for (const auto add : {add_classify, add_compare, add_merge, add_analyze, add_inspect, add_bench, add_convert,
                         add_verify, add_dump, add_diff, add_profile, add_roofline, add_quantize, add_probe,
                         add_selftest, add_synth, add_seed_weights, add_models}) {
    add(line.program(), outcome);
  }
  return line.parse(argc, argv).value_or(outcome.exit_code);
}

}  // namespace

}  // namespace tessera

namespace {

int run_for_exit_code(int argc, char** argv) {
  using namespace tessera;
  try {
    return run(argc, argv);
  } catch (const ReaderGone&) {
    return kReaderGoneExit;
  } catch (const Error& error) {
    say("{}", error.what());
    return error.exit_code();
  } catch (const std::bad_alloc&) {
    say("out of memory");
    return static_cast<int>(ErrorKind::kResource);
  } catch (const std::exception& error) {
    say("internal error: {}", error.what());
  } catch (...) {
    say("internal error: something that is no exception was thrown");
  }
  return static_cast<int>(ErrorKind::kInternal);
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // a file beyond the size limit becomes an error of write(), like a full disk
  tessera::prepare_streams();
  return tessera::exit_code_of_output(run_for_exit_code(argc, argv));
}
