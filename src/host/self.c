/*
 * self.c: what this process has used so far, for the statistics.
 */
#include "host/host.h"
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double seconds_of(clockid_t id)
{
    struct timespec ts = {0};
    clock_gettime(id, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

double host_cpu_seconds(void)
{
    return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t host_peak_rss(void)
{
    unsigned long long kib = 0;
    FILE *f = fopen("/proc/self/status", "re");
    if (f) {
        char line[256];
        while (fgets(line, sizeof(line), f) && sscanf(line, "VmHWM: %llu", &kib) != 1)
            ;
        fclose(f);
    }
    if (!kib) { /* no /proc: rusage counts what the process was before exec, too */
        struct rusage ru = {0};
        getrusage(RUSAGE_SELF, &ru);
        kib = (unsigned long long)ru.ru_maxrss;
    }
    return KIB(kib);
}

/* proc(5): field 22, starttime, in clock ticks since boot; field 2 is the name in parentheses and may hold
 * any byte. */
double host_process_age(void)
{
    FILE *f = fopen("/proc/self/stat", "re");
    if (!f)
        return 0;
    char text[1024];
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    text[n] = 0;
    unsigned long long ticks;
    const char *p = strrchr(text, ')');
    /* from field 3 on, 19 fields to skip */
    if (!p ||
        sscanf(p + 1, " %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
               &ticks) != 1)
        return 0;
    double age = seconds_of(CLOCK_BOOTTIME) - (double)ticks / (double)sysconf(_SC_CLK_TCK);
    return age > 0 ? age : 0;
}
