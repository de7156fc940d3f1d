// What the processes of a run say to each other: the first byte is the kind of message (as a digit), what follows its
// bytes. Rows have their checksums put right, so that what is under them is read too.
#include <atomic>
#include <functional>
#include <nlohmann/json.hpp>

#include "evaluation/compare/run_ledger.h"
#include "evaluation/summary/summary.h"
#include "scale/helper.h"
#include "scale/leader.h"
#include "scale/protocol.h"
#include "tests/fuzz/checksums.h"
#include "tests/fuzz/fuzz.h"

namespace tessera {

// A process of two whose other one is the fuzzer: what it sends is answered at once.
struct Messenger::Link {
  int rank = 0;
  std::string host = "fuzz";
  std::function<void(const Message&)> handler = {}, answer = {};
};

namespace {

int next_rank = 0;
std::function<void(int kind)> on_send;
std::function<void(const Message&)> handler;

}  // namespace

Messenger::Messenger() : link_(new Link{.rank = next_rank}) {}
Messenger::~Messenger() = default;
int Messenger::rank() const noexcept { return link_->rank; }
int Messenger::size() const noexcept { return 2; }
const std::string& Messenger::host() const noexcept { return link_->host; }
void Messenger::listen(std::function<void(const Message&)> new_handler) { handler = std::move(new_handler); }
void Messenger::close() { handler = nullptr; }
void Messenger::send(int, int kind, std::string) {
  if (on_send) on_send(kind);
}

namespace {

constexpr std::size_t kPictures = 8;
constexpr const char* kHelloOfNone = R"({"host":"h","settings":{},"pictures":0,"environments":[]})";

const RunVoice& silent() {
  static const RunVoice voice{.progress = [](const ComparisonProgress&) {}, .note = [](const std::string&) {}};
  return voice;
}

RunPlan plan_of(std::int64_t pictures) {
  RunPlan plan;
  plan.header.settings = nlohmann::json::object();
  plan.header.pictures = pictures;
  plan.header.labels = LabelSet::custom({"x", "y"});
  plan.folder = fuzz::folder() / "run";
  plan.resume = false;
  plan.options.warmup = 0;
  return plan;
}

Dataset pictures() {
  Dataset dataset;
  dataset.samples.resize(kPictures);
  for (Sample& sample : dataset.samples) sample.path = "/no/such/picture";
  return dataset;
}

bool leader_takes(int kind, const std::string& bytes) {
  return fuzz::expect_answer([&] {
    const std::atomic<bool> stop{false};
    std::vector<std::unique_ptr<Classifier>> models;
    const RunPlan plan = plan_of(0);
    next_rank = 0;
    on_send = [](int told) {
      if (told == kStop || told == kEnd) handler({.from = 1, .kind = kDone, .bytes = {}});
    };
    Messenger messenger;
    Leader leader(messenger, stop);
    handler({.from = 1, .kind = kind, .bytes = bytes});
    if (kind != kHello) handler({.from = 1, .kind = kHello, .bytes = kHelloOfNone});
    handler({.from = 1, .kind = kDone, .bytes = {}});
    leader.run(models, {}, plan, silent());
  });
}

bool ledger_takes(std::string_view rows) {
  return fuzz::expect_answer([&] {
    const Dataset dataset = pictures();
    RunPlan plan = plan_of(kPictures);
    plan.header.models = {{.name = "a", .prefix = "a"}};
    RunLedger ledger(
        dataset, plan, [] { return false; }, silent());
    const std::size_t handed = ledger.next(kPictures).size();
    ledger.take(rows_of_lines(with_checksums(rows), 1));
    const ComparisonResult result = ledger.finish();
    const ComparisonSummary summary = summarise(result);
    if (handed != kPictures || summary_text(summary, result).empty()) std::abort();
  });
}

bool helper_takes(int kind, const std::string& bytes) {
  return fuzz::expect_answer([&] {
    const std::atomic<bool> stop{false};
    const Dataset dataset = pictures();
    std::vector<std::unique_ptr<Classifier>> models;
    next_rank = 1;
    int asked = 0;
    on_send = [&](int said) {
      if (said != kAsk) return;
      const bool first = asked++ == 0;
      handler({.from = 0, .kind = first ? kind : kNumbers, .bytes = first ? bytes : std::string()});
    };
    Messenger messenger;
    Helper helper(messenger, stop);
    helper.run(models, dataset, plan_of(kPictures));
  });
}

}  // namespace
}  // namespace tessera

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tessera;
  if (size == 0) return 0;
  const int kind = data[0] - '0';
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (kind == kRows) return fuzz::verdict(ledger_takes(bytes));
  const bool to_helper = kind >= kNumbers;
  return fuzz::verdict(to_helper ? helper_takes(kind, bytes) : leader_takes(kind, bytes));
}
