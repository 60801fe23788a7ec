/*
 * A layer between a process and the disk, loaded with LD_PRELOAD: see ../shim.ts for what it does and why. It stands
 * on the functions of libc, because that is where Node (libuv) and SQLite meet; whatever it does itself goes straight
 * to the kernel, so it never meets itself.
 */
#ifndef HOLDFAST_SHIM_H
#define HOLDFAST_SHIM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef __LP64__
#error "the arguments of the system calls below are those of 64-bit machines"
#endif

#define EXPORT __attribute__((visibility("default")))
#define PATH_BYTES 4096

/* Kinds of records and of operations that may fail: the same numbers as in ../log.ts and ../shim.ts. */
enum kind {
  OPEN = 1, CLOSE, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, MKDIR, RMDIR, LINK, OUTPUT, UNSEEN, EXCHANGE,
};
enum operation { FAIL_NONE, FAIL_WRITE, FAIL_SYNC, FAIL_TRUNCATE, FAIL_OPEN, FAIL_RENAME, FAIL_UNLINK };
enum open_flags { OPEN_CREATED = 1, OPEN_TRUNCATED = 2 };

/* System calls that do not pass our own functions; -1 and errno as usual. */
extern long (*shim_kernel)(long number, ...);
void shim_load(void);
static inline bool shim_loaded(void) {
  if (!shim_kernel) shim_load();
  return shim_kernel != NULL;
}

/* True in a process that is to be watched, once it has started. */
extern bool shim_active;
/* True when a log is written: then operations under the folder happen one at a time, in the order of the log. */
extern bool shim_recording;

/* Path below the folder, or NULL when it is elsewhere. `full` has PATH_BYTES. The folder itself is "". */
const char *shim_inside(int dirfd, const char *path, char *full);
/* Name under which this descriptor was opened, or NULL when it is not of the folder. */
const char *shim_name_of(int fd);
void shim_remember(int fd, const char *name);
void shim_forget(int fd);
/* After a dup: gives the name when both are of the folder. */
void shim_copy(int from, int to);

void shim_lock(void);
void shim_unlock(void);
void shim_record(enum kind kind, int fd, uint64_t value, const char *path, const struct iovec *data, int parts,
                 size_t bytes);

/* Counts the operation; gives the errno that it is to fail with, or 0. */
int shim_fails(enum operation operation, const char *name);
/* Sleeps as long as a sync is to take. */
void shim_sync_delay(void);
int64_t shim_wall_offset_ms(void);

#endif
