/* Loaded before libc (LD_PRELOAD). Makes reads and writes do less than they were asked to, and the clock wrong.
 *
 * LIE=seed        every third read or write is interrupted (EINTR) or does 1 to n-1 of its n bytes, for real
 * CLOCK=+seconds  the wall clock is off by this much; CLOCK=@seconds: its seconds stay at this time
 *
 * The programs must call libc: RUSTFLAGS="--cfg rustix_use_libc", linked dynamically. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static uint64_t next(void) {
    static uint64_t state;
    if (!state) {
        const char *seed = getenv("LIE");
        state = (seed ? strtoull(seed, 0, 10) : 0) * 2654435761u + 88172645463325252u;
    }
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state;
}

/* Returns how many of n bytes this call may do; 0 with errno set: it is interrupted. */
static size_t lie(size_t n) {
    static __thread int was_interrupted;
    if (!getenv("LIE") || next() % 3)
        return n;
    if (!was_interrupted && next() % 2) {
        was_interrupted = 1;
        errno = EINTR;
        return 0;
    }
    was_interrupted = 0;
    return n > 1 ? 1 + next() % (n - 1) : n;
}

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

ssize_t read(int fd, void *bytes, size_t n) {
    size_t less = lie(n);
    return n && !less ? -1 : REAL(read)(fd, bytes, less);
}

ssize_t write(int fd, const void *bytes, size_t n) {
    size_t less = lie(n);
    return n && !less ? -1 : REAL(write)(fd, bytes, less);
}

ssize_t pread64(int fd, void *bytes, size_t n, off64_t at) {
    size_t less = lie(n);
    return n && !less ? -1 : REAL(pread64)(fd, bytes, less, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at) {
    size_t less = lie(n);
    return n && !less ? -1 : REAL(pwrite64)(fd, bytes, less, at);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = REAL(clock_gettime)(clock, now);
    const char *set = getenv("CLOCK");
    if (failed || !set || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE))
        return failed;
    if (*set == '@')
        now->tv_sec = strtoll(set + 1, 0, 10);
    else
        now->tv_sec += strtoll(set, 0, 10);
    return 0;
}

time_t time(time_t *into) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return into ? (*into = now.tv_sec) : now.tv_sec;
}

int gettimeofday(struct timeval *restrict into, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    into->tv_sec = now.tv_sec;
    into->tv_usec = now.tv_nsec / 1000;
    return 0;
}
