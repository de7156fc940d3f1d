#pragma once
// The arguments of timm's constructors, in a family's parameters: those of a config.json, and those of timm_table.inc.

#include "models/family.h"

namespace tessera {

// Throws ModelFileError for an argument that tessera does not have or does not know, naming it and its value.
void take_timm_arguments(SaidNetwork& said, const Family& family, const nlohmann::json& arguments,
                         const IgnoredKeys& ignored);

}  // namespace tessera
