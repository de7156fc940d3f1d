#include "core/visible_text.h"

#include <gtest/gtest.h>

namespace tessera {
namespace {

TEST(VisibleText, EscapesWhatATerminalObeysAndKeepsTheRest) {
  EXPECT_EQ(visible_text("a\tb\nc"), "a\tb\nc");
  EXPECT_EQ(visible_text("\x1b]0;x\a\r\x7f"), "\\x1b]0;x\\x07\\x0d\\x7f");
  EXPECT_EQ(visible_text(std::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(visible_text("\xc2\x9b|\xc2\xa0"), "\\x9b|\xc2\xa0");  // C1; a space that does not break
  EXPECT_EQ(visible_text("na\xc3\xafve \xe2\x82\xac \xf0\x9f\x90\xb1"), "na\xc3\xafve \xe2\x82\xac \xf0\x9f\x90\xb1");
  EXPECT_EQ(visible_text("caf\xe9"), "caf\\xe9");                                  // Latin-1
  EXPECT_EQ(visible_text("\xc0\x9b \xed\xa0\x80"), "\\xc0\\x9b \\xed\\xa0\\x80");  // overlong; a surrogate
  EXPECT_EQ(visible_text("\xe2\x82"), "\\xe2\\x82");                               // cut off
}

}  // namespace
}  // namespace tessera
