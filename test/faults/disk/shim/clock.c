/* The wall clock, moved by the offset of the control file. The monotonic clocks stay as they are. */
#include "shim.h"
#include <dlfcn.h>
#include <semaphore.h>
#include <sys/time.h>
#include <time.h>

static void *next(void **known, const char *name) {
  if (!*known) *known = dlsym(RTLD_NEXT, name);
  return *known;
}

static void move(struct timespec *time, int64_t ms) {
  int64_t ns = time->tv_nsec + (ms % 1000) * 1000000;
  time->tv_sec += ms / 1000;
  if (ns < 0) ns += 1000000000, time->tv_sec--;
  if (ns >= 1000000000) ns -= 1000000000, time->tv_sec++;
  time->tv_nsec = ns;
}

static bool is_wall(clockid_t clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

EXPORT int clock_gettime(clockid_t clock, struct timespec *time) {
  static void *known;
  int result = ((int (*)(clockid_t, struct timespec *))next(&known, "clock_gettime"))(clock, time);
  if (result == 0 && is_wall(clock)) move(time, shim_wall_offset_ms());
  return result;
}

EXPORT int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  static void *known;
  int result = ((int (*)(struct timeval *, void *))next(&known, "gettimeofday"))(time, zone);
  if (result == 0) {
    struct timespec moved = {time->tv_sec, time->tv_usec * 1000};
    move(&moved, shim_wall_offset_ms());
    time->tv_sec = moved.tv_sec;
    time->tv_usec = moved.tv_nsec / 1000;
  }
  return result;
}

EXPORT time_t time(time_t *result) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (result) *result = now.tv_sec;
  return now.tv_sec;
}

/* Waits until a moment of the wall clock, and the caller has reckoned it with the moved one. */
EXPORT int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
  static void *known;
  struct timespec real = *until;
  move(&real, -shim_wall_offset_ms());
  return ((int (*)(sem_t *, const struct timespec *))next(&known, "sem_timedwait"))(semaphore, &real);
}
