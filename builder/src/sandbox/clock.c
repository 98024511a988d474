/* The preloaded object that varies the time of day: overrides the C library's calls that tell it and adds a fixed number
 * of seconds. Freestanding, so that it fits any C library: system calls are made directly, and the library's errno is
 * used if there is one. Programs that are linked statically or call the kernel themselves are not affected, nor are the
 * times of files. */

struct span { long seconds, fraction; };

/* Replaced, in the compiled object, by the number of seconds to add. */
__attribute__((used, aligned(8))) static const volatile unsigned char added[8] = {'L', 'A', 'R', 'D', 'E', 'R', '+', 's'};

extern int *__errno_location(void) __attribute__((weak));

#define EXPORTED __attribute__((visibility("default")))

enum { REALTIME = 0, REALTIME_COARSE = 5, TAI = 11 };

static long ask_kernel(long clock, struct span *time)
{
#if defined(__x86_64__)
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "0"(228L), "D"(clock), "S"(time) : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long number __asm__("x8") = 113;
    register long first __asm__("x0") = clock;
    register struct span *second __asm__("x1") = time;
    __asm__ volatile("svc 0" : "+r"(first) : "r"(number), "r"(second) : "memory");
    return first;
#else
#error "the numbers of this architecture's system calls are not known"
#endif
}

static long offset(void)
{
    unsigned long value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | added[i];
    return (long)value;
}

EXPORTED int clock_gettime(int clock, struct span *time)
{
    long result = ask_kernel(clock, time);
    if (result < 0) {
        if (__errno_location)
            *__errno_location() = (int)-result;
        return -1;
    }
    if (clock == REALTIME || clock == REALTIME_COARSE || clock == TAI)
        time->seconds += offset();
    return 0;
}

EXPORTED int gettimeofday(struct span *time, void *zone)
{
    if (zone)
        ((int *)zone)[0] = ((int *)zone)[1] = 0;
    if (!time)
        return 0;
    int result = clock_gettime(REALTIME, time);
    time->fraction /= 1000;
    return result;
}

EXPORTED long time(long *place)
{
    struct span now = {0, 0};
    clock_gettime(REALTIME, &now);
    if (place)
        *place = now.seconds;
    return now.seconds;
}

EXPORTED int timespec_get(struct span *time, int base)
{
    return base == 1 && clock_gettime(REALTIME, time) == 0 ? base : 0;
}
