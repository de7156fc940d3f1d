#pragma once
// What tuning found on this machine, kept between runs in $TESSERA_HOME/tuning.json: one set of choices for each
// processor and version of tessera, as JSON {"processor and version": {"layer": "way"}}.

#include <filesystem>
#include <string>

#include "cpu/cpu_backend.h"

namespace tessera {

std::filesystem::path tuning_cache_path();

// The choices for this machine. A cache that is not there or cannot be read is an empty one: it will be measured again.
KernelChoices read_tuning_cache();
// Adds them to those of this machine, and leaves those of others. Processes wait for each other. Throws ResourceError.
void write_tuning_cache(const KernelChoices& choices);

}  // namespace tessera
