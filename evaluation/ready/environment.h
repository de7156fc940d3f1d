#pragma once
// The machine of a run: what its times depend on beside its settings.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace tessera {

// {"tessera", "processor", "physical_cores", "logical_cores", "isa": [best first], "memory_bytes", "system", "kernel",
// "compiler", "libraries": {name: version}, "load_average": [1, 5, 15 minutes], "time": UTC}. What the system does not
// report is left out.
nlohmann::json environment_record();

// The part of such a record that times depend on: "AMD EPYC 9454, 8 cores, avx512". "" for any other JSON.
std::string machine_of(const nlohmann::json& environment);

// The commit that this program was built from: "a8ad09d3c1f2", with "-changed-" and a hash where files differed from
// the commit; "" where it is not known (a source archive).
std::string_view build_commit();

// "AMD EPYC 9454": the first one's name; "unknown processor" where the system does not report it.
std::string processor_name();

// This process's command, quoted for a POSIX shell; "" where the system does not report it.
std::string command_line();

}  // namespace tessera
