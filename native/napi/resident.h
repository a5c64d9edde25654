#pragma once

namespace carillon {

// Keeps this library in memory until the process ends. Node.js unloads an addon with the last worker that has loaded
// it, but the C++ runtime in it has destructors to run at the exit of threads and of the process.
void stay_resident();

}  // namespace carillon
