#include "core/json.h"

#include <cmath>
#include <utility>
#include <vector>

namespace tessera {

namespace {

using Json = nlohmann::json;

// Builds a value as the library's own parser does, and stops at anything the rules do not allow. (With a callback, the
// library's parser searches the whole parent at the end of each object, which takes quadratic time.)
class Builder final : public Json::json_sax_t {
 public:
  explicit Builder(const JsonRules& rules) : rules_(rules) {}

  bool null() override { return put(nullptr) != nullptr; }
  bool boolean(bool value) override { return put(value) != nullptr; }
  bool number_integer(std::int64_t value) override { return put(value) != nullptr; }
  bool number_unsigned(std::uint64_t value) override { return put(value) != nullptr; }
  bool number_float(double value, const std::string&) override {
    if (!(std::abs(value) < rules_.most_fraction)) return refuse("holds a number that is too large");
    return put(value) != nullptr;
  }
  bool string(std::string& value) override { return put(std::move(value)) != nullptr; }
  bool binary(Json::binary_t&) override { return false; }

  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(std::string& name) override {
    Json& object = *open_.back();
    if (rules_.names_once && object.contains(name)) return refuse("names '" + name + "' twice");
    member_ = &object[name];
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const Json::exception&) override { return false; }

  ParsedJson result(bool whole) {
    if (!fault_.empty()) return {Json(Json::value_t::discarded), fault_};
    if (!whole) return {Json(Json::value_t::discarded), "is not JSON"};
    return {std::move(root_), {}};
  }

 private:
  bool refuse(std::string fault) {
    fault_ = std::move(fault);
    return false;
  }
  // Returns where the value now stands, or null where it may not stand. An open array or object is the last element of
  // its parent, so its address stays valid while it is open.
  Json* put(Json value) {
    if (++values_ > rules_.most_values) {
      refuse("has too many entries");
      return nullptr;
    }
    if (open_.empty()) return &(root_ = std::move(value));
    if (open_.back()->is_object()) return &(*member_ = std::move(value));
    open_.back()->push_back(std::move(value));
    return &open_.back()->back();
  }
  bool open(Json empty) {
    if (open_.size() >= rules_.deepest) return refuse("is nested too deeply");
    Json* const placed = put(std::move(empty));
    if (placed == nullptr) return false;
    open_.push_back(placed);
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  JsonRules rules_;
  Json root_;
  std::vector<Json*> open_;  // arrays and objects, outermost first
  Json* member_ = nullptr;   // of the innermost object, whose value comes next
  std::size_t values_ = 0;
  std::string fault_;
};

}  // namespace

ParsedJson parse_json(std::string_view text, const JsonRules& rules) {
  Builder builder(rules);
  const bool whole = Json::sax_parse(text, &builder);
  return builder.result(whole);
}

nlohmann::json parse_json(std::string_view text) { return parse_json(text, JsonRules{}).value; }

std::string json_text(const nlohmann::json& json) {
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace tessera
