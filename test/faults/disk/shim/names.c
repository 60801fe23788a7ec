/* What makes, moves and removes names, and the life of descriptors. */
#include "shim.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static int refuse(int error) {
  errno = error;
  return -1;
}

static bool exists(int dirfd, const char *path) {
  int before = errno;
  bool there = shim_kernel(SYS_faccessat, dirfd, path, F_OK, 0) == 0;
  errno = before;
  return there;
}

/* After a power cut the system has another boot id. The recorded run gets one of its own, so that it is so here too. */
static const char *real_path(const char *path) {
  const char *other = shim_recording ? getenv("HOLDFAST_SHIM_BOOT_ID") : NULL;
  return other && path && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0 ? other : path;
}

static int open_at(int dirfd, const char *path, int flags, mode_t mode) {
  if (!shim_loaded()) return refuse(ENOSYS);
  path = real_path(path);
  char full[PATH_BYTES];
  const char *name = shim_inside(dirfd, path, full);
  if (!name) return (int)shim_kernel(SYS_openat, dirfd, path, flags, mode);
  if (flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) {
    int error = shim_fails(FAIL_OPEN, name);
    if (error) return refuse(error);
  }
  if (shim_recording) shim_lock();
  bool there = !(flags & O_CREAT) || exists(dirfd, path);
  int fd = (int)shim_kernel(SYS_openat, dirfd, path, flags, mode);
  if (fd >= 0) {
    uint64_t how = (there ? 0 : OPEN_CREATED) | ((flags & O_TRUNC) ? OPEN_TRUNCATED : 0);
    shim_record(OPEN, fd, how, name, NULL, 0, 0);
    shim_remember(fd, name);
  }
  if (shim_recording) shim_unlock();
  return fd;
}

static mode_t mode_of(int flags, va_list rest) {
  return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, mode_t) : 0;
}
#define MODE(flags) \
  va_list rest; va_start(rest, flags); mode_t mode = mode_of(flags, rest); va_end(rest)

EXPORT int open(const char *path, int flags, ...) { MODE(flags); return open_at(AT_FDCWD, path, flags, mode); }
EXPORT int open64(const char *path, int flags, ...) { MODE(flags); return open_at(AT_FDCWD, path, flags, mode); }
EXPORT int openat(int at, const char *path, int flags, ...) { MODE(flags); return open_at(at, path, flags, mode); }
EXPORT int openat64(int at, const char *path, int flags, ...) { MODE(flags); return open_at(at, path, flags, mode); }
EXPORT int __open_2(const char *path, int flags) { return open_at(AT_FDCWD, path, flags, 0); }
EXPORT int __open64_2(const char *path, int flags) { return open_at(AT_FDCWD, path, flags, 0); }
EXPORT int __openat_2(int at, const char *path, int flags) { return open_at(at, path, flags, 0); }
EXPORT int __openat64_2(int at, const char *path, int flags) { return open_at(at, path, flags, 0); }
EXPORT int creat(const char *path, mode_t mode) { return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
EXPORT int creat64(const char *path, mode_t mode) { return creat(path, mode); }

/* The writes of stdio stay inside of libc. Nothing of Holdfast uses them; were it to change, the log says so. */
static FILE *open_stream(const char *symbol, const char *path, const char *mode) {
  char full[PATH_BYTES];
  const char *name = shim_inside(AT_FDCWD, path, full);
  if (name && strpbrk(mode, "wa+")) {
    shim_lock();
    shim_record(UNSEEN, -1, 0, name, NULL, 0, 0);
    shim_unlock();
  }
  return ((FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, symbol))(path, mode);
}
EXPORT FILE *fopen(const char *path, const char *mode) { return open_stream("fopen", path, mode); }
EXPORT FILE *fopen64(const char *path, const char *mode) { return open_stream("fopen64", path, mode); }

static int close_file(int fd) {
  if (!shim_name_of(fd)) return (int)shim_kernel(SYS_close, fd);
  if (shim_recording) shim_lock();
  shim_record(CLOSE, fd, 0, NULL, NULL, 0, 0);
  shim_forget(fd);
  int result = (int)shim_kernel(SYS_close, fd);
  if (shim_recording) shim_unlock();
  return result;
}
EXPORT int close(int fd) { return shim_loaded() ? close_file(fd) : refuse(ENOSYS); }

/* The log knows a file by the descriptor it was opened with, so a copy is written down as one more opening. */
static int copied(int from, int to) {
  const char *name = shim_name_of(from);
  if (to >= 0 && name) {
    if (shim_recording) shim_lock();
    shim_record(OPEN, to, 0, name, NULL, 0, 0);
    shim_copy(from, to);
    if (shim_recording) shim_unlock();
  } else if (to >= 0) shim_forget(to);
  return to;
}
EXPORT int dup(int fd) { return shim_loaded() ? copied(fd, (int)shim_kernel(SYS_dup, fd)) : refuse(ENOSYS); }
EXPORT int dup3(int fd, int to, int flags) {
  return shim_loaded() ? copied(fd, (int)shim_kernel(SYS_dup3, fd, to, flags)) : refuse(ENOSYS);
}
EXPORT int dup2(int fd, int to) {
  if (fd == to) return shim_loaded() && shim_kernel(SYS_fcntl, fd, F_GETFD) >= 0 ? to : refuse(EBADF);
  return dup3(fd, to, 0);
}
EXPORT int fcntl64(int fd, int command, ...) {
  va_list rest;
  va_start(rest, command);
  long argument = va_arg(rest, long);
  va_end(rest);
  if (!shim_loaded()) return refuse(ENOSYS);
  int result = (int)shim_kernel(SYS_fcntl, fd, command, argument);
  return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? copied(fd, result) : result;
}
EXPORT int fcntl(int fd, int command, ...) {
  va_list rest;
  va_start(rest, command);
  long argument = va_arg(rest, long);
  va_end(rest);
  return fcntl64(fd, command, argument);
}

/* A system call on names; both paths below the folder, or neither. */
struct change {
  enum kind kind;
  enum operation operation;
  const char *name, *to;
};
static bool begin(const struct change *change) {
  int error = change->operation == FAIL_NONE ? 0 : shim_fails(change->operation, change->name);
  if (error) return errno = error, false;
  if (shim_recording) shim_lock();
  return true;
}
static int end(const struct change *change, int result) {
  if (!shim_recording) return result;
  if (result == 0) {
    struct iovec to = {(void *)change->to, change->to ? strlen(change->to) : 0};
    shim_record(change->kind, -1, 0, change->name, &to, 1, to.iov_len);
  }
  shim_unlock();
  return result;
}

EXPORT int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
  if (!shim_loaded()) return refuse(ENOSYS);
  char full[PATH_BYTES], full_to[PATH_BYTES];
  const char *name = shim_inside(from_at, from, full), *name_to = shim_inside(to_at, to, full_to);
  if (!name && !name_to) return (int)shim_kernel(SYS_renameat2, from_at, from, to_at, to, flags);
  // From or to elsewhere, it would be a file without a past.
  if (!name || !name_to) return refuse(EXDEV);
  const unsigned exchange = 2;
  struct change change = {flags & exchange ? EXCHANGE : RENAME, FAIL_RENAME, name, name_to};
  if (!begin(&change)) return -1;
  return end(&change, (int)shim_kernel(SYS_renameat2, from_at, from, to_at, to, flags));
}
EXPORT int renameat(int from_at, const char *from, int to_at, const char *to) {
  return renameat2(from_at, from, to_at, to, 0);
}
EXPORT int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }

EXPORT int unlinkat(int at, const char *path, int flags) {
  if (!shim_loaded()) return refuse(ENOSYS);
  char full[PATH_BYTES];
  struct change change = {flags & AT_REMOVEDIR ? RMDIR : UNLINK, FAIL_UNLINK, shim_inside(at, path, full), NULL};
  if (!change.name) return (int)shim_kernel(SYS_unlinkat, at, path, flags);
  if (!begin(&change)) return -1;
  return end(&change, (int)shim_kernel(SYS_unlinkat, at, path, flags));
}
EXPORT int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
EXPORT int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
EXPORT int remove(const char *path) {
  int result = unlink(path);
  return result != 0 && (errno == EISDIR || errno == EPERM) ? rmdir(path) : result;
}

EXPORT int mkdirat(int at, const char *path, mode_t mode) {
  if (!shim_loaded()) return refuse(ENOSYS);
  char full[PATH_BYTES];
  struct change change = {MKDIR, FAIL_NONE, shim_inside(at, path, full), NULL};
  if (!change.name) return (int)shim_kernel(SYS_mkdirat, at, path, mode);
  if (!begin(&change)) return -1;
  return end(&change, (int)shim_kernel(SYS_mkdirat, at, path, mode));
}
EXPORT int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
EXPORT char *mkdtemp(char *path) {
  size_t bytes = strlen(path);
  if (bytes < 6) return errno = EINVAL, NULL;
  for (int tries = 0; tries < 100; tries++) {
    uint64_t number = 0;
    if (!shim_loaded() || shim_kernel(SYS_getrandom, &number, sizeof number, 0) < 0) return NULL;
    for (char *at = path + bytes - 6; *at; at++, number /= 26) *at = (char)('a' + number % 26);
    if (mkdir(path, 0700) == 0) return path;
    if (errno != EEXIST) return NULL;
  }
  return NULL;
}

EXPORT int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
  if (!shim_loaded()) return refuse(ENOSYS);
  char full[PATH_BYTES], full_to[PATH_BYTES];
  const char *name = shim_inside(from_at, from, full), *name_to = shim_inside(to_at, to, full_to);
  if (!name && !name_to) return (int)shim_kernel(SYS_linkat, from_at, from, to_at, to, flags);
  if (!name || !name_to) return refuse(EXDEV);
  struct change change = {LINK, FAIL_NONE, name, name_to};
  if (!begin(&change)) return -1;
  return end(&change, (int)shim_kernel(SYS_linkat, from_at, from, to_at, to, flags));
}
EXPORT int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

/* libuv closes with a bare system call, and copies files with one. */
EXPORT long syscall(long number, ...) {
  long a[6];
  va_list rest;
  va_start(rest, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(rest, long);
  va_end(rest);
  if (!shim_loaded()) return refuse(ENOSYS);
  if (number == SYS_close) return close_file((int)a[0]);
  if (number == SYS_copy_file_range && shim_name_of((int)a[2])) return refuse(EXDEV);
  if (number == SYS_clock_gettime) {
    extern int clock_gettime(int clock, void *time);
    return clock_gettime((int)a[0], (void *)a[1]);
  }
  return shim_kernel(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
