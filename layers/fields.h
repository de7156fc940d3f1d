#pragma once
// A layer declares its attributes once, and what is said, stored, compared, drawn or sent of them follows from that:
//
//   static void fields(auto& self, auto&& visit) {
//     visit(said("kernel", "kernel {}"), self.kernel);
//     visit(said_unless_usual("stride", "stride {}"), self.stride);
//     visit(unsaid("count_include_pad"), self.count_include_pad);
//     visit(set_by_pass("residual", "+ residual"), self.residual);
//   }
//
// `self` is the layer, or a const one. All fields are visited, always in the same order. A value is a std::int64_t, a
// float, a bool, a Size2, an enum with names (names.h), an optional float, an array of std::int64_t, a layer or an
// optional layer.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "layers/names.h"

namespace tessera {

struct Size2 {
  std::int64_t height = 1;
  std::int64_t width = 1;
  Size2() = default;
  Size2(std::int64_t both) : height(both), width(both) {}  // NOLINT(google-explicit-constructor): .kernel = 3
  Size2(std::int64_t h, std::int64_t w) : height(h), width(w) {}
  bool operator==(const Size2&) const = default;
};
// "3" or "3x5"
std::string to_string(Size2 size);

enum class Saying { kNever, kUnlessUsual, kAlways };

struct Field {
  std::string_view name;
  // What `inspect` says; "{}" stands for the value. A text that begins with a blank goes on with the one before it.
  std::string_view text;
  Saying saying = Saying::kNever;
  bool set_by_pass = false;  // no model sets it: a pass does that makes a further layer part of this one
};

constexpr Field said(std::string_view name, std::string_view text) { return {name, text, Saying::kAlways}; }
// Usual is what a layer has that nothing was said of.
constexpr Field said_unless_usual(std::string_view name, std::string_view text) {
  return {name, text, Saying::kUnlessUsual};
}
constexpr Field unsaid(std::string_view name) { return {name, "", Saying::kNever}; }
constexpr Field set_by_pass(std::string_view name, std::string_view text) {
  return {name, text, Saying::kUnlessUsual, true};
}

// A value as text: "3x5", "relu", "1e-05".
std::string field_text(std::int64_t value);
std::string field_text(float value);
std::string field_text(bool value);
std::string field_text(const Size2& value);
std::string field_text(const std::optional<float>& value);
template <NamedEnum E>
std::string field_text(E value) {
  return std::string(to_string(value));
}

// Appends what `field` says of a value to the text of a layer.
void append_saying(std::string& text, const Field& field, std::string_view value);

// "64, kernel 7, stride 2": what the fields say of a layer whose values are no layers themselves.
template <class L>
std::string say_fields(const L& layer) {
  const L usual{};
  std::vector<std::string> usual_texts;
  L::fields(usual, [&](const Field&, const auto& value) { usual_texts.push_back(field_text(value)); });
  std::string text;
  auto usual_text = usual_texts.begin();
  L::fields(layer, [&](const Field& field, const auto& value) {
    const std::string value_text = field_text(value);
    const bool is_usual = value_text == *usual_text++;
    if (field.saying == Saying::kAlways || (field.saying == Saying::kUnlessUsual && !is_usual)) {
      append_saying(text, field, value_text);
    }
  });
  return text;
}

}  // namespace tessera
