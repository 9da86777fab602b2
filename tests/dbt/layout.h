/*
 * layout.h: the machine in which sequences run: guest physical and linear addresses. Used by C and by the
 * handlers' assembly.
 *
 * All of RAM is compared after each run, so there is little of it. Linear pages lie beside each other so that
 * an access over a page border meets each kind of neighbour: one that is the next page in memory too, one
 * that is not, one that is read-only, absent, clean, a device.
 */
#ifndef TESTS_DBT_LAYOUT_H
#define TESTS_DBT_LAYOUT_H

#define RAM_PAGES 40

/* Linear: the lower half, one page table. */
#define LOW_VA     0x30000000
#define CODE_AT    0 /* page numbers from LOW_VA: two pages of code */
#define ALIAS_AT   4 /* the same code again */
#define CODE_PAGES 2
#define DATA_AT    16
#define DATA_PAGES 16
#define STACK_AT   40 /* two pages */
#define SCRATCH_AT 48 /* counters and jump targets, which no pointer leads to */
#define LOW(n)     (LOW_VA + (n)*0x1000)

#define LARGE_VA 0x30200000 /* two MiB from physical 0 in one page */

/* Linear: the system's pages, supervisor only, global. */
#define SYS_VA      0xffff800000000000
#define SYS_TABLES  0 /* GDT at 0, TSS at 0x100 */
#define SYS_IDT     1
#define SYS_CODE    2
#define SYS_FAULT   3 /* stack of exceptions */
#define SYS_IRQ     4 /* stack of interrupts */
#define SYS_LOG     5
#define SYS_LENGTHS 6  /* two pages: for each code byte, the length of the instruction there, or 0 */
#define SYS_PT      8  /* the page table of the lower half */
#define SYS_HIGH    16 /* the code again, two pages */
#define SYS(n)      (SYS_VA + (n)*0x1000)

/* The log page: what handlers leave there. */
#define LOG_COUNT 0  /* exceptions taken */
#define LOG_CLEAR 8  /* not 0: #MF clears the exception and tries again */
#define LOG_IRQS  16 /* interrupts taken */
#define LOG_ENTRY                                                                                           \
    32               /* size of an entry: vector, error | rflags << 32, rip, cr2; the first one is number 1 \
                      */
#define LOG_LIMIT 60 /* so many exceptions end a sequence */

/* Physical page numbers. */
#define PG_PML4    1
#define PG_PDPT    2
#define PG_PD      3
#define PG_PT      4
#define PG_SYSPDPT 5
#define PG_SYSPD   6
#define PG_SYSPT   7
#define PG_SYS     8 /* eight pages, in the order above */
#define PG_CODE    16
#define PG_CODE2   18
#define PG_SPARE   17 /* holds what PG_CODE2 holds at the start; sequences map it */
#define PG_STACK   32
#define PG_SCRATCH 34
#define PG_OTHER   35 /* PML4, PDPT, PD, PT of another address space: data pages 0 and 2 changed places */
#define PG_OTHERPT 38
#define DEVICE_GPA 0xd0000000
#define BEYOND_GPA 0x40000000 /* nothing there */
#define ROM_GPA    0x80000

#define SEL_KCODE 0x08
#define SEL_KDATA 0x10
#define SEL_UDATA 0x23
#define SEL_UCODE 0x2b
#define SEL_TSS   0x30

#define VEC_IRQ  0x31
#define VEC_END  0x80
#define VEC_IRET 0x81

#define STUB_SIZE 16 /* of an exception's entry; interrupts' come behind the 32 exceptions */

#endif
