#pragma once
// Where a run took place: what its times depend on beside its settings.

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace tessera {

// {"tessera", "processor", "physical_cores", "logical_cores", "isa": [best first], "memory_bytes", "system", "kernel",
// "compiler", "libraries": {name: version}, "load_average": [1, 5, 15 minutes], "time": UTC}. What the system does not
// tell is left out.
nlohmann::json environment_record();

// "AMD EPYC 9454": the first one's name; "unknown processor" where the system does not tell.
std::string processor_name();

// This process's command, quoted for a POSIX shell; "" where the system does not tell.
std::string command_line();

// The words as a POSIX shell reads them back.
std::string shell_quoted(const std::string& word);

}  // namespace tessera
