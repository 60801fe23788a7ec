/* What changes the bytes of a file, and what makes them durable. */
#include "shim.h"
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

static size_t total(const struct iovec *parts, int count) {
  size_t bytes = 0;
  for (int i = 0; i < count; i++) bytes += parts[i].iov_len;
  return bytes;
}

static int refuse(int error) {
  errno = error;
  return -1;
}

/* What leaves the process is an acknowledgement, perhaps. It is recorded before the peer can see it. */
static void record_output(int fd, const struct iovec *parts, int count) {
  if (!shim_recording) return;
  int before = errno;
  struct stat what;
  bool leaves = fd == STDOUT_FILENO || (fstat(fd, &what) == 0 && S_ISSOCK(what.st_mode));
  errno = before;
  if (!leaves) return;
  shim_lock();
  shim_record(OUTPUT, fd, 0, NULL, parts, count, total(parts, count));
  shim_unlock();
}

static ssize_t write_parts(int fd, const struct iovec *parts, int count, off_t offset) {
  if (!shim_loaded()) return refuse(ENOSYS);
  const char *name = shim_name_of(fd);
  if (!name) {
    if (offset >= 0) return shim_kernel(SYS_pwritev, fd, parts, count, offset, 0);
    record_output(fd, parts, count);
    return shim_kernel(SYS_writev, fd, parts, count);
  }
  int error = shim_fails(FAIL_WRITE, name);
  if (error) return refuse(error);
  if (shim_recording) shim_lock();
  ssize_t written = offset >= 0 ? shim_kernel(SYS_pwritev, fd, parts, count, offset, 0)
                                : shim_kernel(SYS_writev, fd, parts, count);
  if (shim_recording) {
    if (written > 0) {
      int flags = (int)shim_kernel(SYS_fcntl, fd, F_GETFL);
      if (offset < 0) offset = shim_kernel(SYS_lseek, fd, 0, SEEK_CUR) - written;
      shim_record(WRITE, fd, (uint64_t)offset, NULL, parts, count, (size_t)written);
      if (flags & O_DSYNC) shim_record(SYNC, fd, 0, NULL, NULL, 0, 0);
    }
    shim_unlock();
  }
  return written;
}

EXPORT ssize_t write(int fd, const void *data, size_t bytes) {
  struct iovec part = {(void *)data, bytes};
  return write_parts(fd, &part, 1, -1);
}
EXPORT ssize_t writev(int fd, const struct iovec *parts, int count) { return write_parts(fd, parts, count, -1); }
EXPORT ssize_t pwrite64(int fd, const void *data, size_t bytes, off_t offset) {
  struct iovec part = {(void *)data, bytes};
  return offset < 0 ? refuse(EINVAL) : write_parts(fd, &part, 1, offset);
}
EXPORT ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset) {
  return pwrite64(fd, data, bytes, offset);
}
EXPORT ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset) {
  return offset < 0 ? refuse(EINVAL) : write_parts(fd, parts, count, offset);
}
EXPORT ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
  return pwritev64(fd, parts, count, offset);
}
EXPORT ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off_t offset, int flags) {
  if (shim_name_of(fd) && flags != 0) return refuse(EOPNOTSUPP);
  return write_parts(fd, parts, count, offset);
}
EXPORT ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags) {
  return pwritev64v2(fd, parts, count, offset, flags);
}

EXPORT ssize_t sendto(int fd, const void *data, size_t bytes, int flags, const struct sockaddr *to, socklen_t size) {
  struct iovec part = {(void *)data, bytes};
  record_output(fd, &part, 1);
  return shim_loaded() ? shim_kernel(SYS_sendto, fd, data, bytes, flags, to, size) : refuse(ENOSYS);
}
EXPORT ssize_t send(int fd, const void *data, size_t bytes, int flags) {
  return sendto(fd, data, bytes, flags, NULL, 0);
}
EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  record_output(fd, message->msg_iov, (int)message->msg_iovlen);
  return shim_loaded() ? shim_kernel(SYS_sendmsg, fd, message, flags) : refuse(ENOSYS);
}

static int sync_file(int fd, long call) {
  if (!shim_loaded()) return refuse(ENOSYS);
  const char *name = shim_name_of(fd);
  if (!name) return (int)shim_kernel(call, fd);
  int error = shim_fails(FAIL_SYNC, name);
  if (error) return refuse(error);
  if (shim_recording) shim_lock();
  shim_sync_delay();
  int result = (int)shim_kernel(call, fd);
  if (shim_recording) {
    if (result == 0) shim_record(SYNC, fd, 0, NULL, NULL, 0, 0);
    shim_unlock();
  }
  return result;
}
EXPORT int fsync(int fd) { return sync_file(fd, SYS_fsync); }
EXPORT int fdatasync(int fd) { return sync_file(fd, SYS_fdatasync); }

EXPORT int ftruncate64(int fd, off_t bytes) {
  if (!shim_loaded()) return refuse(ENOSYS);
  const char *name = shim_name_of(fd);
  if (!name) return (int)shim_kernel(SYS_ftruncate, fd, bytes);
  int error = shim_fails(FAIL_TRUNCATE, name);
  if (error) return refuse(error);
  if (shim_recording) shim_lock();
  int result = (int)shim_kernel(SYS_ftruncate, fd, bytes);
  if (shim_recording) {
    if (result == 0) shim_record(TRUNCATE, fd, (uint64_t)bytes, NULL, NULL, 0, 0);
    shim_unlock();
  }
  return result;
}
EXPORT int ftruncate(int fd, off_t bytes) { return ftruncate64(fd, bytes); }

/* By opening it: then there is one way only. */
EXPORT int truncate64(const char *path, off_t bytes) {
  char full[PATH_BYTES];
  if (!shim_inside(AT_FDCWD, path, full)) {
    return shim_loaded() ? (int)shim_kernel(SYS_truncate, path, bytes) : refuse(ENOSYS);
  }
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  int result = ftruncate64(fd, bytes);
  int error = errno;
  close(fd);
  errno = error;
  return result;
}
EXPORT int truncate(const char *path, off_t bytes) { return truncate64(path, bytes); }

EXPORT int fallocate64(int fd, int mode, off_t offset, off_t bytes) {
  if (!shim_loaded()) return refuse(ENOSYS);
  const char *name = shim_name_of(fd);
  if (!name) return (int)shim_kernel(SYS_fallocate, fd, mode, offset, bytes);
  // Other modes move or remove bytes, which nothing here does.
  if (mode != 0 && mode != FALLOC_FL_KEEP_SIZE) return refuse(EOPNOTSUPP);
  int error = shim_fails(FAIL_WRITE, name);
  if (error) return refuse(error);
  if (shim_recording) shim_lock();
  int result = (int)shim_kernel(SYS_fallocate, fd, mode, offset, bytes);
  struct stat after;
  if (shim_recording) {
    if (result == 0 && mode == 0 && fstat(fd, &after) == 0) {
      shim_record(TRUNCATE, fd, (uint64_t)after.st_size, NULL, NULL, 0, 0);
    }
    shim_unlock();
  }
  return result;
}
EXPORT int fallocate(int fd, int mode, off_t offset, off_t bytes) { return fallocate64(fd, mode, offset, bytes); }
EXPORT int posix_fallocate64(int fd, off_t offset, off_t bytes) {
  return fallocate64(fd, 0, offset, bytes) == 0 ? 0 : errno;
}
EXPORT int posix_fallocate(int fd, off_t offset, off_t bytes) { return posix_fallocate64(fd, offset, bytes); }

/* Copies inside of the kernel are refused: every caller (libuv too) then copies with reads and writes. */
EXPORT ssize_t copy_file_range(int in, off_t *in_at, int out, off_t *out_at, size_t bytes, unsigned flags) {
  if (shim_name_of(out)) return refuse(EXDEV);
  return shim_loaded() ? shim_kernel(SYS_copy_file_range, in, in_at, out, out_at, bytes, flags) : refuse(ENOSYS);
}
EXPORT ssize_t sendfile64(int out, int in, off_t *offset, size_t bytes) {
  if (shim_name_of(out)) return refuse(EINVAL);
  return shim_loaded() ? shim_kernel(SYS_sendfile, out, in, offset, bytes) : refuse(ENOSYS);
}
EXPORT ssize_t sendfile(int out, int in, off_t *offset, size_t bytes) { return sendfile64(out, in, offset, bytes); }
EXPORT ssize_t splice(int in, off_t *in_at, int out, off_t *out_at, size_t bytes, unsigned flags) {
  if (shim_name_of(out)) return refuse(EINVAL);
  return shim_loaded() ? shim_kernel(SYS_splice, in, in_at, out, out_at, bytes, flags) : refuse(ENOSYS);
}
EXPORT int ioctl(int fd, unsigned long request, ...) {
  va_list rest;
  va_start(rest, request);
  void *argument = va_arg(rest, void *);
  va_end(rest);
  const unsigned long clone = 0x40049409, clone_range = 0x4020940d;
  if ((request == clone || request == clone_range) && shim_name_of(fd)) return refuse(EOPNOTSUPP);
  return shim_loaded() ? (int)shim_kernel(SYS_ioctl, fd, request, argument) : refuse(ENOSYS);
}

/*
 * Writes through a map are not seen, and the log says so. The one map that SQLite makes is that of `-shm`: an index of
 * the write-ahead log that the first connection after a start makes anew, whatever it finds. It need not survive.
 */
EXPORT void *mmap64(void *address, size_t bytes, int protection, int flags, int fd, off_t offset) {
  if (!shim_loaded()) return errno = ENOSYS, MAP_FAILED;
  const char *name = shim_name_of(fd);
  if (name && (flags & MAP_SHARED) && (protection & PROT_WRITE)) {
    shim_lock();
    shim_record(UNSEEN, fd, 0, name, NULL, 0, 0);
    shim_unlock();
  }
  return (void *)shim_kernel(SYS_mmap, address, bytes, protection, flags, fd, offset);
}
EXPORT void *mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset) {
  return mmap64(address, bytes, protection, flags, fd, offset);
}
