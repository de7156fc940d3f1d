#include "weights/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/json.h"
#include "weights/hdf5_chunk.h"
#include "weights/input_file.h"

namespace tessera {

namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kMostHeaderBytes = 100'000'000;
constexpr std::size_t kMostEntries = 100'000;
constexpr std::size_t kMostValues = 16 * kMostEntries;  // an entry has up to 13: itself, two arrays and their elements
constexpr std::size_t kDeepest = 4;

struct Entry {
  std::string name, type;
  Shape shape;
  std::uint64_t begin = 0, end = 0;
};

[[noreturn]] void refuse(const std::string& reason) { throw ModelFileError(reason); }

std::size_t bytes_of(const std::string& type) {
  static constexpr std::array<std::pair<std::string_view, std::size_t>, 12> kTypes{{{"F64", 8},
                                                                                    {"F32", 4},
                                                                                    {"F16", 2},
                                                                                    {"BF16", 2},
                                                                                    {"I64", 8},
                                                                                    {"I32", 4},
                                                                                    {"I16", 2},
                                                                                    {"I8", 1},
                                                                                    {"U8", 1},
                                                                                    {"BOOL", 1},
                                                                                    {"U64", 8},
                                                                                    {"U32", 4}}};
  const auto found = std::ranges::find(kTypes, type, [](const auto& pair) { return pair.first; });
  return found == kTypes.end() ? 0 : found->second;
}

// Parses the header; refuses repeated keys, which a JSON library would silently merge.
Json parse_header(const std::string& text) {
  const ParsedJson header = parse_json(text, {.deepest = kDeepest, .most_values = kMostValues, .names_once = true});
  if (header.value.is_discarded() && header.fault != "is not JSON") refuse("its header " + header.fault);
  if (!header.value.is_object()) refuse("its header is not a JSON object");
  if (header.value.size() > kMostEntries) refuse("its header has too many entries");
  return header.value;
}

std::uint64_t unsigned_at(const Json& json, const std::string& name) {
  if (!json.is_number_unsigned()) refuse(name + ": expected a number that is not negative");
  return json.get<std::uint64_t>();
}

Entry parse_entry(const std::string& name, const Json& json) {
  if (!json.is_object() || !json.contains("dtype") || !json.contains("shape") || !json.contains("data_offsets") ||
      !json["dtype"].is_string() || !json["shape"].is_array() || !json["data_offsets"].is_array() ||
      json["data_offsets"].size() != 2) {
    refuse(name + ": expected dtype, shape and data_offsets");
  }
  Entry entry{.name = name, .type = json["dtype"].get<std::string>(), .shape = {}};
  const std::size_t element = bytes_of(entry.type);
  if (element == 0) refuse(name + ": unknown dtype '" + entry.type + "'");
  if (json["shape"].size() > Shape::kMaxRank) refuse(name + ": too many dimensions");
  std::vector<std::int64_t> dimensions;
  std::uint64_t bytes = element;
  for (const Json& length : json["shape"]) {
    const std::uint64_t value = unsigned_at(length, name);
    if (value > INT64_MAX || __builtin_mul_overflow(bytes, value, &bytes)) refuse(name + ": impossible shape");
    dimensions.push_back(static_cast<std::int64_t>(value));
  }
  entry.shape = Shape(dimensions);
  entry.begin = unsigned_at(json["data_offsets"][0], name);
  entry.end = unsigned_at(json["data_offsets"][1], name);
  if (entry.end < entry.begin || entry.end - entry.begin != bytes) {
    refuse(name + ": its offsets hold " + std::to_string(entry.end - entry.begin) + " bytes, its shape " +
           to_string(entry.shape) + " takes " + std::to_string(bytes));
  }
  return entry;
}

// Entries in the order of their data, which must fill the buffer without a gap or an overlap.
std::vector<Entry> parse_entries(const Json& header, std::uint64_t buffer) {
  std::vector<Entry> entries;
  for (const auto& [name, json] : header.items()) {
    if (name != "__metadata__") entries.push_back(parse_entry(name, json));
  }
  std::ranges::stable_sort(entries, {}, [](const Entry& e) { return std::pair(e.begin, e.end); });
  std::uint64_t at = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != at) refuse(entry.name + ": its data overlaps another tensor's or leaves a gap");
    at = entry.end;
  }
  if (at != buffer) {
    refuse("its header describes " + std::to_string(at) + " bytes of data, the file holds " + std::to_string(buffer));
  }
  return entries;
}

float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16U;
  const std::uint32_t exponent = (half >> 10U) & 0x1FU;
  const std::uint32_t mantissa = half & 0x3FFU;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000U | (mantissa << 13U));
  if (exponent == 0) {
    const float value = static_cast<float>(mantissa) * 0x1p-24F;
    return sign != 0 ? -value : value;
  }
  return std::bit_cast<float>(sign | ((exponent + 112U) << 23U) | (mantissa << 13U));
}

template <class T, class Convert>
void convert(const std::vector<std::byte>& raw, std::span<float> to, const Convert& value) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    T stored;
    std::memcpy(&stored, raw.data() + i * sizeof(T), sizeof(T));
    to[i] = value(stored);
  }
}

Tensor read_tensor(int descriptor, std::uint64_t data, const Entry& entry) {
  Tensor tensor(entry.shape);
  if (entry.type == "F32") {
    read_exactly(descriptor, data + entry.begin, std::as_writable_bytes(tensor.values()));
    return tensor;
  }
  std::vector<std::byte> raw(entry.end - entry.begin);
  read_exactly(descriptor, data + entry.begin, raw);
  if (entry.type == "F16") convert<std::uint16_t>(raw, tensor.values(), half_to_float);
  if (entry.type == "F64") convert<double>(raw, tensor.values(), [](double v) { return static_cast<float>(v); });
  if (entry.type == "BF16") {
    convert<std::uint16_t>(raw, tensor.values(),
                           [](std::uint16_t v) { return std::bit_cast<float>(std::uint32_t{v} << 16U); });
  }
  return tensor;
}

SafetensorsFile read_open_file(int descriptor, std::uint64_t bytes) {
  std::uint64_t header_bytes = 0;
  if (bytes < sizeof(header_bytes)) refuse("is cut off, or is not a safetensors file");
  read_exactly(descriptor, 0, std::as_writable_bytes(std::span(&header_bytes, 1)));
  if (header_bytes > kMostHeaderBytes || header_bytes > bytes - sizeof(header_bytes)) {
    refuse("is cut off, or is not a safetensors file (a header of " + std::to_string(header_bytes) + " bytes)");
  }
  std::string text(header_bytes, '\0');
  read_exactly(descriptor, sizeof(header_bytes), std::as_writable_bytes(std::span(text)));
  const Json header = parse_header(text);
  const std::uint64_t data = sizeof(header_bytes) + header_bytes;
  SafetensorsFile file;
  for (const Entry& entry : parse_entries(header, bytes - data)) {
    if (entry.type.find('F') == std::string::npos) {
      file.left_out.push_back(entry.name + " (" + entry.type + ")");
      continue;
    }
    file.tensors.put(entry.name, read_tensor(descriptor, data, entry));
  }
  if (header.contains("__metadata__") && header["__metadata__"].is_object()) {
    for (const auto& [key, value] : header["__metadata__"].items()) {
      if (value.is_string()) file.metadata[key] = value.get<std::string>();
    }
  }
  return file;
}

}  // namespace

SafetensorsFile read_safetensors(const std::filesystem::path& path) {
  try {
    const InputFile file(path);
    return read_open_file(file.descriptor(), file.bytes());
  } catch (const ModelFileError& error) {
    throw ModelFileError(path.string() + ": " + error.what());
  }
}

}  // namespace tessera
