/*
 * console.c: serial output by polling (16550 data sheet) and the debug-exit port.
 */
#include "console.h"
#include "cpu.h"
#include <stdarg.h>

#define COM1       0x3f8
#define LSR_THRE   BIT(5)
#define DEBUG_EXIT 0xf4

void console_init(void)
{
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 0x80);
    outb(COM1 + 0, 1);
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 3);
    outb(COM1 + 2, 7);
    outb(COM1 + 4, 3);
}

void print_char(char c)
{
    while (!(inb(COM1 + 5) & LSR_THRE))
        cpu_relax();
    outb(COM1, c);
}

static void print_string(const char *s)
{
    while (*s)
        print_char(*s++);
}

/* Divides *v and gives the remainder: 32-bit images have no library for the compiler's 64-bit division. */
static unsigned divide(uint64_t *v, uint32_t base)
{
    uint32_t high = (uint32_t)(*v >> 32), low = (uint32_t)*v, rest = high % base;

    high /= base;
    asm("divl %4" : "=a"(low), "=d"(rest) : "a"(low), "d"(rest), "r"(base) : "cc");
    *v = (uint64_t)high << 32 | low;
    return rest;
}

static void print_number(uint64_t v, unsigned base, unsigned width, char pad)
{
    char text[24];
    unsigned n = 0;

    do {
        text[n++] = "0123456789abcdef"[divide(&v, base)];
    } while (v);
    for (; width > n; width--)
        print_char(pad);
    while (n)
        print_char(text[--n]);
}

void print(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    for (const char *f = format; *f; f++) {
        if (*f != '%') {
            if (*f == '\n')
                print_char('\r');
            print_char(*f);
            continue;
        }
        char pad = *++f == '0' ? '0' : ' ';
        unsigned width = 0;
        while (*f >= '0' && *f <= '9')
            width = width * 10 + (unsigned)(*f++ - '0');
        bool is_long = *f == 'l';
        if (is_long)
            f++;
        switch (*f) {
        case 's': print_string(va_arg(ap, const char *)); break;
        case 'c': print_char((char)va_arg(ap, int)); break;
        case 'd': {
            int64_t v = is_long ? va_arg(ap, long) : va_arg(ap, int);
            if (v < 0)
                print_char('-');
            print_number(v < 0 ? -(uint64_t)v : (uint64_t)v, 10, width, pad);
            break;
        }
        case 'u':
        case 'x':
            print_number(is_long ? va_arg(ap, unsigned long) : va_arg(ap, unsigned), *f == 'u' ? 10 : 16,
                         width, pad);
            break;
        default: print_char(*f); break;
        }
    }
    va_end(ap);
}

static _Noreturn void leave(uint32_t value)
{
    cli();
    outl(DEBUG_EXIT, value);
    for (;;)
        asm volatile("hlt");
}

void exit_pass(void)
{
    print("PASS\n");
    leave(0);
}

void exit_fail(int n)
{
    print("FAIL %d\n", n);
    leave((uint32_t)n);
}

void exit_skip(const char *why)
{
    print("SKIP: %s\n", why);
    leave(EXIT_SKIP);
}
