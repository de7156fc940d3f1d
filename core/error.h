#pragma once
// Errors: one family, one kind per exit code, thrown at the edges with everything that is needed to mend the fault.
//
// Nothing below tools/ prints or exits. A message names the file, tensor, layer or option, what was
// expected and what was found. tools/ turns the kind into the process's exit code.

#include <stdexcept>
#include <string>

namespace tessera {

// The value is the exit code of the `tessera` binary.
enum class ErrorKind : int {
  kInternal = 1,   // a fault of ours
  kUsage = 2,      // options, arguments, names
  kInput = 3,      // pictures, labels, lists
  kModelFile = 4,  // weights: HDF5, safetensors
  kResource = 5,   // memory, disk
  kCheck = 6,      // a verification found a difference
  kDevice = 7,     // the device that was asked for is not there
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }
  int exit_code() const noexcept { return static_cast<int>(kind_); }

 private:
  ErrorKind kind_;
};

template <ErrorKind Kind>
class ErrorOf : public Error {
 public:
  explicit ErrorOf(const std::string& message) : Error(Kind, message) {}
};

using InternalError = ErrorOf<ErrorKind::kInternal>;
using UsageError = ErrorOf<ErrorKind::kUsage>;
using InputError = ErrorOf<ErrorKind::kInput>;
using ModelFileError = ErrorOf<ErrorKind::kModelFile>;
using ResourceError = ErrorOf<ErrorKind::kResource>;
using CheckError = ErrorOf<ErrorKind::kCheck>;
using DeviceError = ErrorOf<ErrorKind::kDevice>;

}  // namespace tessera
