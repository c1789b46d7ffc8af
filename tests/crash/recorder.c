/* Records what a process does to the files of one directory, in exact order. Loaded with LD_PRELOAD.
 *
 * CRASH_RECORDER_DIRECTORY names the directory (an absolute path without links), CRASH_RECORDER_LOG the log. Each record is a
 * header and its payload; tests/crash/recorder.py reads them. A lock is held over the real call and its record, so
 * that the log's order is the order of the calls. Only calls that succeeded are recorded, and of a short write only
 * what was written. Shared memory (names that end in -shm) is left out: it does not outlive a power cut. What cannot be recorded (a shared
 * writable map, a copy within the kernel) is noted as such, and the reader refuses the log.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { DESCRIPTORS_MAX = 65536 };

struct __attribute__((packed)) header {
    char operation;
    int32_t descriptor;
    int64_t offset;
    uint32_t length;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char followed[DESCRIPTORS_MAX];
static char directory[PATH_MAX];
static size_t directory_length;
static int log_descriptor = -1;

static void die(const char *why) {
    fprintf(stderr, "crash recorder: %s: %s\n", why, strerror(errno));
    abort();
}

static void *real(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    if (function == NULL) die(name);
    return function;
}

#define REAL(name) ((__typeof__(&name))real(#name))

__attribute__((constructor)) static void start(void) {
    const char *where = getenv("CRASH_RECORDER_DIRECTORY"), *log = getenv("CRASH_RECORDER_LOG");
    if (where == NULL || log == NULL) return;
    if (strlen(where) >= sizeof directory) die("the directory's path is too long");
    log_descriptor = REAL(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_descriptor < 0) die("the log cannot be opened");
    strcpy(directory, where);
    directory_length = strlen(directory);
}

static int is_ours(const char *path) {
    if (log_descriptor < 0 || path == NULL || strncmp(path, directory, directory_length) != 0) return 0;
    if (path[directory_length] != '/' && path[directory_length] != '\0') return 0;
    size_t length = strlen(path);
    return length < 4 || strcmp(path + length - 4, "-shm") != 0;
}

static int is_followed(int descriptor) {
    return descriptor >= 0 && descriptor < DESCRIPTORS_MAX && followed[descriptor];
}

static void note(char operation, int descriptor, int64_t offset, const void *payload, size_t length) {
    int before = errno;
    struct header header = {operation, descriptor, offset, (uint32_t)length};
    struct iovec parts[2] = {{&header, sizeof header}, {(void *)payload, length}};
    if (REAL(writev)(log_descriptor, parts, 2) != (ssize_t)(sizeof header + length)) die("the log cannot be written");
    errno = before;
}

static int follow(int descriptor, const char *path, int flags) {
    if (descriptor < 0) return descriptor;
    if (descriptor >= DESCRIPTORS_MAX) die("too many open files");
    followed[descriptor] = 1;
    note('O', descriptor, flags, path, strlen(path));
    return descriptor;
}

/* --- opening and closing ------------------------------------------------------------------------------------- */

#define MODE(flags, mode)                                     \
    mode_t mode = 0;                                          \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                    \
        va_list rest;                                         \
        va_start(rest, flags);                                \
        mode = va_arg(rest, mode_t);                          \
        va_end(rest);                                         \
    }

#define OPEN(name)                                                        \
    int name(const char *path, int flags, ...) {                          \
        MODE(flags, mode)                                                 \
        if (!is_ours(path)) return REAL(name)(path, flags, mode);         \
        pthread_mutex_lock(&lock);                                        \
        int descriptor = follow(REAL(name)(path, flags, mode), path, flags); \
        pthread_mutex_unlock(&lock);                                      \
        return descriptor;                                                \
    }

#define OPEN_AT(name)                                                          \
    int name(int folder, const char *path, int flags, ...) {                   \
        MODE(flags, mode)                                                      \
        if (!is_ours(path)) return REAL(name)(folder, path, flags, mode);      \
        pthread_mutex_lock(&lock);                                             \
        int descriptor = follow(REAL(name)(folder, path, flags, mode), path, flags); \
        pthread_mutex_unlock(&lock);                                           \
        return descriptor;                                                     \
    }

OPEN(open)
OPEN(open64)
OPEN_AT(openat)
OPEN_AT(openat64)

/* What a fortified program calls where it passes no mode. */
int __open_2(const char *path, int flags) { return open(path, flags); }
int __open64_2(const char *path, int flags) { return open64(path, flags); }

int close(int descriptor) {
    if (!is_followed(descriptor)) return REAL(close)(descriptor);
    pthread_mutex_lock(&lock);
    followed[descriptor] = 0;
    note('C', descriptor, 0, NULL, 0);
    int result = REAL(close)(descriptor);
    pthread_mutex_unlock(&lock);
    return result;
}

/* --- writing --------------------------------------------------------------------------------------------------- */

ssize_t write(int descriptor, const void *data, size_t count) {
    if (!is_followed(descriptor)) return REAL(write)(descriptor, data, count);
    pthread_mutex_lock(&lock);
    ssize_t written = REAL(write)(descriptor, data, count);
    if (written > 0) note('W', descriptor, lseek(descriptor, 0, SEEK_CUR) - written, data, (size_t)written);
    pthread_mutex_unlock(&lock);
    return written;
}

static void note_parts(int descriptor, int64_t offset, const struct iovec *parts, int count, ssize_t written) {
    for (int index = 0; index < count && written > 0; index++) {
        size_t length = (size_t)written < parts[index].iov_len ? (size_t)written : parts[index].iov_len;
        note('W', descriptor, offset, parts[index].iov_base, length);
        offset += (int64_t)length;
        written -= (ssize_t)length;
    }
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    if (!is_followed(descriptor)) return REAL(writev)(descriptor, parts, count);
    pthread_mutex_lock(&lock);
    ssize_t written = REAL(writev)(descriptor, parts, count);
    note_parts(descriptor, lseek(descriptor, 0, SEEK_CUR) - written, parts, count, written);
    pthread_mutex_unlock(&lock);
    return written;
}

#define PWRITE(name, offset_type)                                                            \
    ssize_t name(int descriptor, const void *data, size_t count, offset_type offset) {       \
        if (!is_followed(descriptor)) return REAL(name)(descriptor, data, count, offset);    \
        pthread_mutex_lock(&lock);                                                           \
        ssize_t written = REAL(name)(descriptor, data, count, offset);                       \
        if (written > 0) note('W', descriptor, offset, data, (size_t)written);               \
        pthread_mutex_unlock(&lock);                                                         \
        return written;                                                                      \
    }

#define PWRITEV(name, offset_type)                                                           \
    ssize_t name(int descriptor, const struct iovec *parts, int count, offset_type offset) { \
        if (!is_followed(descriptor)) return REAL(name)(descriptor, parts, count, offset);   \
        pthread_mutex_lock(&lock);                                                           \
        ssize_t written = REAL(name)(descriptor, parts, count, offset);                      \
        note_parts(descriptor, offset, parts, count, written);                               \
        pthread_mutex_unlock(&lock);                                                         \
        return written;                                                                      \
    }

#define PWRITEV2(name, offset_type)                                                          \
    ssize_t name(int descriptor, const struct iovec *parts, int count, offset_type offset, int flags) { \
        if (!is_followed(descriptor)) return REAL(name)(descriptor, parts, count, offset, flags); \
        pthread_mutex_lock(&lock);                                                           \
        ssize_t written = REAL(name)(descriptor, parts, count, offset, flags);               \
        /* -1 stands for the position, which has moved by now. */                            \
        int64_t start = offset == -1 ? lseek(descriptor, 0, SEEK_CUR) - written : offset;    \
        note_parts(descriptor, start, parts, count, written);                                \
        pthread_mutex_unlock(&lock);                                                         \
        return written;                                                                      \
    }

PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)
PWRITEV(pwritev, off_t)
PWRITEV(pwritev64, off64_t)
PWRITEV2(pwritev2, off_t)
PWRITEV2(pwritev64v2, off64_t)

/* --- sizes ----------------------------------------------------------------------------------------------------- */

#define FTRUNCATE(name, offset_type)                                              \
    int name(int descriptor, offset_type size) {                                  \
        if (!is_followed(descriptor)) return REAL(name)(descriptor, size);        \
        pthread_mutex_lock(&lock);                                                \
        int result = REAL(name)(descriptor, size);                                \
        if (result == 0) note('T', descriptor, size, NULL, 0);                    \
        pthread_mutex_unlock(&lock);                                              \
        return result;                                                            \
    }

#define TRUNCATE(name, offset_type)                                               \
    int name(const char *path, offset_type size) {                                \
        if (!is_ours(path)) return REAL(name)(path, size);                        \
        pthread_mutex_lock(&lock);                                                \
        int result = REAL(name)(path, size);                                      \
        if (result == 0) note('t', -1, size, path, strlen(path));                 \
        pthread_mutex_unlock(&lock);                                              \
        return result;                                                            \
    }

#define POSIX_FALLOCATE(name, offset_type)                                        \
    int name(int descriptor, offset_type offset, offset_type length) {            \
        if (!is_followed(descriptor)) return REAL(name)(descriptor, offset, length); \
        pthread_mutex_lock(&lock);                                                \
        int result = REAL(name)(descriptor, offset, length);                      \
        if (result == 0) note('A', descriptor, offset + length, NULL, 0);         \
        pthread_mutex_unlock(&lock);                                              \
        return result;                                                            \
    }

#define FALLOCATE(name, offset_type)                                                     \
    int name(int descriptor, int mode, offset_type offset, offset_type length) {         \
        if (!is_followed(descriptor)) return REAL(name)(descriptor, mode, offset, length); \
        pthread_mutex_lock(&lock);                                                       \
        int result = REAL(name)(descriptor, mode, offset, length);                       \
        if (result == 0 && mode == 0) note('A', descriptor, offset + length, NULL, 0);   \
        if (result == 0 && mode != 0) note('X', descriptor, 0, #name, sizeof #name - 1); \
        pthread_mutex_unlock(&lock);                                                     \
        return result;                                                                   \
    }

FTRUNCATE(ftruncate, off_t)
FTRUNCATE(ftruncate64, off64_t)
TRUNCATE(truncate, off_t)
TRUNCATE(truncate64, off64_t)
POSIX_FALLOCATE(posix_fallocate, off_t)
POSIX_FALLOCATE(posix_fallocate64, off64_t)
FALLOCATE(fallocate, off_t)
FALLOCATE(fallocate64, off64_t)

/* --- reaching the disk ----------------------------------------------------------------------------------------- */

#define SYNC(name)                                                     \
    int name(int descriptor) {                                         \
        if (!is_followed(descriptor)) return REAL(name)(descriptor);   \
        pthread_mutex_lock(&lock);                                     \
        int result = REAL(name)(descriptor);                           \
        if (result == 0) note('S', descriptor, 0, NULL, 0);            \
        pthread_mutex_unlock(&lock);                                   \
        return result;                                                 \
    }

SYNC(fsync)
SYNC(fdatasync)

/* --- names ----------------------------------------------------------------------------------------------------- */

static int unlink_noted(int result, const char *path) {
    if (result == 0) note('U', -1, 0, path, strlen(path));
    return result;
}

int unlink(const char *path) {
    if (!is_ours(path)) return REAL(unlink)(path);
    pthread_mutex_lock(&lock);
    int result = unlink_noted(REAL(unlink)(path), path);
    pthread_mutex_unlock(&lock);
    return result;
}

int remove(const char *path) {
    if (!is_ours(path)) return REAL(remove)(path);
    return unlink(path);
}

int unlinkat(int folder, const char *path, int flags) {
    if (!is_ours(path)) return REAL(unlinkat)(folder, path, flags);
    pthread_mutex_lock(&lock);
    int result = unlink_noted(REAL(unlinkat)(folder, path, flags), path);
    pthread_mutex_unlock(&lock);
    return result;
}

static int rename_noted(int result, const char *from, const char *to) {
    char both[2 * PATH_MAX];
    size_t first = strlen(from) + 1, length = first + strlen(to);
    if (result != 0) return result;
    if (length > sizeof both) die("a path is too long");
    memcpy(both, from, first);
    memcpy(both + first, to, length - first);
    note('R', -1, 0, both, length);
    return result;
}

int rename(const char *from, const char *to) {
    if (!is_ours(from)) return REAL(rename)(from, to);
    pthread_mutex_lock(&lock);
    int result = rename_noted(REAL(rename)(from, to), from, to);
    pthread_mutex_unlock(&lock);
    return result;
}

int renameat(int folder, const char *from, int other, const char *to) {
    if (!is_ours(from)) return REAL(renameat)(folder, from, other, to);
    pthread_mutex_lock(&lock);
    int result = rename_noted(REAL(renameat)(folder, from, other, to), from, to);
    pthread_mutex_unlock(&lock);
    return result;
}

/* --- what cannot be followed ----------------------------------------------------------------------------------- */

static void note_unfollowed(int descriptor, const char *name) {
    if (!is_followed(descriptor)) return;
    pthread_mutex_lock(&lock);
    note('X', descriptor, 0, name, strlen(name));
    pthread_mutex_unlock(&lock);
}

#define MMAP(name, offset_type)                                                                          \
    void *name(void *address, size_t length, int protection, int flags, int descriptor, offset_type offset) { \
        if ((protection & PROT_WRITE) && (flags & MAP_SHARED)) note_unfollowed(descriptor, #name);       \
        return REAL(name)(address, length, protection, flags, descriptor, offset);                       \
    }

MMAP(mmap, off_t)
MMAP(mmap64, off64_t)

ssize_t sendfile(int to, int from, off_t *offset, size_t count) {
    note_unfollowed(to, "sendfile");
    return REAL(sendfile)(to, from, offset, count);
}

ssize_t sendfile64(int to, int from, off64_t *offset, size_t count) {
    note_unfollowed(to, "sendfile64");
    return REAL(sendfile64)(to, from, offset, count);
}

ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *offset, size_t count, unsigned int flags) {
    note_unfollowed(to, "copy_file_range");
    return REAL(copy_file_range)(from, at, to, offset, count, flags);
}
