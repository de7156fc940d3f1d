#pragma once
// Text of files: its encoding, and bytes that are not text at all.

#include <cstddef>
#include <string>
#include <string_view>

namespace tessera {

// The bytes of the character that `text` begins with; 0 where that is not UTF-8 (RFC 3629).
std::size_t utf8_length(std::string_view text);

// A file's text as UTF-8, block by block. A byte order mark says UTF-8 or UTF-16 and is skipped; without one, bytes are
// passed as they are. Throws InputError, naming the file, for what is not text: NUL bytes, packed files and workbooks,
// UTF-32, damaged UTF-16.
class TextReader {
 public:
  explicit TextReader(std::string name) : name_(std::move(name)) {}
  // Returns the text of the next block. The first block has at least four bytes, unless the file is shorter.
  std::string add(std::string_view block);
  // After the last block.
  void finish() const;

 private:
  enum class Encoding { kUnknown, kBytes, kUtf16LittleEndian, kUtf16BigEndian };

  void begin(std::string_view& block);
  void add_unit(unsigned unit, std::string& text);
  [[noreturn]] void refuse(const std::string& reason) const;

  std::string name_;
  Encoding encoding_ = Encoding::kUnknown;
  int odd_byte_ = -1;       // the first of a unit's two bytes
  unsigned surrogate_ = 0;  // the first of a pair
};

// Of a whole file's bytes.
std::string text_of(std::string_view bytes, const std::string& name);

// ASCII letters in lower case, all other bytes unchanged.
std::string lower_case(std::string_view text);

// The word as a POSIX shell reads it back.
std::string shell_quoted(std::string_view word);

// Text that any table can hold and any terminal can show, and back. Control characters and bytes that are not UTF-8
// become \xHH, and so does a backslash that would otherwise be read as the beginning of one.
std::string escaped(std::string_view text);
std::string unescaped(std::string_view text);

}  // namespace tessera
