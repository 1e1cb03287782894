"""The system calls that programs may make, with their numbers on x86-64 and aarch64.

An allow-list: what is not here is refused, calls of future kernels included. Left out are those
that reach other processes or namespaces, load code into the kernel, or change state that is shared
by the whole machine or by all of a user's processes: locks on shared files, slots for asynchronous
input and output, inotify instances, queued signals and timers, keys, message queues, what is in the
page cache.

Source: the kernel's ``arch/x86/entry/syscalls/syscall_64.tbl`` and ``asm-generic/unistd.h``.
"""

Numbers = tuple[int, int | None]  # on (x86-64, aarch64); None if it has no such call

CLONE3 = (435, 435)  # refused as unknown: libc then uses clone, whose flags a filter can see
# Name, number on x86-64, number on aarch64. As text: a sandbox often starts without compiled code,
# and compiling a literal of this size takes longer than parsing it.
_TABLE = """\
accept 43 202
accept4 288 242
access 21 -
alarm 37 -
arch_prctl 158 -
bind 49 200
brk 12 214
capget 125 90
capset 126 91
chdir 80 49
chmod 90 -
chown 92 -
clock_getres 229 114
clock_gettime 228 113
clock_nanosleep 230 115
clone 56 220
close 3 57
close_range 436 436
connect 42 203
copy_file_range 326 285
creat 85 -
dup 32 23
dup2 33 -
dup3 292 24
epoll_create 213 -
epoll_create1 291 20
epoll_ctl 233 21
epoll_pwait 281 22
epoll_pwait2 441 441
epoll_wait 232 -
eventfd 284 -
eventfd2 290 19
execve 59 221
execveat 322 281
exit 60 93
exit_group 231 94
faccessat 269 48
faccessat2 439 439
fallocate 285 47
fchdir 81 50
fchmod 91 52
fchmodat 268 53
fchmodat2 452 452
fchown 93 55
fchownat 260 54
fcntl 72 25
fdatasync 75 83
fgetxattr 193 10
flistxattr 196 13
fork 57 -
fstat 5 80
fstatfs 138 44
fsync 74 82
ftruncate 77 46
futex 202 98
futex_requeue 456 456
futex_wait 455 455
futex_waitv 449 449
futex_wake 454 454
futimesat 261 -
get_mempolicy 239 236
get_robust_list 274 100
getcpu 309 168
getcwd 79 17
getdents 78 -
getdents64 217 61
getegid 108 177
geteuid 107 175
getgid 104 176
getgroups 115 158
getitimer 36 102
getpeername 52 205
getpgid 121 155
getpgrp 111 -
getpid 39 172
getppid 110 173
getpriority 140 141
getrandom 318 278
getresgid 120 150
getresuid 118 148
getrlimit 97 163
getrusage 98 165
getsid 124 156
getsockname 51 204
getsockopt 55 209
gettid 186 178
gettimeofday 96 169
getuid 102 174
getxattr 191 8
ioctl 16 29
ioprio_get 252 31
kill 62 129
landlock_add_rule 445 445
landlock_create_ruleset 444 444
landlock_restrict_self 446 446
lchown 94 -
lgetxattr 192 9
link 86 -
linkat 265 37
listen 50 201
listxattr 194 11
llistxattr 195 12
lseek 8 62
lstat 6 -
madvise 28 233
map_shadow_stack 453 453
mincore 27 232
mkdir 83 -
mkdirat 258 34
mlock 149 228
mlock2 325 284
mlockall 151 230
mmap 9 222
mount 165 40
mprotect 10 226
mremap 25 216
mseal 462 462
msync 26 227
munlock 150 229
munlockall 152 231
munmap 11 215
nanosleep 35 101
newfstatat 262 79
open 2 -
openat 257 56
openat2 437 437
pause 34 -
pipe 22 -
pipe2 293 59
pkey_alloc 330 289
pkey_free 331 290
pkey_mprotect 329 288
poll 7 -
ppoll 271 73
prctl 157 167
pread64 17 67
preadv 295 69
preadv2 327 286
prlimit64 302 261
pselect6 270 72
pwrite64 18 68
pwritev 296 70
pwritev2 328 287
read 0 63
readlink 89 -
readlinkat 267 78
readv 19 65
recvfrom 45 207
recvmmsg 299 243
recvmsg 47 212
rename 82 -
renameat 264 38
renameat2 316 276
restart_syscall 219 128
rmdir 84 -
rseq 334 293
rt_sigaction 13 134
rt_sigpending 127 136
rt_sigprocmask 14 135
rt_sigreturn 15 139
rt_sigsuspend 130 133
rt_sigtimedwait 128 137
sched_get_priority_max 146 125
sched_get_priority_min 147 126
sched_getaffinity 204 123
sched_getattr 315 275
sched_getparam 143 121
sched_getscheduler 145 120
sched_rr_get_interval 148 127
sched_yield 24 124
seccomp 317 277
select 23 -
sendfile 40 71
sendto 44 206
set_robust_list 273 99
set_tid_address 218 96
setitimer 38 103
setns 308 268
setpgid 109 154
setpriority 141 140
setrlimit 160 164
setsid 112 157
shutdown 48 210
sigaltstack 131 132
signalfd 282 -
signalfd4 289 74
socket 41 198
socketpair 53 199
splice 275 76
stat 4 -
statfs 137 43
statx 332 291
symlink 88 -
symlinkat 266 36
sync_file_range 277 84
sysinfo 99 179
tee 276 77
tgkill 234 131
time 201 -
timerfd_create 283 85
timerfd_gettime 287 87
timerfd_settime 286 86
times 100 153
tkill 200 130
truncate 76 45
umask 95 166
uname 63 160
unlink 87 -
unlinkat 263 35
unshare 272 97
utime 132 -
utimensat 280 88
utimes 235 -
vfork 58 -
vmsplice 278 75
wait4 61 260
waitid 247 95
write 1 64
writev 20 66
"""


def _parse(table: str) -> dict[str, Numbers]:
    rows = (line.split() for line in table.splitlines())
    return {name: (int(x86), None if arm == "-" else int(arm)) for name, x86, arm in rows}


ALLOWED = _parse(_TABLE)

# For clone: flags that create a namespace; and the flag of a thread.
CLONE_NEW_ANY, CLONE_THREAD = 0x7E020080, 0x10000
AF_UNIX = 1
SIGCHLD = 17
PR_SET_PDEATHSIG = 1
MAP_SHARED_ANONYMOUS = (0x1, 0x20)
# Commands of fcntl: descriptors, status flags, locks on ranges of files, seals, a pipe's size. Not:
# leases, notices of changes, who gets a descriptor's signals, larger pipes.
FCNTL_COMMANDS = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032, 1033, 1034)
# Requests of ioctl: what kind of terminal this is and its size, bytes to read, non-blocking,
# close-on-exec, a copy of a file's blocks.
IOCTL_REQUESTS = (
    0x5401,
    0x5413,
    0x540F,
    0x541B,
    0x5421,
    0x5450,
    0x5451,
    0x802C542A,
    0x40049409,
)

# Needed by the zygote around each fork, and refused to its children.
ZYGOTE_ONLY = ("mount", "setns", "unshare")
# Refused to children without namespaces: what reaches other processes, or Landlock leaves open.
NAMESPACES_ONLY = (
    "accept",
    "accept4",
    "bind",
    "chmod",
    "chown",
    "connect",
    "execve",
    "execveat",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "fchown",
    "fchownat",
    "fork",
    "futimesat",
    "lchown",
    "listen",
    "setpgid",
    "setpriority",
    "socket",
    "tkill",
    "utime",
    "utimensat",
    "utimes",
    "vfork",
)
