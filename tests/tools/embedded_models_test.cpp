// The two models that come with tessera: what PyTorch makes of them, and what docs/shapes.md says of them.
#include "tests/tools/cli_fixture.h"

namespace tessera::cli_test {
namespace {

TEST_F(Cli, EmbeddedModelsEqualPyTorch) {
  for (const auto& [model, reference] :
       {std::pair{"shapes-resnet", "shapes_resnet.h5"}, {"shapes-vit", "shapes_vit.h5"}}) {
    const std::string file = std::string(TESSERA_TEST_DATA) + "/models/" + reference;
    for (const char* device : {"eigen", "cpu"}) {
      const Outcome outcome = run({"verify", model, "--reference", file, "--device", device});
      EXPECT_EQ(outcome.exit_code, 0) << model << " on " << device << ": " << outcome.out << outcome.err;
    }
  }
}

TEST_F(Cli, EmbeddedModelsNameShapesTheyHaveNotSeen) {
  const std::string data = (folder_ / "shapes").string();
  ASSERT_EQ(run({"synth", "shapes", "--count", "1600", "--seed", "77", "-o", data}).exit_code, 0);
  const Json summary = run_json({"compare", "--data", data, "--model", "shapes-resnet", "--model", "shapes-vit",
                                 "--out", (folder_ / "run").string()});
  // What docs/shapes.md measures on 50,000 pictures; three standard errors of 1,600.
  const std::vector<double> measured{0.8836, 0.9423};
  ASSERT_EQ(summary.at("models").size(), measured.size());
  for (std::size_t m = 0; m < measured.size(); ++m) {
    const double error = std::sqrt(measured[m] * (1 - measured[m]) / 1600);
    EXPECT_NEAR(summary.at("models")[m].at("top1_share").get<double>(), measured[m], 3 * error);
  }
}

}  // namespace
}  // namespace tessera::cli_test
