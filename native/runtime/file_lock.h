// A lock on a file, for one owner among all threads, processes and paths of the file. It ends with its owner, be it
// killed. The one place where native code opens a file: the caller has opened it before, so that whoever decides what
// this process may open has been asked.
#pragma once

#include <cstdint>
#include <string>

namespace carillon {

enum class LockOutcome : uint8_t {
  taken,
  held,         // somebody else has it, or this process under another lock
  unsupported,  // the file system has no locks
  failed,       // error() says why
};

class FileLock {
 public:
  FileLock() = default;
  ~FileLock() { release(); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  // Locks a file that is there, path in UTF-8, without waiting and without changing it. Linux, macOS: flock of an open
  // file description of its own, which no child inherits. Windows: LockFileEx of a byte behind whatever is written.
  LockOutcome lock(const std::string& path);

  // Where there are no locks: makes a file of this text, which must not be there yet (`held`). Windows removes it with
  // its owner; elsewhere it stays where the owner is killed.
  LockOutcome make(const std::string& path, const std::string& text);

  // Lets go. What make() has made is removed, if it still has that text.
  void release();

  const std::string& error() const { return error_; }

 private:
#ifdef _WIN32
  using File = void*;
  static constexpr File kNone = nullptr;
#else
  using File = int;
  static constexpr File kNone = -1;
#endif
  LockOutcome fail(const char* call);

  File file_ = kNone;
  std::string made_;
  std::string text_;
  std::string error_;
};

}  // namespace carillon
