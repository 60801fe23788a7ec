/* What the other files share: the folder, the table of descriptors, the log, and the settings of the control file. */
#include "shim.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define DESCRIPTORS 65536
#define CONTROL_BYTES 4096

/* One of the two sets of settings; the first byte of the file says which one counts. See ShimControl in ../shim.ts. */
struct settings {
  int64_t wall_offset_ms;
  uint32_t sync_delay_us;
  uint32_t fail_operation;
  uint32_t fail_errno;
  uint32_t fail_lasting;
  uint64_t fail_nth;
  uint32_t fail_path_bytes;
  char fail_path[256];
};
struct control {
  union { uint8_t which; char pad[512]; } head;
  union { struct settings settings; char pad[512]; } slots[2];
  uint64_t writes, syncs, failed, matched;
};

struct header {
  uint32_t bytes;
  uint8_t kind, unused[3];
  uint32_t pid;
  int32_t fd;
  uint64_t value;
  uint32_t path_bytes, data_bytes;
};

long (*shim_kernel)(long number, ...);
bool shim_active, shim_recording;

static char folder[PATH_BYTES];
static size_t folder_bytes;
static const char *names[DESCRIPTORS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pid_t owner;
static int log_fd = -1;
static struct control *control;

void shim_load(void) { shim_kernel = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall"); }

static void after_fork(void) {
  owner = (pid_t)shim_kernel(SYS_getpid);
  pthread_mutex_unlock(&mutex);
}

/* High numbers, so that the process gets the same ones as without us. */
static int open_high(const char *path, int flags) {
  int low = (int)shim_kernel(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600);
  if (low < 0) return -1;
  int high = (int)shim_kernel(SYS_fcntl, low, F_DUPFD_CLOEXEC, 900);
  shim_kernel(SYS_close, low);
  return high;
}

__attribute__((noreturn)) static void give_up(const char *what, const char *path) {
  fprintf(stderr, "disk shim: cannot open %s %s: %s\n", what, path, strerror(errno));
  _exit(97);
}

__attribute__((constructor)) static void start(void) {
  const char *root = getenv("HOLDFAST_SHIM_FOLDER");
  if (!root || !shim_loaded() || strlen(root) >= sizeof folder) return;
  folder_bytes = strlen(strcpy(folder, root));
  const char *path = getenv("HOLDFAST_SHIM_CONTROL");
  if (!path) return;
  int fd = open_high(path, O_RDWR);
  if (fd < 0) give_up("the control file", path);
  control = mmap(NULL, CONTROL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (control == MAP_FAILED) give_up("the control file", path);
  shim_kernel(SYS_close, fd);
  const char *record = getenv("HOLDFAST_SHIM_RECORD");
  if (record) {
    log_fd = open_high(record, O_WRONLY | O_CREAT | O_APPEND);
    if (log_fd < 0) give_up("the log", record);
    shim_recording = true;
  }
  owner = (pid_t)shim_kernel(SYS_getpid);
  pthread_atfork(shim_lock, shim_unlock, after_fork);
  shim_active = true;
}

/* Takes "//", "/./" and "/../" out, in place. Links inside of the folder are not followed: nothing makes any. */
static void normalise(char *path) {
  char *out = path;
  for (const char *in = path; *in;) {
    while (*in == '/') in++;
    const char *end = strchrnul(in, '/');
    size_t bytes = (size_t)(end - in);
    if (bytes == 2 && in[0] == '.' && in[1] == '.') {
      while (out > path && *--out != '/');
    } else if (bytes > 0 && !(bytes == 1 && in[0] == '.')) {
      *out++ = '/';
      memmove(out, in, bytes);
      out += bytes;
    }
    in = end;
  }
  *out = 0;
}

const char *shim_inside(int dirfd, const char *path, char *full) {
  if (!shim_active || !path) return NULL;
  int before = errno;
  size_t used = 0;
  if (path[0] != '/') {
    char link[64];
    if (dirfd == AT_FDCWD) strcpy(link, "/proc/self/cwd");
    else snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
    long bytes = shim_kernel(SYS_readlinkat, AT_FDCWD, link, full, PATH_BYTES - 2);
    errno = before;
    if (bytes <= 0) return NULL;
    used = (size_t)bytes;
    full[used++] = '/';
  }
  if (used + strlen(path) >= PATH_BYTES) return NULL;
  strcpy(full + used, path);
  normalise(full);
  if (strncmp(full, folder, folder_bytes) != 0) return NULL;
  if (full[folder_bytes] == 0) return full + folder_bytes;
  return full[folder_bytes] == '/' ? full + folder_bytes + 1 : NULL;
}

const char *shim_name_of(int fd) {
  if (!shim_active || fd < 0 || fd >= DESCRIPTORS) return NULL;
  return __atomic_load_n(&names[fd], __ATOMIC_ACQUIRE);
}

/* Names are kept for good: another thread may be reading one. There are few, so the list stays short. */
static const char *interned(const char *name) {
  static struct entry { struct entry *next; char name[]; } *first;
  static pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&own);
  struct entry *entry = first;
  while (entry && strcmp(entry->name, name) != 0) entry = entry->next;
  if (!entry && (entry = malloc(sizeof *entry + strlen(name) + 1))) {
    strcpy(entry->name, name);
    entry->next = first;
    first = entry;
  }
  pthread_mutex_unlock(&own);
  return entry ? entry->name : NULL;
}

void shim_remember(int fd, const char *name) {
  if (fd < 0 || fd >= DESCRIPTORS) return;
  __atomic_store_n(&names[fd], interned(name), __ATOMIC_RELEASE);
}

/* A child between vfork and exec shares this memory, but its closing is not ours. */
void shim_forget(int fd) {
  if (!shim_name_of(fd) || (pid_t)shim_kernel(SYS_getpid) != owner) return;
  __atomic_store_n(&names[fd], NULL, __ATOMIC_RELEASE);
}

void shim_copy(int from, int to) {
  const char *name = shim_name_of(from);
  if (name && (pid_t)shim_kernel(SYS_getpid) == owner) shim_remember(to, name);
}

void shim_lock(void) { pthread_mutex_lock(&mutex); }
void shim_unlock(void) { pthread_mutex_unlock(&mutex); }

/* One system call a record, into the page cache: it is whole or not there, and outlives the process. */
void shim_record(enum kind kind, int fd, uint64_t value, const char *path, const struct iovec *data, int parts,
                 size_t bytes) {
  if (!shim_recording) return;
  int before = errno;
  struct header header = {.kind = (uint8_t)kind, .pid = (uint32_t)owner, .fd = fd, .value = value};
  header.path_bytes = path ? (uint32_t)strlen(path) : 0;
  header.data_bytes = (uint32_t)bytes;
  header.bytes = (uint32_t)sizeof header + header.path_bytes + header.data_bytes;
  struct iovec out[2 + parts];
  out[0] = (struct iovec){&header, sizeof header};
  out[1] = (struct iovec){(void *)(path ? path : ""), header.path_bytes};
  int used = 2;
  for (int i = 0; i < parts && bytes > 0; i++) {
    out[used] = data[i];
    if (out[used].iov_len > bytes) out[used].iov_len = bytes;
    bytes -= out[used++].iov_len;
  }
  long written = shim_kernel(SYS_writev, log_fd, out, used);
  if (written != (long)header.bytes) {
    fprintf(stderr, "disk shim: the log could not be written: %s\n", strerror(errno));
    _exit(97);
  }
  errno = before;
}

static const struct settings *settings(void) {
  return &control->slots[__atomic_load_n(&control->head.which, __ATOMIC_ACQUIRE) & 1].settings;
}

/* Names are relative to the folder; "/x" is to match a file there as well as one further down. */
static bool ends_with(const char *name, const char *end, size_t bytes) {
  size_t length = strlen(name);
  if (bytes == length + 1 && *end == '/') end++, bytes--;
  return length >= bytes && memcmp(name + length - bytes, end, bytes) == 0;
}

int shim_fails(enum operation operation, const char *name) {
  if (operation == FAIL_WRITE) __atomic_add_fetch(&control->writes, 1, __ATOMIC_RELAXED);
  if (operation == FAIL_SYNC) __atomic_add_fetch(&control->syncs, 1, __ATOMIC_RELAXED);
  const struct settings *now = settings();
  if (now->fail_operation != operation) return 0;
  if (!ends_with(name, now->fail_path, now->fail_path_bytes)) return 0;
  uint64_t number = __atomic_add_fetch(&control->matched, 1, __ATOMIC_RELAXED);
  if (number < now->fail_nth || (number > now->fail_nth && !now->fail_lasting)) return 0;
  __atomic_add_fetch(&control->failed, 1, __ATOMIC_RELAXED);
  return (int)now->fail_errno;
}

void shim_sync_delay(void) {
  uint32_t us = settings()->sync_delay_us;
  if (us == 0) return;
  struct timespec left = {us / 1000000, (long)(us % 1000000) * 1000};
  while (shim_kernel(SYS_nanosleep, &left, &left) != 0 && errno == EINTR);
}

int64_t shim_wall_offset_ms(void) { return shim_active ? settings()->wall_offset_ms : 0; }
