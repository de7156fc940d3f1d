# One target a folder, with its dependencies named, so that an include against the arrows does not build.

add_library(tessera_options INTERFACE)
target_compile_features(tessera_options INTERFACE cxx_std_20)
target_compile_options(tessera_options INTERFACE
  $<BUILD_INTERFACE:-Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor
  $<$<BOOL:${TESSERA_WERROR}>:-Werror>
  # GCC 12 warns of its own std::string operator+ (GCC bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  # Designated initialisers leave fields at their defaults on purpose.
  -Wno-missing-field-initializers
  # x * y + z is rounded twice, as the reference implementations do; kernels that want FMA say so.
  -ffp-contract=off>)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" AND TESSERA_BASELINE)
  target_compile_options(tessera_options INTERFACE $<BUILD_INTERFACE:-march=${TESSERA_BASELINE}>)
endif()
if(TESSERA_SANITIZE)
  target_compile_options(tessera_options INTERFACE
    $<BUILD_INTERFACE:-fsanitize=${TESSERA_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all>)
  target_link_options(tessera_options INTERFACE $<BUILD_INTERFACE:-fsanitize=${TESSERA_SANITIZE}>)
endif()

# tessera_quick_options(TARGET): -O1, which compiles in 60 % of the time of -O3; -O0 where it is instrumented, which takes
# 40 % less, and the tests do not wait for this target's code.
function(tessera_quick_options target)
  if(TESSERA_SANITIZE)
    target_compile_options(${target} PRIVATE -O0)
  else()
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  endif()
  target_compile_options(${target} PRIVATE -fPIC)  # as in the precompiled headers
endfunction()

# tessera_fuzzed(TARGET): reads untrusted input. Where there are fuzzers, they see which of its branches they reach.
function(tessera_fuzzed target)
  if(TESSERA_BUILD_FUZZERS)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()

# tessera_headers(NAME LIBRARIES … HEADERS …): headers of others, precompiled for the targets that are quick to build: a
# quarter of their time. Ours are not among them, so that each file says what it uses.
function(tessera_headers name)
  cmake_parse_arguments(ARG "" "" "LIBRARIES;HEADERS" ${ARGN})
  if(NOT TESSERA_PRECOMPILE)
    return()
  endif()
  set(empty ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
  if(NOT EXISTS ${empty})
    file(WRITE ${empty} "")
  endif()
  add_library(${name} OBJECT ${empty})
  target_link_libraries(${name} PRIVATE tessera_options ${ARG_LIBRARIES})
  tessera_quick_options(${name})
  target_precompile_headers(${name} PRIVATE ${ARG_HEADERS})
endfunction()

# tessera_quick_to_build(TARGET [HEADERS]): computes nothing that anybody waits for (options, text, tests). All but tests
# see fuzzers, since they share one set of precompiled headers and most of them read untrusted input.
function(tessera_quick_to_build target)
  tessera_quick_options(${target})
  set(headers tessera_json_headers)
  if(ARGC GREATER 1)
    set(headers ${ARGV1})
  else()
    tessera_fuzzed(${target})
  endif()
  if(TESSERA_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM ${headers})
  endif()
endfunction()

# tessera_computes(SOURCE …): of a target that is quick to build, what is waited for after all.
function(tessera_computes)
  if(TESSERA_SANITIZE)
    set_property(SOURCE ${ARGN} APPEND PROPERTY COMPILE_OPTIONS -O1)
  else()
    set_property(SOURCE ${ARGN} APPEND PROPERTY COMPILE_OPTIONS "$<$<CONFIG:Release>:-O3>")
  endif()
  set_property(SOURCE ${ARGN} PROPERTY SKIP_PRECOMPILE_HEADERS ON)  # made with other options
endfunction()

# tessera_pointers_unchecked(SOURCE): without UBSan's checks of the pointer of each load and store, which take clang as
# long as all the rest. What is read or written wrongly AddressSanitizer finds.
function(tessera_pointers_unchecked source)
  if(TESSERA_SANITIZE MATCHES "undefined")
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "-fno-sanitize=null,object-size,pointer-overflow")
  endif()
endfunction()

# tessera_library(NAME SOURCES … PUBLIC … PRIVATE …): the static library tessera_NAME out of this folder,
# alias tessera::NAME. Headers are included from the top: "core/shape.h".
function(tessera_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(tessera_${name} STATIC ${ARG_SOURCES})
  add_library(tessera::${name} ALIAS tessera_${name})
  set_target_properties(tessera_${name} PROPERTIES EXPORT_NAME ${name} POSITION_INDEPENDENT_CODE ON)
  target_include_directories(tessera_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/tessera>)
  target_link_libraries(tessera_${name} PUBLIC tessera_options ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
  set_property(GLOBAL APPEND PROPERTY TESSERA_LIBRARIES tessera_${name})
endfunction()
