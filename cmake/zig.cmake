# Zig's C++ compiler as a cross compiler, for `npm run prebuild:all`, which names
#   CARILLON_ZIG         the zig executable
#   CARILLON_ZIG_TARGET  what it compiles for, such as x86_64-linux-gnu.2.28
# Zig brings headers and libc of every target along; its C++ runtime is linked statically.
foreach(name CARILLON_ZIG CARILLON_ZIG_TARGET)
  if(NOT ${name})
    message(FATAL_ERROR "cmake/zig.cmake needs -D${name}=…")
  endif()
endforeach()
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES CARILLON_ZIG CARILLON_ZIG_TARGET)

string(REGEX MATCH "^[^-]+" CMAKE_SYSTEM_PROCESSOR "${CARILLON_ZIG_TARGET}")
if(CARILLON_ZIG_TARGET MATCHES "-linux-")
  set(CMAKE_SYSTEM_NAME Linux)
elseif(CARILLON_ZIG_TARGET MATCHES "-windows-")
  set(CMAKE_SYSTEM_NAME Windows)
  # CMake wants a resource compiler for Windows; no file of ours needs one.
  set(CMAKE_RC_COMPILER "${CARILLON_ZIG}")
elseif(CARILLON_ZIG_TARGET MATCHES "-macos")
  set(CMAKE_SYSTEM_NAME Darwin)
  # Zig knows the oldest macOS from the target; CMake must not look for an SDK.
  set(CMAKE_OSX_SYSROOT "")
  set(CMAKE_OSX_DEPLOYMENT_TARGET "")
  set(CMAKE_INSTALL_NAME_TOOL "${CMAKE_COMMAND}")
else()
  message(FATAL_ERROR "cmake/zig.cmake does not know the system of ${CARILLON_ZIG_TARGET}")
endif()

set(CMAKE_CXX_COMPILER "${CARILLON_ZIG}" c++)
set(CMAKE_CXX_COMPILER_TARGET "${CARILLON_ZIG_TARGET}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)

# Nothing of the machine that builds: no paths, no debug information. Kernels say which loops are unrolled (GCC, too, unrolls no others): of
# others' Clang would make a tenth of a table.
set(CMAKE_CXX_FLAGS_INIT
    "-g0 -ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -ffunction-sections -fdata-sections -fno-unroll-loops")
set(CMAKE_MODULE_LINKER_FLAGS_INIT "-s -Wl,--gc-sections")
if(CMAKE_SYSTEM_NAME STREQUAL "Darwin")
  # Zig does not know the -bundle that CMake asks for; Node.js loads a dynamic library as well.
  string(APPEND CMAKE_MODULE_LINKER_FLAGS_INIT " -shared")
endif()
