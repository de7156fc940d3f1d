#include "core/json.h"

#include <gtest/gtest.h>

namespace tessera {
namespace {

using Json = nlohmann::json;

std::string nested(int levels, const std::string& inside) {
  std::string before, after;
  for (int i = levels - 1; i >= 0; --i) before += i % 2 == 0 ? "[" : R"({"a":)";
  for (int i = 0; i < levels; ++i) after += i % 2 == 0 ? "]" : "}";
  return before + inside + after;
}

TEST(ParseJson, GivesWhatTheLibraryGives) {
  for (const char* text : {R"({"a":[1,-2,3.5,true,false,null,"text",[],{}],"b":{"c":{"d":[[1],[2,[3]]]}},"":"\u00e9"})",
                           "[]", "{}", "17", "-9223372036854775808", "18446744073709551615", R"("\n")", "null",
                           " [ 1 , 2 ] ", R"({"a":1,"a":{"b":2}})", R"({"a":[{"x":1},{"y":[{"z":2}]},3]})"}) {
    EXPECT_EQ(parse_json(text), Json::parse(text)) << text;
  }
}

TEST(ParseJson, DiscardsWhatIsNoJson) {
  for (const char* text : {"", "{", "[1,]", "{\"a\"}", "{\"a\":}", "[1] 2", "nul", "'a'", "\"\xff\"", "[1}", "]",
                           "1e999", "[1e999]", "{\"a\":1,}", "\"\x01\""}) {
    EXPECT_TRUE(parse_json(text).is_discarded()) << text;
    EXPECT_EQ(parse_json(text, JsonRules{}).fault, "is not JSON") << text;
  }
}

TEST(ParseJson, BoundsWhatATextHolds) {
  EXPECT_FALSE(parse_json(nested(16, "1")).is_discarded());
  EXPECT_EQ(parse_json(nested(17, "1"), JsonRules{}).fault, "is nested too deeply");
  EXPECT_TRUE(parse_json(nested(100'000, "1")).is_discarded());
  EXPECT_FALSE(parse_json("[2147483647.5,-2147483647.5]").is_discarded());
  EXPECT_TRUE(parse_json("2147483648.0").is_discarded());
  EXPECT_TRUE(parse_json(R"({"a":[-1e10]})").is_discarded());
  EXPECT_EQ(parse_json("[1,2,3]", {.most_values = 3}).fault, "has too many entries");
  EXPECT_EQ(parse_json("[1,2,3]", {.most_values = 4}).value, Json({1, 2, 3}));
  EXPECT_EQ(parse_json(R"({"a":{"b":1,"b":2}})", {.names_once = true}).fault, "names 'b' twice");
  EXPECT_EQ(parse_json(R"({"a":{"b":1},"b":{"b":1}})", {.names_once = true}).fault, "");
}

// A parser that looks through the whole parent at each object's end takes minutes for this.
TEST(ParseJson, TakesTimeAsTheTextIsLong) {
  constexpr int kObjects = 100'000;
  std::string object = "{", array = "[";
  for (int i = 0; i < kObjects; ++i) {
    object += (i == 0 ? "\"" : ",\"") + std::to_string(i) + R"(":{"a":[]})";
    array += i == 0 ? "{}" : ",{}";
  }
  EXPECT_EQ(parse_json(object + "}").size(), static_cast<std::size_t>(kObjects));
  EXPECT_EQ(parse_json(array + "]").size(), static_cast<std::size_t>(kObjects));
}

}  // namespace
}  // namespace tessera
