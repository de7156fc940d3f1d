#include "evaluation/ready/environment.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "build_commit.h"
#include "core/text.h"
#include "core/thread_pool.h"
#include "cpu/cpu_backend.h"

namespace tessera {

namespace {

// What follows `key` in the first line of the file that begins with it.
std::string field_of(const char* path, const std::string& key, char separator) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const std::size_t at = line.find(separator);
    if (!line.starts_with(key) || at == std::string::npos) continue;
    std::string value = line.substr(at + 1);
    std::erase(value, '"');
    return value.substr(std::min(value.find_first_not_of(' '), value.size()));
  }
  return "";
}

std::string compiler() {
#if defined(__clang__)
  return "Clang " __clang_version__;
#elif defined(__GNUC__)
  return "GCC " __VERSION__;
#else
  return "";
#endif
}

// "HDF5 1.10.8, Highway 1.0.3": as they were found when this was built.
nlohmann::json libraries() {
  nlohmann::json json = nlohmann::json::object();
  std::istringstream list(TESSERA_LIBRARY_VERSIONS);
  std::string name, version;
  while (list >> name && std::getline(list, version, ',')) {
    const std::size_t start = version.find_first_not_of(' ');
    if (start != std::string::npos) json[name] = version.substr(start);
  }
  return json;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  std::array<char, 32> text{};
  if (gmtime_r(&now, &parts) == nullptr) return "";
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

}  // namespace

std::string processor_name() {
  const std::string name = field_of("/proc/cpuinfo", "model name", ':');
  return name.empty() ? "unknown processor" : name;
}

std::string machine_of(const nlohmann::json& environment) {
  if (!environment.is_object() || !environment.contains("processor") || !environment["processor"].is_string())
    return "";
  std::string machine = environment["processor"].get<std::string>();
  const auto cores = environment.find("physical_cores"), isa = environment.find("isa");
  if (cores != environment.end() && cores->is_number_integer()) {
    machine += ", " + std::to_string(cores->get<std::int64_t>()) + " cores";
  }
  if (isa != environment.end() && isa->is_array() && !isa->empty() && isa->front().is_string()) {
    machine += ", " + isa->front().get<std::string>();
  }
  return machine;
}

std::string_view build_commit() { return TESSERA_COMMIT; }

nlohmann::json environment_record() {
  nlohmann::json record{{"tessera", TESSERA_VERSION}, {"processor", processor_name()},
                        {"isa", cpu_isas()},          {"physical_cores", physical_cores()},
                        {"compiler", compiler()},     {"commit", build_commit()},
                        {"libraries", libraries()},   {"time", utc_now()}};
  const long cores = ::sysconf(_SC_NPROCESSORS_ONLN), pages = ::sysconf(_SC_PHYS_PAGES);
  if (cores > 0) record["logical_cores"] = cores;
  if (pages > 0) record["memory_bytes"] = std::int64_t{pages} * ::sysconf(_SC_PAGESIZE);
  const std::string system = field_of("/etc/os-release", "PRETTY_NAME", '=');
  if (!system.empty()) record["system"] = system;
  utsname kernel{};
  if (::uname(&kernel) == 0) record["kernel"] = std::string(kernel.sysname) + " " + kernel.release;
  std::array<double, 3> load{};
  if (::getloadavg(load.data(), 3) == 3) record["load_average"] = load;
  return record;
}

std::string command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::string line;
  for (std::string word; std::getline(file, word, '\0');) {
    line += (line.empty() ? "" : " ") + shell_quoted(word);
  }
  return line;
}

}  // namespace tessera
