/*
 * dev/chip/acpi_pm.h: the ACPI fixed hardware: PM1 event and control blocks, PM timer, SMI command port.
 *
 * Follows ACPI 6.5 section 4.8. There is one PM1 block (a), a 32-bit timer (FADT flag TMR_VAL_EXT) and a
 * fixed power button (PWR_BUTTON flag clear); no sleep button (SLP_BUTTON flag set), no general-purpose
 * events, no PM2 block. What the table builder needs stands here as constants.
 *
 * SCI_EN belongs to the hardware: it is set and cleared through the SMI command port, and writes to it are
 * ignored. There is no system management mode: in legacy mode events only set their status bits. The System
 * Control Interrupt is a level, raised while an enabled event has its status bit set and SCI_EN is set.
 *
 * Threads: any; functions take `lock` themselves.
 */
#ifndef DEV_CHIP_ACPI_PM_H
#define DEV_CHIP_ACPI_PM_H

#include "bus/bus.h"
#include "clock/clock.h"
#include "dev/machine_event.h"

#define ACPI_PM_BASE       0x600
#define ACPI_PM_PORTS      16
#define ACPI_PM1A_EVT_PORT 0x600 /* 4 bytes: PM1_STS, PM1_EN */
#define ACPI_PM1_EVT_LEN   4
#define ACPI_PM1A_CNT_PORT 0x604
#define ACPI_PM1_CNT_LEN   2
#define ACPI_PM_TMR_PORT   0x608
#define ACPI_PM_TMR_LEN    4
#define ACPI_PM_TMR_HZ     3579545
#define ACPI_SMI_CMD_PORT  0xb2 /* and 0xb3, a byte that belongs to nobody */
#define ACPI_ENABLE_VALUE  0xa0
#define ACPI_DISABLE_VALUE 0xa1
#define ACPI_SCI_IRQ       9
#define ACPI_SLP_TYP_S5    5 /* the _S5 package's value */

/* PM1_STS (section 4.8.3.1.1), and PM1_EN where the event can be enabled (section 4.8.3.1.2). */
enum {
    ACPI_PM1_TMR = 0x0001,
    ACPI_PM1_BM = 0x0010,
    ACPI_PM1_GBL = 0x0020,
    ACPI_PM1_PWRBTN = 0x0100,
    ACPI_PM1_RTC = 0x0400,
    ACPI_PM1_WAK = 0x8000,
};
/* PM1_CNT (section 4.8.3.2.1). */
enum {
    ACPI_PM1_SCI_EN = 0x0001,
    ACPI_PM1_BM_RLD = 0x0002,
    ACPI_PM1_GBL_RLS = 0x0004,
    ACPI_PM1_SLP_TYP = 0x1c00,
    ACPI_PM1_SLP_EN = 0x2000,
};
#define ACPI_PM1_SLP_TYP_SHIFT 10

struct acpi_pm {
    pthread_mutex_t lock;
    struct clock *clock;
    struct irq_line sci;
    struct machine_event power_off;

    uint16_t sts; /* without the timer's bit, which follows from the time */
    uint16_t en, cnt;
    uint8_t smi_cmd, smi_data;
    uint64_t tmr_half; /* half periods of the timer's 32 bits that had passed when TMR_STS was last cleared */
    struct timer carry;
    struct log_limit sleep_log;
};

void acpi_pm_init(struct acpi_pm *p, struct clock *c, struct irq_line sci, struct machine_event power_off);
/* Power-on state: legacy mode, nothing enabled. The timer counts on, as it follows the clock. */
void acpi_pm_reset(struct acpi_pm *p);
void acpi_pm_destroy(struct acpi_pm *p);
void acpi_pm_attach(struct acpi_pm *p, struct bus *b);

/* Press the power button. True when the guest is told by an interrupt; otherwise only the status bit is set.
 */
bool acpi_pm_power_button(struct acpi_pm *p);
/* The real-time clock's alarm has gone off (section 4.8.2.4). */
void acpi_pm_rtc_alarm(struct acpi_pm *p);

#endif
