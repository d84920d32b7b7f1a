# sidespan_room(NAME SOURCES ... [USES room...] [LINKS target...]) makes one static library a room.
# USES is the room's whole permission: the layering test reads it and holds the #include lines to it.

include(CheckIPOSupported)
include(CheckPIESupported)

add_library(sidespan_flags INTERFACE)
target_compile_features(sidespan_flags INTERFACE cxx_std_23)
target_compile_options(sidespan_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion>
  # g++ 12 sees an overlap in every `"text" + std::string` (GCC bug 105651).
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>
  # clang is told by libstdc++ 12 what that itself uses for std::stable_sort.
  $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>
  $<$<BOOL:${SIDESPAN_WERROR}>:-Werror>)

if(SIDESPAN_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "SIDESPAN_FUZZ needs clang: -DCMAKE_C_COMPILER=clang-19 -DCMAKE_CXX_COMPILER=clang++-19")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(SIDESPAN_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(SIDESPAN_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread)
  add_link_options(-fsanitize=thread)
elseif(SIDESPAN_SANITIZE)
  message(FATAL_ERROR "SIDESPAN_SANITIZE is address or thread, not '${SIDESPAN_SANITIZE}'")
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  check_ipo_supported(RESULT SIDESPAN_LTO OUTPUT SIDESPAN_LTO_WHY LANGUAGES CXX)
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ${SIDESPAN_LTO})
  if(SIDESPAN_LTO AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Machine code beside LTO's own: an installed library must serve other compilers, and the test
    # programs link without LTO.
    add_compile_options(-ffat-lto-objects)
  endif()
  if(SIDESPAN_PROFILE AND NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    message(FATAL_ERROR "SIDESPAN_PROFILE needs g++")
  elseif(SIDESPAN_PROFILE STREQUAL "generate")
    add_compile_options(-fprofile-generate=${CMAKE_BINARY_DIR}/profile -fprofile-update=prefer-atomic)
    add_link_options(-fprofile-generate=${CMAKE_BINARY_DIR}/profile)
  elseif(SIDESPAN_PROFILE STREQUAL "use")
    # What the training never reached stays as optimised as it is without.
    add_compile_options(-fprofile-use=${CMAKE_BINARY_DIR}/profile -fprofile-partial-training
                        -Wno-missing-profile -Wno-coverage-mismatch)
  endif()
  # With everything bound at the start (-z now, below) a call by way of the PLT has nothing to offer.
  add_compile_options(-fno-plt)
  # Ubuntu's compiler defines _FORTIFY_SOURCE itself.
  add_compile_options(-fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
    # Shadow stacks, which need no instruction. The marks of branch targets are left out: no kernel has
    # a program checked for them, and a request would pass two hundred.
    add_compile_options(-fcf-protection=return)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
    add_compile_options(-mbranch-protection=standard)
  endif()
  add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)
endif()
# Without the check CMake would leave -pie to the compiler's own default.
check_pie_supported()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

function(sidespan_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;USES;LINKS" ${ARGN})
  set(target sidespan_${name})
  add_library(${target} STATIC ${ROOM_SOURCES})
  add_library(sidespan::${name} ALIAS ${target})
  target_include_directories(${target}
    PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
    PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_compile_features(${target} PUBLIC cxx_std_23)
  if(SIDESPAN_LTO AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT name STREQUAL "app")
    # Its own limits on growth leave calls as small as string_view's in the hottest functions: one in
    # fourteen instructions of a request. What app does, it does once.
    target_compile_options(${target} PRIVATE --param=inline-unit-growth=200 --param=large-function-growth=500
                                             --param=large-stack-frame-growth=5000)
  endif()
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:sidespan_flags>)
  foreach(room IN LISTS ROOM_USES)
    target_link_libraries(${target} PUBLIC sidespan_${room})
  endforeach()
  target_link_libraries(${target} PRIVATE ${ROOM_LINKS})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
endfunction()
