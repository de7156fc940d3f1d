# Writes build_commit.h, which says what the sources are; the file changes only when that does.
# cmake -D SOURCE=… -D HEADER=… -P BuildCommit.cmake
set(commit "")
find_program(GIT git)
if(GIT AND EXISTS ${SOURCE}/.git)
  execute_process(COMMAND ${GIT} -C ${SOURCE} rev-parse --short=12 HEAD
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  execute_process(COMMAND ${GIT} -C ${SOURCE} diff HEAD -- "*.h" "*.cpp" "*.cu" "*.inc" "*.js" "CMakeLists.txt" "*.cmake"
    OUTPUT_VARIABLE changes ERROR_QUIET)
  if(commit AND changes)
    string(SHA256 digest "${changes}")
    string(SUBSTRING ${digest} 0 8 digest)
    string(APPEND commit "-changed-${digest}")
  endif()
endif()
set(text "#pragma once\n#define TESSERA_COMMIT \"${commit}\"\n")
set(before "")
if(EXISTS ${HEADER})
  file(READ ${HEADER} before)
endif()
if(NOT text STREQUAL before)
  file(WRITE ${HEADER} "${text}")
endif()
