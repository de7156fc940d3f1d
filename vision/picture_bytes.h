#pragma once
// A picture's bytes, read within their bounds, and its errors. Private to vision/.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace tessera {

class PictureBytes {
 public:
  // `kind` is what messages call it: "BMP".
  PictureBytes(std::span<const std::byte> bytes, const std::string& name, const char* kind)
      : bytes_(bytes), name_(name), kind_(kind) {}

  std::size_t size() const { return bytes_.size(); }
  const std::string& name() const { return name_; }

  // Throw InputError beyond the end.
  std::uint8_t u8(std::size_t at) const { return std::to_integer<std::uint8_t>(part(at, 1)[0]); }
  std::uint16_t u16le(std::size_t at) const { return static_cast<std::uint16_t>(u8(at) | u8(at + 1) << 8); }
  std::uint32_t u32le(std::size_t at) const { return u16le(at) | std::uint32_t{u16le(at + 2)} << 16; }
  std::span<const std::byte> part(std::size_t at, std::size_t length) const;
  // As many of them as there are.
  std::span<const std::byte> part_within(std::size_t at, std::size_t length) const;

  // InputError "<name>: damaged BMP (<reason>)".
  [[noreturn]] void damaged(const std::string& reason) const;
  // InputError "<name>: a BMP <what> is not supported; convert it to PNG".
  [[noreturn]] void unsupported(const std::string& what) const;

 private:
  std::span<const std::byte> bytes_;
  const std::string& name_;
  const char* kind_;
};

inline const std::uint8_t* as_uint8(std::span<const std::byte> bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

}  // namespace tessera
