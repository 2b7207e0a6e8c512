// SPDX-License-Identifier: Apache-2.0
// Preloaded (LD_PRELOAD) into a program under test, makes one of its calls fail, or that one and all later ones.
//
//   FAULT_CALLS=write,fsync    which calls count; alloc: malloc and its kin
//   FAULT_AT=3                 the third of them fails; 0: none, they are only counted
//   FAULT_LASTING=1            and all after it
//   FAULT_ERRNO=28             with this errno
//   FAULT_COUNTS=FILE          the number of calls is written there, whatever ends the process
//
// "tmpfile" is open() with O_TMPFILE. Writes to standard error don't count: the message of the failure goes there.
// Programs that the program starts are spared.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
}

namespace {

enum Call { kAlloc, kWrite, kFsync, kRename, kLink, kOpen, kTmpfile, kTruncate, kMkdir, kMmap, kMemfd, kPipe, kFork };
constexpr const char* kNames[] = {"alloc",    "write", "fsync", "rename", "link", "open", "tmpfile",
                                  "truncate", "mkdir", "mmap",  "memfd",  "pipe", "fork"};

bool counted[sizeof(kNames) / sizeof(kNames[0])];
long fail_at = 0;
bool lasting = false;
int error_number = ENOMEM;
std::atomic<long> own_count;
std::atomic<long>* count = &own_count;

long number_in(const char* name, long otherwise) {
  const char* text = getenv(name);
  return text == nullptr ? otherwise : atol(text);
}

void read_calls(const char* names) {
  for (; names != nullptr && *names != '\0'; names += strcspn(names, ","), names += *names == ',') {
    for (size_t i = 0; i < sizeof(kNames) / sizeof(kNames[0]); ++i) {
      const size_t length = strlen(kNames[i]);
      if (strncmp(names, kNames[i], length) == 0 && (names[length] == ',' || names[length] == '\0')) counted[i] = true;
    }
  }
}

// The counter lies in the file itself.
void share_counter(const char* path) {
  const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || ftruncate(file, sizeof(long)) != 0) _exit(125);
  void* memory = mmap(nullptr, sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) _exit(125);
  close(file);
  count = static_cast<std::atomic<long>*>(memory);
}

__attribute__((constructor)) void start() {
  if (const char* path = getenv("FAULT_COUNTS")) share_counter(path);
  fail_at = number_in("FAULT_AT", 0);
  lasting = number_in("FAULT_LASTING", 0) != 0;
  error_number = static_cast<int>(number_in("FAULT_ERRNO", ENOMEM));
  read_calls(getenv("FAULT_CALLS"));
  unsetenv("LD_PRELOAD");
}

bool fails(Call call) {
  if (!counted[call]) return false;
  const long number = count->fetch_add(1) + 1;
  if (fail_at == 0 || number < fail_at || (number > fail_at && !lasting)) return false;
  errno = error_number;
  return true;
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

Call kind_of_open(int flags) { return (flags & O_TMPFILE) == O_TMPFILE ? kTmpfile : kOpen; }

bool takes_mode(int flags) { return (flags & O_CREAT) != 0 || kind_of_open(flags) == kTmpfile; }

}  // namespace

#define NEXT(name) static auto* const real = next<decltype(name)>(#name)

extern "C" {

void* malloc(size_t size) { return fails(kAlloc) ? nullptr : __libc_malloc(size); }
void* calloc(size_t n, size_t size) { return fails(kAlloc) ? nullptr : __libc_calloc(n, size); }
void* realloc(void* old, size_t size) { return fails(kAlloc) ? nullptr : __libc_realloc(old, size); }
void* memalign(size_t align, size_t size) { return fails(kAlloc) ? nullptr : __libc_memalign(align, size); }
void* aligned_alloc(size_t align, size_t size) { return memalign(align, size); }
int posix_memalign(void** out, size_t align, size_t size) {
  *out = memalign(align, size);
  return *out == nullptr ? ENOMEM : 0;
}

ssize_t write(int fd, const void* data, size_t size) {
  NEXT(write);
  return fd != STDERR_FILENO && fails(kWrite) ? -1 : real(fd, data, size);
}
ssize_t writev(int fd, const iovec* pieces, int n) {
  NEXT(writev);
  return fd != STDERR_FILENO && fails(kWrite) ? -1 : real(fd, pieces, n);
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  NEXT(pwrite);
  return fails(kWrite) ? -1 : real(fd, data, size, offset);
}
ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) {
  NEXT(pwrite64);
  return fails(kWrite) ? -1 : real(fd, data, size, offset);
}
ssize_t sendfile(int out, int in, off_t* offset, size_t size) {
  static auto* const real = next<ssize_t(int, int, off_t*, size_t)>("sendfile");
  return fails(kWrite) ? -1 : real(out, in, offset, size);
}
int fsync(int fd) {
  NEXT(fsync);
  return fails(kFsync) ? -1 : real(fd);
}
int fdatasync(int fd) {
  NEXT(fdatasync);
  return fails(kFsync) ? -1 : real(fd);
}
int rename(const char* from, const char* to) {
  static auto* const real = next<int(const char*, const char*)>("rename");
  return fails(kRename) ? -1 : real(from, to);
}
int linkat(int from_folder, const char* from, int to_folder, const char* to, int flags) {
  NEXT(linkat);
  return fails(kLink) ? -1 : real(from_folder, from, to_folder, to, flags);
}
int ftruncate(int fd, off_t size) {
  NEXT(ftruncate);
  return fails(kTruncate) ? -1 : real(fd, size);
}
int ftruncate64(int fd, off64_t size) {
  NEXT(ftruncate64);
  return fails(kTruncate) ? -1 : real(fd, size);
}
int fallocate(int fd, int mode, off_t offset, off_t size) {
  NEXT(fallocate);
  return fails(kTruncate) ? -1 : real(fd, mode, offset, size);
}
int fallocate64(int fd, int mode, off64_t offset, off64_t size) {
  NEXT(fallocate64);
  return fails(kTruncate) ? -1 : real(fd, mode, offset, size);
}
int mkdir(const char* path, mode_t mode) {
  NEXT(mkdir);
  return fails(kMkdir) ? -1 : real(path, mode);
}
void* mmap(void* address, size_t size, int protection, int flags, int fd, off_t offset) {
  static auto* const real = next<void*(void*, size_t, int, int, int, off_t)>("mmap");
  return fails(kMmap) ? MAP_FAILED : real(address, size, protection, flags, fd, offset);
}
void* mmap64(void* address, size_t size, int protection, int flags, int fd, off64_t offset) {
  static auto* const real = next<void*(void*, size_t, int, int, int, off64_t)>("mmap64");
  return fails(kMmap) ? MAP_FAILED : real(address, size, protection, flags, fd, offset);
}
int memfd_create(const char* name, unsigned flags) {
  static auto* const real = next<int(const char*, unsigned)>("memfd_create");
  return fails(kMemfd) ? -1 : real(name, flags);
}
int pipe2(int* ends, int flags) {
  static auto* const real = next<int(int*, int)>("pipe2");
  return fails(kPipe) ? -1 : real(ends, flags);
}
pid_t fork(void) {
  NEXT(fork);
  return fails(kFork) ? -1 : real();
}

int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = takes_mode(flags) ? va_arg(more, mode_t) : 0;
  va_end(more);
  static auto* const real = next<int(const char*, int, ...)>("open");
  return fails(kind_of_open(flags)) ? -1 : real(path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = takes_mode(flags) ? va_arg(more, mode_t) : 0;
  va_end(more);
  static auto* const real = next<int(const char*, int, ...)>("open64");
  return fails(kind_of_open(flags)) ? -1 : real(path, flags, mode);
}
int openat(int folder, const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = takes_mode(flags) ? va_arg(more, mode_t) : 0;
  va_end(more);
  static auto* const real = next<int(int, const char*, int, ...)>("openat");
  return fails(kind_of_open(flags)) ? -1 : real(folder, path, flags, mode);
}

}  // extern "C"
