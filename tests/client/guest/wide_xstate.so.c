/* SPDX-License-Identifier: Apache-2.0 */
/* LD_PRELOAD for User Mode Linux where the processor has more state than it has room for (AMX: 11,008 bytes
 * instead of 2,696). It writes a process's extended state with PTRACE_SETREGSET as far as it knows it; the
 * machine's kernel takes all of it or nothing (EFAULT: "ptrace set fp regs failed, errno = 14", and no guest
 * boots). So zeros complete it: nothing in a guest uses what is beyond. Elsewhere this changes nothing. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

enum { BYTES_MAX = 16 << 10 };

typedef long ptrace_function(enum __ptrace_request, ...);

static unsigned char state[BYTES_MAX];

/* GIVEN, or one of the size that the machine's kernel has for PID. Of this function's own memory: one thread
 * of it traces. */
static struct iovec *completed(ptrace_function *next, pid_t pid, struct iovec *given)
{
        static struct iovec all;
        static size_t bytes;
        if (!bytes) {
                all = (struct iovec){ state, sizeof state };
                if (next(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &all) < 0)
                        return given;
                bytes = all.iov_len;
        }
        if (given->iov_len >= bytes)
                return given;
        memcpy(state, given->iov_base, given->iov_len);
        memset(state + given->iov_len, 0, bytes - given->iov_len);
        all = (struct iovec){ state, bytes };
        return &all;
}

long ptrace(enum __ptrace_request request, ...)
{
        static ptrace_function *next;
        if (!next && !(next = (ptrace_function *)dlsym(RTLD_NEXT, "ptrace")))
                abort();
        va_list rest;
        va_start(rest, request);
        pid_t pid = va_arg(rest, pid_t);
        void *address = va_arg(rest, void *), *data = va_arg(rest, void *);
        va_end(rest);
        if (request == PTRACE_SETREGSET && address == (void *)NT_X86_XSTATE)
                data = completed(next, pid, data);
        return next(request, pid, address, data);
}
