/* Lets calls on a journal's files fail on demand, as a dying disk does. Loaded with LD_PRELOAD.
 *
 * fail_calls(call, after, times, error) arms it: `call` is 's' for fsync and fdatasync, 'w' for writing, and after so
 * many calls on files whose names contain "journal.db" that many fail with `error`. Shared memory is left out.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static char failing_call;
static int calls_before, failures_left, failure;
static int failed;

void fail_calls(char call, int after, int times, int error) {
    failing_call = call;
    calls_before = after;
    failures_left = times;
    failure = error;
    failed = 0;
}

int calls_failed(void) { return failed; }

static int is_journal(int descriptor) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = '\0';
    return strstr(path, "journal.db") != NULL && strstr(path, "-shm") == NULL;
}

static int fails(char call, int descriptor) {
    if (call != failing_call || failures_left <= 0 || !is_journal(descriptor)) return 0;
    if (calls_before > 0) {
        calls_before--;
        return 0;
    }
    failures_left--;
    failed++;
    errno = failure;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define SYNC(name) \
    int name(int descriptor) { return fails('s', descriptor) ? -1 : REAL(name)(descriptor); }

#define PWRITE(name, offset_type)                                                      \
    ssize_t name(int descriptor, const void *data, size_t count, offset_type offset) { \
        return fails('w', descriptor) ? -1 : REAL(name)(descriptor, data, count, offset); \
    }

SYNC(fsync)
SYNC(fdatasync)
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)
