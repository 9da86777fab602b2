/*
 * console.h: text on the serial port 0x3f8, and the end of the run by the debug-exit port 0xf4.
 */
#ifndef GUEST_CONSOLE_H
#define GUEST_CONSOLE_H

/* 115200 8N1, FIFO on, no interrupts. The frame calls it. */
void console_init(void);
void print_char(char c);
/* %s %c %d %u %x, with l for 64 bits, 0 and a width for %x and %u, %% . */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define EXIT_CHECK 1  /* a CHECK did not hold */
#define EXIT_TRAP  2  /* an exception or interrupt nobody asked for */
#define EXIT_FRAME 3  /* the frame itself could not work */
#define EXIT_SKIP  77 /* the processor lacks what the image is about */

/* Says PASS and writes 0. */
_Noreturn void exit_pass(void);
/* Writes n, which is not 0. */
_Noreturn void exit_fail(int n);
/* The processor does not have what is to be tested: says why. images.json lists which monitor may do so. */
_Noreturn void exit_skip(const char *why);

#endif
