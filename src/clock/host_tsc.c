/*
 * host_tsc.c: can the host's TSC serve as the clock, and what is its frequency?
 *
 * It can when it is invariant (SDM 3B 18.17.1, APM 3 appendix E.4.6: CPUID 0x80000007 EDX[8]) and the kernel
 * has not thrown it out of its list of clocksources, which it does when the CPUs' TSCs disagree. The
 * frequency is asked for in the order of trust: the hypervisor's leaf 0x40000010, CPUID 0x15, and what the
 * kernel works with, by way of a perf event page or, where its hypervisor told it, of /proc/cpuinfo. A claim
 * is compared with CLOCK_MONOTONIC_RAW for a fraction of a millisecond; only when nobody knows, or the claim
 * is wrong, the frequency is measured, which takes some milliseconds.
 */
#include "clock/clock_impl.h"
#include <cpuid.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CPUINFO    "/proc/cpuinfo"
#define LINE_BYTES 8192

enum {
    CHECK_NS = 300000,    /* long enough to see a claim that is off by a part in 400 */
    MEASURE_NS = 4000000, /* long enough for ten parts in a million */
    READ_TRIES = 8,
    PLAUSIBLE_MIN_KHZ = 100000,
    PLAUSIBLE_MAX_KHZ = 20000000,
};

/* The first line of a file that begins with `key`, or "" when there is none. False: no such file. */
static bool read_line(const char *path, const char *key, char *line, int size)
{
    line[0] = 0;
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    while (fgets(line, size, f) && strncmp(line, key, strlen(key)) != 0)
        line[0] = 0;
    fclose(f);
    return true;
}

/* Is `word` one of the words, separated by spaces, of the line? */
static bool has_word(const char *line, const char *word)
{
    size_t len = strlen(word);
    for (const char *p = line; (p = strstr(p, word)); p += len) {
        bool starts = p == line || p[-1] == ' ';
        if (starts && (p[len] == ' ' || p[len] == '\n' || p[len] == 0))
            return true;
    }
    return false;
}

static bool invariant(void)
{
    uint32_t a, b, c, d;
    if (__get_cpuid(0x80000007, &a, &b, &c, &d) && (d & BIT(8)))
        return true;
    /* A hypervisor may hide the bit from us and the kernel know better. */
    char flags[LINE_BYTES];
    read_line(CPUINFO, "flags", flags, sizeof(flags));
    return has_word(flags, "constant_tsc") && has_word(flags, "nonstop_tsc");
}

/* Where the file cannot be read (a sandbox), the processor's word is all there is. */
static bool kernel_keeps_tsc(void)
{
    char line[LINE_BYTES];
    return !read_line("/sys/devices/system/clocksource/clocksource0/available_clocksource", "", line,
                      sizeof(line)) ||
           has_word(line, "tsc");
}

struct pair {
    uint64_t tsc, ns;
};

/* TSC and nanoseconds of one moment: of several tries the one whose TSC reads were closest together. */
static struct pair read_pair(void)
{
    struct pair pair = {0};
    uint64_t best = UINT64_MAX;
    for (unsigned i = 0; i < READ_TRIES; i++) {
        struct timespec ts = {0};
        uint64_t before = host_tsc_read();
        clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
        uint64_t width = host_tsc_read() - before;
        if (width < best) {
            best = width;
            pair.tsc = before + width / 2;
            pair.ns = (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
        }
    }
    return pair;
}

static uint64_t measure_khz(uint64_t duration_ns)
{
    struct pair from = read_pair(), to;
    do
        to = read_pair();
    while (to.ns - from.ns < duration_ns);
    return (uint64_t)((unsigned __int128)(to.tsc - from.tsc) * 1000000 / (to.ns - from.ns));
}

/* The leaf in which hypervisors give the TSC's kHz in EAX (VMware's, taken over by KVM, Xen and others). */
static uint64_t khz_from_hypervisor(void)
{
    uint32_t a, b, c, d;
    __cpuid(1, a, b, c, d);
    if (!(c & BIT(31)))
        return 0;
    __cpuid(0x40000000, a, b, c, d);
    if (a < 0x40000010 || a > 0x4000ffff)
        return 0;
    __cpuid(0x40000010, a, b, c, d);
    return a;
}

/* SDM 2A CPUID leaf 0x15: crystal ECX Hz times EBX/EAX; zeros where the processor does not say. */
static uint64_t khz_from_leaf_15(void)
{
    uint32_t a, b, c, d;
    if (!__get_cpuid(0x15, &a, &b, &c, &d) || !a || !b || !c)
        return 0;
    return (uint64_t)c * b / a / 1000;
}

/* perf_event_open(2), cap_user_time: ns = tsc * time_mult >> time_shift. */
static uint64_t khz_from_perf(void)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof(attr),
        .config = PERF_COUNT_SW_DUMMY,
        .disabled = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1,
    };
    int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0)
        return 0;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *map = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        return 0;
    const struct perf_event_mmap_page *p = map;
    uint64_t khz = 0;
    if (p->cap_user_time && p->time_mult && p->time_shift < 64)
        khz = (uint64_t)(((unsigned __int128)1000000 << p->time_shift) / p->time_mult);
    munmap(map, page);
    return khz;
}

/*
 * A kernel that was told the TSC's frequency (tsc_known_freq: by its hypervisor) derives BogoMIPS from it:
 * twice the MHz, cut after two digits, which leaves 5 kHz to choose from. "cpu MHz" has the last digits, when
 * it speaks of the same thing and not of the processor's changing frequency.
 */
static uint64_t khz_from_cpuinfo(void)
{
    char line[LINE_BYTES];
    unsigned long long whole, part;
    read_line(CPUINFO, "flags", line, sizeof(line));
    if (!has_word(line, "tsc_known_freq"))
        return 0;
    read_line(CPUINFO, "bogomips", line, sizeof(line));
    if (sscanf(line, "bogomips : %5llu.%2llu", &whole, &part) != 2)
        return 0;
    uint64_t least = (whole * 100 + part) * 5;
    read_line(CPUINFO, "cpu MHz", line, sizeof(line));
    if (sscanf(line, "cpu MHz : %5llu.%3llu", &whole, &part) == 2) {
        uint64_t khz = whole * 1000 + part;
        if (khz >= least && khz <= least + 5)
            return khz;
    }
    return least + 2;
}

static bool near(uint64_t a, uint64_t b)
{
    uint64_t apart = a > b ? a - b : b - a;
    return apart <= b / 400;
}

uint64_t host_tsc_khz(void)
{
    static uint64_t (*const sources[])(void) = {khz_from_hypervisor, khz_from_leaf_15, khz_from_perf,
                                                khz_from_cpuinfo};
    if (!invariant() || !kernel_keeps_tsc())
        return 0;
    uint64_t rough = measure_khz(CHECK_NS), exact = 0;
    for (unsigned i = 0; i < ARRAY_LEN(sources); i++) {
        uint64_t claim = sources[i]();
        if (claim < PLAUSIBLE_MIN_KHZ || claim > PLAUSIBLE_MAX_KHZ)
            continue;
        if (near(claim, rough))
            return claim;
        /* One of the two is wrong; the short one may have been disturbed by the scheduler. */
        if (!exact)
            exact = measure_khz(MEASURE_NS);
        if (near(claim, exact))
            return claim;
    }
    if (!exact)
        exact = measure_khz(MEASURE_NS);
    return exact >= PLAUSIBLE_MIN_KHZ && exact <= PLAUSIBLE_MAX_KHZ ? exact : 0;
}
