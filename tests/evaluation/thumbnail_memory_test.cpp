// A page for whose pictures memory runs out shows their names, and a comparison's results are kept.

#include <gtest/gtest.h>

#include <filesystem>
#include <span>

#include "evaluation/report/thumbnails.h"
#include "tests/failing_allocation.h"

namespace tessera {
namespace {

TEST(Thumbnails, AreLeftOutWhereMemoryRunsOut) {
  const Sample sample{.path = std::filesystem::path(TESSERA_TEST_DATA) / "vision" / "jpeg_420.jpg", .name = "a.jpg"};
  const Thumbnails thumbnails{std::span(&sample, 1)};
  const std::string whole = thumbnails.uri(sample);
  ASSERT_TRUE(whole.starts_with("data:image/jpeg"));
  std::int64_t failures = 0;
  for (;; ++failures) {
    fail_allocation(failures);
    const std::string uri = thumbnails.uri(sample);
    if (!allocation_failed()) {
      EXPECT_EQ(uri, whole);
      break;
    }
    EXPECT_EQ(uri, "");
  }
  EXPECT_GT(failures, 4);
}

}  // namespace
}  // namespace tessera
