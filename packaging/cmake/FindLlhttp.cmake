# Finds llhttp >= 8.1.0 as target `llhttp`, wherever the distribution put it:
#   1. LLHTTP_ROOT: a prefix, or a folder with api.c, http.c, llhttp.c and llhttp.h, named by the user
#   2. a CMake package   3. pkg-config   4. a library and a header
#   5. C sources (Debian 12 ships those), compiled in strict mode: see src/http/head_guard.h for why;
#      on x86-64 twice, see llhttp_execute.c

set(LLHTTP_ROOT "" CACHE PATH "Prefix or source folder of llhttp")
set(_llhttp_hints ${LLHTTP_ROOT})

if(NOT LLHTTP_ROOT)
  # Debian 13's package has no version file, so a version here would refuse it.
  find_package(llhttp CONFIG QUIET)
  foreach(_candidate llhttp::llhttp_static llhttp::llhttp llhttp::llhttp_shared)
    if(TARGET ${_candidate} AND NOT LLHTTP_TARGET)
      set(LLHTTP_TARGET ${_candidate})
    endif()
  endforeach()
  if(LLHTTP_TARGET)
    get_target_property(LLHTTP_INCLUDE_DIR ${LLHTTP_TARGET} INTERFACE_INCLUDE_DIRECTORIES)
  else()
    find_package(PkgConfig QUIET)
    if(PkgConfig_FOUND)
      pkg_check_modules(LLHTTP_PC QUIET IMPORTED_TARGET libllhttp)
      if(LLHTTP_PC_FOUND)
        set(LLHTTP_TARGET PkgConfig::LLHTTP_PC)
      endif()
    endif()
  endif()
endif()

find_path(LLHTTP_HEADER_DIR llhttp.h
  HINTS ${_llhttp_hints} ${LLHTTP_INCLUDE_DIR} ${LLHTTP_PC_INCLUDE_DIRS}
  PATH_SUFFIXES include llhttp include/llhttp share/include/llhttp)
if(NOT LLHTTP_TARGET)
  find_library(LLHTTP_LIBRARY llhttp HINTS ${_llhttp_hints} PATH_SUFFIXES lib)
  find_path(LLHTTP_SOURCE_DIR NAMES llhttp.c HINTS ${_llhttp_hints}
    PATHS /usr/share/llhttp /usr/local/share/llhttp PATH_SUFFIXES src share/llhttp)
endif()

if(LLHTTP_HEADER_DIR)
  file(STRINGS ${LLHTTP_HEADER_DIR}/llhttp.h _llhttp_lines REGEX "^#define LLHTTP_VERSION_(MAJOR|MINOR|PATCH) ")
  string(REGEX REPLACE "[^0-9;]+" "" _llhttp_numbers "${_llhttp_lines}")
  list(JOIN _llhttp_numbers "." Llhttp_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Llhttp REQUIRED_VARS LLHTTP_HEADER_DIR VERSION_VAR Llhttp_VERSION)

if(Llhttp_FOUND AND NOT TARGET llhttp)
  if(LLHTTP_TARGET OR LLHTTP_LIBRARY)
    add_library(llhttp INTERFACE)
    target_link_libraries(llhttp INTERFACE $<IF:$<BOOL:${LLHTTP_TARGET}>,${LLHTTP_TARGET},${LLHTTP_LIBRARY}>)
  elseif(LLHTTP_SOURCE_DIR)
    add_library(llhttp STATIC ${LLHTTP_SOURCE_DIR}/llhttp.c ${LLHTTP_SOURCE_DIR}/api.c ${LLHTTP_SOURCE_DIR}/http.c)
    target_compile_definitions(llhttp PRIVATE LLHTTP_STRICT_MODE=1)
    set_target_properties(llhttp PROPERTIES C_VISIBILITY_PRESET hidden)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
      # With SSE4.2 it reads field values sixteen bytes at a time, but not every x86-64 has that: the
      # state machine is compiled twice, and llhttp_execute.c chooses.
      file(READ ${LLHTTP_SOURCE_DIR}/llhttp.c _llhttp_source)
      string(REGEX REPLACE "llhttp__internal_(_|init|execute)" "llhttp__sse42_\\1" _llhttp_source "${_llhttp_source}")
      file(CONFIGURE OUTPUT llhttp_sse42.c CONTENT "${_llhttp_source}" @ONLY)
      target_sources(llhttp PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/llhttp_sse42.c ${CMAKE_CURRENT_LIST_DIR}/llhttp_execute.c)
      set_source_files_properties(${CMAKE_CURRENT_BINARY_DIR}/llhttp_sse42.c PROPERTIES COMPILE_OPTIONS -msse4.2)
      set_source_files_properties(${LLHTTP_SOURCE_DIR}/llhttp.c PROPERTIES
                                  COMPILE_DEFINITIONS llhttp__internal_execute=llhttp__any_execute)
    endif()
  else()
    message(FATAL_ERROR "llhttp's header is in ${LLHTTP_HEADER_DIR}, but neither library nor sources were found; set LLHTTP_ROOT")
  endif()
  target_include_directories(llhttp INTERFACE ${LLHTTP_HEADER_DIR})
  if(TARGET llhttp AND LLHTTP_SOURCE_DIR AND NOT LLHTTP_TARGET AND NOT LLHTTP_LIBRARY)
    target_include_directories(llhttp PRIVATE ${LLHTTP_HEADER_DIR})
  endif()
endif()
