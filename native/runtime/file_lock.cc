#include "file_lock.h"

#ifdef _WIN32
#ifndef NOMINMAX
#define NOMINMAX
#endif
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#endif

namespace carillon {

#ifdef _WIN32

namespace {

std::wstring wide(const std::string& text) {
  const int bytes = static_cast<int>(text.size());
  const int length = MultiByteToWideChar(CP_UTF8, 0, text.data(), bytes, nullptr, 0);
  std::wstring result(static_cast<size_t>(length), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, text.data(), bytes, result.data(), length);
  return result;
}

// Far behind any text, which others may so read and write.
OVERLAPPED locked_place() {
  OVERLAPPED place{};
  place.OffsetHigh = 0x40000000;
  return place;
}

}  // namespace

LockOutcome FileLock::fail(const char* call) {
  error_ = std::string(call) + ": error " + std::to_string(GetLastError()) + " of Windows";
  return LockOutcome::failed;
}

LockOutcome FileLock::lock(const std::string& path) {
  release();
  constexpr DWORD kShared = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
  const HANDLE file = CreateFileW(wide(path).c_str(), GENERIC_READ | GENERIC_WRITE, kShared, nullptr, OPEN_EXISTING,
                                  FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file == INVALID_HANDLE_VALUE) return fail("CreateFile");
  OVERLAPPED place = locked_place();
  if (LockFileEx(file, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &place) != 0) {
    file_ = file;
    return LockOutcome::taken;
  }
  const DWORD error = GetLastError();
  const LockOutcome failed = fail("LockFileEx");
  CloseHandle(file);
  switch (error) {
    case ERROR_LOCK_VIOLATION:
    case ERROR_IO_PENDING:
      return LockOutcome::held;
    case ERROR_INVALID_FUNCTION:
    case ERROR_NOT_SUPPORTED:
    case ERROR_CALL_NOT_IMPLEMENTED:
      return LockOutcome::unsupported;
    default:
      return failed;
  }
}

LockOutcome FileLock::make(const std::string& path, const std::string& text) {
  release();
  const HANDLE file =
      CreateFileW(wide(path).c_str(), GENERIC_WRITE | DELETE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                  nullptr, CREATE_NEW, FILE_ATTRIBUTE_NORMAL | FILE_FLAG_DELETE_ON_CLOSE, nullptr);
  if (file == INVALID_HANDLE_VALUE) {
    const DWORD error = GetLastError();
    return error == ERROR_FILE_EXISTS || error == ERROR_ALREADY_EXISTS ? LockOutcome::held : fail("CreateFile");
  }
  file_ = file;
  DWORD written = 0;
  const auto bytes = static_cast<DWORD>(text.size());
  if (WriteFile(file, text.data(), bytes, &written, nullptr) != 0 && written == bytes) return LockOutcome::taken;
  const LockOutcome failed = fail("WriteFile");
  release();
  return failed;
}

void FileLock::release() {
  if (file_ == kNone) return;
  CloseHandle(file_);  // unlocks it, and removes what make() has made
  file_ = kNone;
}

#else

namespace {

// Not through a symbolic link, and not waiting for who else would open a pipe.
constexpr int kFlags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

// What file systems say that have no locks; NFS says EBADF of a file that may only be read.
constexpr std::array kNoLocks{ENOLCK, ENOSYS, ENOTSUP, EOPNOTSUPP, EINVAL, EBADF};

// A signal is no reason to give up.
template <typename Call>
auto again(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

int opened(const std::string& path, int flags) {
  constexpr mode_t kMode = 0666;
  return again([&] { return open(path.c_str(), flags | kFlags, kMode); });
}

bool has_text(const std::string& path, const std::string& text) {
  const int file = opened(path, O_RDONLY);
  if (file < 0) return false;
  std::string found(text.size() + 1, '\0');
  const ssize_t bytes = again([&] { return read(file, found.data(), found.size()); });
  close(file);
  return bytes == static_cast<ssize_t>(text.size()) && found.compare(0, text.size(), text) == 0;
}

}  // namespace

LockOutcome FileLock::fail(const char* call) {
  error_ = std::string(call) + ": " + std::strerror(errno);
  return LockOutcome::failed;
}

LockOutcome FileLock::lock(const std::string& path) {
  release();
  int file = opened(path, O_RDWR);
  // NFS locks only for who may write; elsewhere reading is enough, as where the file is another member's of a group.
  if (file < 0 && (errno == EACCES || errno == EPERM || errno == EROFS)) file = opened(path, O_RDONLY);
  if (file < 0) return fail("open");
  if (again([&] { return flock(file, LOCK_EX | LOCK_NB); }) == 0) {
    file_ = file;
    return LockOutcome::taken;
  }
  const int error = errno;
  const LockOutcome failed = fail("flock");
  close(file);
  if (error == EWOULDBLOCK) return LockOutcome::held;
  return std::find(kNoLocks.begin(), kNoLocks.end(), error) != kNoLocks.end() ? LockOutcome::unsupported : failed;
}

LockOutcome FileLock::make(const std::string& path, const std::string& text) {
  release();
  const int file = opened(path, O_WRONLY | O_CREAT | O_EXCL);
  if (file < 0) return errno == EEXIST ? LockOutcome::held : fail("open");
  file_ = file;
  if (again([&] { return write(file, text.data(), text.size()); }) == static_cast<ssize_t>(text.size())) {
    made_ = path;
    text_ = text;
    return LockOutcome::taken;
  }
  const LockOutcome failed = fail("write");
  unlink(path.c_str());
  release();
  return failed;
}

void FileLock::release() {
  if (file_ == kNone) return;
  if (!made_.empty() && has_text(made_, text_)) unlink(made_.c_str());
  made_.clear();
  // Not by closing alone: a child that is about to run another program may still have the description.
  flock(file_, LOCK_UN);
  close(file_);
  file_ = kNone;
}

#endif

}  // namespace carillon
