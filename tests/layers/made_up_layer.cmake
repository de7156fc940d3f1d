# Adds a layer to a copy of the list and compiles what has to decide about each layer: it must not compile before it
# does. cmake -D COMPILER=… -D FLAGS=… -D SOURCE=… -D WORK=… -P made_up_layer.cmake

set(header "#pragma once
#include \"layers/layer_interface.h\"
namespace tessera {
struct MadeUp {
  static constexpr std::string_view kName = \"MadeUp\";
  static void fields(auto&, auto&&) {}
  bool operator==(const MadeUp&) const = default;
  static Lesson lesson() { return {\"y = x\", \"nobody\"}; }
  static Shape output_shape(Shapes in) { return in[0]; }
  static void forward(const ForwardArguments&) {}
  static Examples<MadeUp> examples();
  static Example<MadeUp> drawn(Draw& draw);
};
}  // namespace tessera
")
file(READ ${SOURCE}/layers/layer.h list)
string(REPLACE "#include \"layers/linear.h\"\n" "#include \"layers/linear.h\"\n#include \"layers/made_up.h\"\n" list "${list}")
string(REPLACE "LayerVariant<Conv2d," "LayerVariant<MadeUp, Conv2d," list "${list}")
string(REGEX MATCHALL "made_up|MadeUp" places "${list}")
list(LENGTH places count)
if(NOT count EQUAL 2)
  message(FATAL_ERROR "layers/layer.h no longer reads as this test expects")
endif()
file(WRITE ${WORK}/layers/layer.h "${list}")
file(WRITE ${WORK}/layers/made_up.h "${header}")

# compile(FILE RESULT): whether a source compiles with the longer list.
function(compile file result)
  separate_arguments(flags UNIX_COMMAND "${FLAGS}")
  execute_process(COMMAND ${COMPILER} -std=c++20 ${flags} -fsyntax-only -I${WORK} -I${SOURCE} ${SOURCE}/${file}
    RESULT_VARIABLE code ERROR_VARIABLE text OUTPUT_QUIET)
  if(code EQUAL 0)
    set(${result} compiles PARENT_SCOPE)
  elseif(text MATCHES "MadeUp")
    set(${result} "names the layer" PARENT_SCOPE)
  else()
    message(FATAL_ERROR "${file} fails for another reason:\n${text}")
  endif()
endfunction()

foreach(file layers/layer.cpp layers/layer_json.cpp layers/examples.cpp engine/graph.cpp device/describe.cpp)  # whole as it is: what follows is not the layer's own fault
  compile(${file} result)
  if(NOT result STREQUAL compiles)
    message(FATAL_ERROR "${file} does not compile with a layer that has all that a layer must have")
  endif()
endforeach()
foreach(file engine/passes.cpp cpu/methods.cpp)
  compile(${file} result)
  if(result STREQUAL compiles)
    message(FATAL_ERROR "${file} compiles with a layer that it does not know: a catch-all decides about it")
  endif()
endforeach()
