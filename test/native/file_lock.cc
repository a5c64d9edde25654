// Locks of files: one owner among all that ask, released by its end; what stands in for them where there are none.
#include "runtime/file_lock.h"

#ifndef _WIN32
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "check.h"

namespace carillon::test {
namespace {

// A folder of its own, empty again at the end.
class Folder {
 public:
  Folder() { CHECK(mkdtemp(name_.data()) != nullptr); }
  ~Folder() { rmdir(name_.data()); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string path(const char* name) const { return std::string(name_.data()) + "/" + name; }

 private:
  std::array<char, 32> name_{"/tmp/carillon-lock-XXXXXX"};
};

void touch(const std::string& path) {
  const int file = open(path.c_str(), O_CREAT | O_WRONLY, 0600);
  CHECK(file >= 0);
  close(file);
}

// What a child answers, which has its own copy of everything that is open here.
template <typename Body>
int in_child(const Body& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST(a_locked_file_has_one_owner_under_all_its_names) {
  const Folder folder;
  const std::string path = folder.path("lock");
  touch(path);
  FileLock first;
  FileLock second;
  CHECK(first.lock(path) == LockOutcome::taken);
  CHECK(second.lock(path) == LockOutcome::held);
  CHECK(second.lock(folder.path("../") + path.substr(5)) == LockOutcome::held);
  const std::string other = folder.path("other");
  CHECK(link(path.c_str(), other.c_str()) == 0);
  CHECK(second.lock(other) == LockOutcome::held);
  CHECK(in_child([&] {
          FileLock third;
          return third.lock(path) == LockOutcome::held ? 0 : 1;
        }) == 0);
  first.release();
  CHECK(second.lock(other) == LockOutcome::taken);
  CHECK(first.lock(path) == LockOutcome::held);
  second.release();
  unlink(other.c_str());
  unlink(path.c_str());
}

TEST(a_lock_that_is_released_is_free_although_a_child_has_the_description) {
  const Folder folder;
  const std::string path = folder.path("lock");
  touch(path);
  FileLock first;
  CHECK(first.lock(path) == LockOutcome::taken);
  std::array<int, 2> pipe_ends{};
  CHECK(pipe(pipe_ends.data()) == 0);
  const pid_t child = fork();
  if (child == 0) {
    close(pipe_ends[1]);
    char byte = 0;
    const ssize_t got = read(pipe_ends[0], &byte, 1);  // until the parent lets go
    _exit(got == 0 ? 0 : 1);
  }
  close(pipe_ends[0]);
  first.release();
  FileLock second;
  CHECK(second.lock(path) == LockOutcome::taken);
  close(pipe_ends[1]);
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  unlink(path.c_str());
}

TEST(what_is_no_file_is_not_locked) {
  const Folder folder;
  FileLock lock;
  CHECK(lock.lock(folder.path("missing")) == LockOutcome::failed);
  CHECK(lock.error().starts_with("open: "));
  const std::string path = folder.path("lock");
  touch(path);
  const std::string name = folder.path("link");
  CHECK(symlink(path.c_str(), name.c_str()) == 0);
  CHECK(lock.lock(name) == LockOutcome::failed);
  CHECK(lock.make(name, "text") == LockOutcome::held);
  unlink(name.c_str());
  unlink(path.c_str());
}

TEST(a_file_that_is_made_has_one_maker_who_removes_nobody_elses) {
  const Folder folder;
  const std::string path = folder.path("owner");
  FileLock first;
  FileLock second;
  CHECK(first.make(path, "first") == LockOutcome::taken);
  CHECK(second.make(path, "second") == LockOutcome::held);
  first.release();
  CHECK(access(path.c_str(), F_OK) != 0);
  CHECK(second.make(path, "second") == LockOutcome::taken);
  CHECK(unlink(path.c_str()) == 0);  // somebody takes it over
  CHECK(first.make(path, "third one") == LockOutcome::taken);
  second.release();
  CHECK(access(path.c_str(), F_OK) == 0);
  first.release();
  CHECK(access(path.c_str(), F_OK) != 0 && errno == ENOENT);
}

}  // namespace carillon::test

#endif
