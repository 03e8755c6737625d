#include "server/decoding/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/log.h"

namespace sensorium::server::decoding {
namespace {

#if defined(__x86_64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
constexpr uint32_t kArchitecture = 0;
#endif

// What decoding needs once the program has been loaded: its socket, memory, time, and an end.
constexpr std::array kAllowed = std::to_array<uint32_t>({
    SYS_read,        SYS_write,         SYS_close,        SYS_mmap,         SYS_munmap,
    SYS_mremap,      SYS_mprotect,      SYS_madvise,      SYS_brk,          SYS_futex,
    SYS_exit,        SYS_exit_group,    SYS_rt_sigaction, SYS_rt_sigreturn, SYS_rt_sigprocmask,
    SYS_getrandom,   SYS_clock_gettime, SYS_gettimeofday, SYS_prlimit64,    SYS_getrusage,
    SYS_sched_yield, SYS_gettid,        SYS_getpid,       SYS_tgkill,       SYS_fstat,
    SYS_lseek,
});

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

// What the sanitizers' runtime calls besides. Whenever something is thrown, it asks where the signals' stack is, and ends the process
// if it is not told; whether an object may be read, it tries out with a pipe.
constexpr std::array kAllowedIfSanitized = std::to_array<uint32_t>({SYS_sigaltstack, SYS_pipe2,
#ifdef SYS_pipe
                                                                    SYS_pipe
#endif
});
constexpr uint64_t kMostFiles = kSanitized ? 16 : 0;

void set_limit(int resource, uint64_t soft, uint64_t hard, const char* name) {
  const rlimit limit{static_cast<rlim_t>(soft), static_cast<rlim_t>(hard)};
  require(setrlimit(static_cast<__rlimit_resource_t>(resource), &limit) == 0, ErrorKind::io,
          "the limit of {} cannot be set: {}", name, std::strerror(errno));
}

// Everything else gives EPERM, which libraries take for a failure of the call.
bool filter_system_calls() {
  if (kArchitecture == 0) return false;
  std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
  };
  const auto allow = [&](uint32_t call) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  };
  std::ranges::for_each(kAllowed, allow);
  if (kSanitized) std::ranges::for_each(kAllowedIfSanitized, allow);
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

}  // namespace

bool limits_memory() { return !kSanitized; }

void enter_sandbox(const SandboxLimits& limits) {
  prctl(PR_SET_DUMPABLE, 0);
  require(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, ErrorKind::io, "new privileges cannot be given up");
  const auto memory = static_cast<uint64_t>(limits.memory_bytes);
  if (limits_memory()) set_limit(RLIMIT_AS, memory, memory, "memory");
  set_limit(RLIMIT_CORE, 0, 0, "cores");
  set_limit(RLIMIT_FSIZE, 0, 0, "files' sizes");
  set_limit(RLIMIT_NOFILE, kMostFiles, kMostFiles, "open files");
  set_limit(RLIMIT_NPROC, 0, 0, "processes");
  if (!filter_system_calls())
    log_warning("this system filters no system calls: decoders have limits, but could connect to the network");
}

void allow_cpu_time(uint32_t seconds) {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  rlimit limit{};
  getrlimit(RLIMIT_CPU, &limit);
  limit.rlim_cur = static_cast<rlim_t>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + 1 + seconds;
  setrlimit(RLIMIT_CPU, &limit);
}

}  // namespace sensorium::server::decoding
