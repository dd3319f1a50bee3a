/*
 * A disk that fails on demand, between a process and its files: compiled by the tests and loaded with LD_PRELOAD. What it
 * does stands in a small file that both share; FAULTY_DISK_FILES says which paths it is about.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEALTHY, FULL, BROKEN, NO_SYNC, SHORT, TORN, POWER_CUT };

/* Four numbers: the fault, how many writes (or syncs) succeed before it, how often it was met, how many calls there were. */
static volatile int32_t *control;
static const char *files;

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_write)(int, const void *, size_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off_t);

__attribute__((constructor)) static void begin(void) {
  real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  real_write = dlsym(RTLD_NEXT, "write");
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
  const char *path = getenv("FAULTY_DISK_CONTROL");
  files = getenv("FAULTY_DISK_FILES");
  if (path == NULL || files == NULL) return;
  int fd = open(path, O_RDWR);
  if (fd < 0) return;
  void *shared = mmap(NULL, 4 * sizeof(int32_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (shared != MAP_FAILED) control = shared;
}

static int concerns(int fd) {
  if (control == NULL) return 0;
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return strstr(path, files) != NULL && strstr(path, "-shm") == NULL;
}

/* What a power cut takes back: writes that no sync has brought to the disk. */
struct change {
  struct change *before;
  ino_t file;
  int fd, is_lost;
  off_t at;
  size_t length, was;
  char old[];
};
static struct change *changes;

static ino_t file_of(int fd) {
  struct stat found;
  return fstat(fd, &found) == 0 ? found.st_ino : 0;
}

static void remember(int fd, size_t length, off_t at) {
  struct change *one = malloc(sizeof *one + length);
  ssize_t was = pread(fd, one->old, length, at);
  *one = (struct change){changes, file_of(fd), dup(fd), 0, at, length, was < 0 ? 0 : (size_t)was};
  changes = one;
}

static void forget(struct change **place) {
  struct change *gone = *place;
  *place = gone->before;
  close(gone->fd);
  free(gone);
}

/* Synced: what was written since is there for good, and covers what was lost before. Not synced: it is lost, for Linux
   takes the pages for clean from then on. */
static void synced(int fd, int is_done) {
  ino_t file = file_of(fd);
  for (struct change **place = &changes; *place != NULL;) {
    struct change *one = *place;
    if (one->file != file || one->is_lost) {
      place = &one->before;
    } else if (!is_done) {
      one->is_lost = 1;
      place = &one->before;
    } else {
      for (struct change **older = &one->before; *older != NULL;) {
        struct change *other = *older;
        int is_covered = other->file == file && other->at >= one->at && other->at + other->length <= one->at + one->length;
        if (is_covered) forget(older);
        else older = &other->before;
      }
      forget(place);
    }
  }
}

static void cut_power(void) {
  for (struct change *one = changes; one != NULL; one = one->before) {
    struct stat now;
    if (fstat(one->fd, &now) != 0 || now.st_size < one->at) continue;
    real_pwrite(one->fd, one->old, one->was, one->at);
    for (size_t byte = one->was; byte < one->length; byte++) real_pwrite(one->fd, "", 1, one->at + byte);
  }
  kill(getpid(), SIGKILL);
}

/* True: this call is the one that fails, or one after it. */
static int is_met(void) {
  control[3]++;
  if (control[1]-- > 0) return 0;
  control[1] = 0;
  control[2]++;
  return 1;
}

static int fail(int code) {
  errno = code;
  return -1;
}

static ssize_t write_to(int fd, const void *data, size_t length, off_t at) {
  int32_t fault = control[0];
  if (fault == POWER_CUT) cut_power();
  remember(fd, length, at);
  if (fault == HEALTHY) control[3]++;
  if (fault == HEALTHY || fault == NO_SYNC || !is_met()) return real_pwrite(fd, data, length, at);
  if (fault == FULL) return fail(ENOSPC);
  if (fault == BROKEN) return fail(EIO);
  ssize_t part = real_pwrite(fd, data, length / 2 > 0 ? length / 2 : length, at);
  if (fault == TORN) kill(getpid(), SIGKILL);
  /* The disk is full behind the first half. */
  control[0] = FULL;
  return part;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t at) {
  return concerns(fd) ? write_to(fd, data, length, at) : real_pwrite(fd, data, length, at);
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t at) { return pwrite64(fd, data, length, at); }

ssize_t write(int fd, const void *data, size_t length) {
  if (!concerns(fd)) return real_write(fd, data, length);
  off_t at = lseek(fd, 0, SEEK_CUR);
  ssize_t written = write_to(fd, data, length, at);
  if (written > 0) lseek(fd, at + written, SEEK_SET);
  return written;
}

static int sync_to(int fd, int (*real)(int)) {
  if (!concerns(fd)) return real(fd);
  int is_failing = control[0] == NO_SYNC && is_met();
  synced(fd, !is_failing);
  return is_failing ? fail(EIO) : 0;
}
int fsync(int fd) { return sync_to(fd, real_fsync); }
int fdatasync(int fd) { return sync_to(fd, real_fdatasync); }

int ftruncate64(int fd, off_t length) {
  if (!concerns(fd)) return real_ftruncate(fd, length);
  if (control[0] == FULL || control[0] == BROKEN) {
    if (is_met()) return fail(control[0] == FULL ? ENOSPC : EIO);
  }
  ino_t file = file_of(fd);
  for (struct change **place = &changes; *place != NULL;) {
    if ((*place)->file == file && (*place)->at >= length) forget(place);
    else place = &(*place)->before;
  }
  return real_ftruncate(fd, length);
}
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }
