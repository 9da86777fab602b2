/*
 * acpi_pm.c: the ACPI fixed hardware registers, their interrupt and the PM timer.
 *
 * The timer is a pure function of the clock, rounded once, so it neither drifts nor needs to be kept running.
 * Its status bit is one too: it is set while more half periods of the 32-bit counter have passed than when it
 * was last cleared (section 4.8.2.1: each change of the top bit sets it).
 */
#include "dev/chip/acpi_pm.h"

enum { REG_STS = 0, REG_EN = 2, REG_CNT = 4, REG_TMR = 8 };

#define EN_BITS (ACPI_PM1_TMR | ACPI_PM1_GBL | ACPI_PM1_PWRBTN | ACPI_PM1_RTC)

static uint64_t ticks_at(uint64_t ns)
{
    return (uint64_t)((unsigned __int128)ns * ACPI_PM_TMR_HZ / NS_PER_SEC);
}

/* The first nanosecond at which the timer reads `ticks` or more. */
static uint64_t ns_of(uint64_t ticks)
{
    unsigned __int128 ns = ((unsigned __int128)ticks * NS_PER_SEC + ACPI_PM_TMR_HZ - 1) / ACPI_PM_TMR_HZ;
    return ns < CLOCK_NO_DEADLINE ? (uint64_t)ns : CLOCK_NO_DEADLINE;
}

static uint64_t ticks(const struct acpi_pm *p)
{
    return ticks_at(clock_now(p->clock));
}

static uint16_t status(const struct acpi_pm *p)
{
    return p->sts | (ticks(p) >> 31 != p->tmr_half ? ACPI_PM1_TMR : 0);
}

/* Drive the line, and come back when the timer's top bit changes, if anybody wants to know. */
static void update_sci(struct acpi_pm *p)
{
    uint16_t active = status(p) & p->en & EN_BITS;
    irq_set(&p->sci, active && (p->cnt & ACPI_PM1_SCI_EN));
    if ((p->en & ACPI_PM1_TMR) && !(active & ACPI_PM1_TMR))
        timer_arm(&p->carry, ns_of((p->tmr_half + 1) << 31));
    else
        timer_disarm(&p->carry);
}

static void on_carry(void *opaque)
{
    update_sci(opaque);
}

static void write_cnt(struct acpi_pm *p, uint16_t value, uint16_t mask)
{
    uint16_t keep = ACPI_PM1_BM_RLD | ACPI_PM1_SLP_TYP;
    p->cnt = (p->cnt & ~(keep & mask)) | (value & keep & mask);
    if (!(value & mask & ACPI_PM1_SLP_EN))
        return;
    unsigned type = (p->cnt & ACPI_PM1_SLP_TYP) >> ACPI_PM1_SLP_TYP_SHIFT;
    if (type == ACPI_SLP_TYP_S5)
        machine_event_fire(&p->power_off);
    else
        log_guest(&p->sleep_log, "ACPI: sleep type %u is not offered; only S5 (%u) is", type,
                  ACPI_SLP_TYP_S5);
}

/* The bits of the 16-bit register at `at` that `mask` selects are written. */
static void write_register(struct acpi_pm *p, unsigned at, uint16_t value, uint16_t mask)
{
    switch (at) {
    case REG_STS:
        p->sts &= ~(value & mask);
        if (value & mask & ACPI_PM1_TMR)
            p->tmr_half = ticks(p) >> 31;
        break;
    case REG_EN: p->en = ((p->en & ~mask) | (value & mask)) & EN_BITS; break;
    case REG_CNT: write_cnt(p, value, mask); break;
    default: break; /* the timer is for reading */
    }
    update_sci(p);
}

/* Section 4.8.3: the registers may be read and written by bytes too. */
static uint64_t pm_read(void *opaque, uint64_t offset, unsigned size)
{
    struct acpi_pm *p = opaque;
    uint8_t image[ACPI_PM_PORTS] = {0};
    store_le(image + REG_STS, status(p), 2);
    store_le(image + REG_EN, p->en, 2);
    store_le(image + REG_CNT, p->cnt, 2);
    store_le(image + REG_TMR, ticks(p) & 0xffffffff, 4);
    assert(range_within(offset, size, sizeof image));
    return load_le(image + offset, size);
}

static void pm_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    uint8_t data[ACPI_PM_PORTS] = {0}, mask[ACPI_PM_PORTS] = {0};
    assert(range_within(offset, size, sizeof data));
    store_le(data + offset, value, size);
    memset(mask + offset, 0xff, size);
    for (unsigned at = 0; at < ACPI_PM_PORTS; at += 2) {
        uint16_t m = (uint16_t)load_le(mask + at, 2);
        if (m)
            write_register(opaque, at, (uint16_t)load_le(data + at, 2), m);
    }
}

static const struct bus_desc pm_desc = {
    .name = "acpi-pm",
    .read = pm_read,
    .write = pm_write,
    .min_size = 1,
    .max_size = 4,
};

static uint64_t smi_read(void *opaque, uint64_t offset, unsigned size)
{
    const struct acpi_pm *p = opaque;
    return offset ? p->smi_data : p->smi_cmd;
}

/* Section 4.8.2.5: the handover between legacy mode and ACPI mode. */
static void smi_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct acpi_pm *p = opaque;
    if (offset) {
        p->smi_data = (uint8_t)value;
        return;
    }
    p->smi_cmd = (uint8_t)value;
    if (p->smi_cmd == ACPI_ENABLE_VALUE)
        p->cnt |= ACPI_PM1_SCI_EN;
    else if (p->smi_cmd == ACPI_DISABLE_VALUE)
        p->cnt &= ~ACPI_PM1_SCI_EN;
    update_sci(p);
}

static const struct bus_desc smi_desc = {
    .name = "acpi-smi-cmd",
    .read = smi_read,
    .write = smi_write,
    .min_size = 1,
    .max_size = 1,
};

static void reset(struct acpi_pm *p)
{
    p->sts = p->en = p->cnt = 0;
    p->smi_cmd = p->smi_data = 0;
    p->tmr_half = ticks(p) >> 31;
    update_sci(p);
}

void acpi_pm_init(struct acpi_pm *p, struct clock *c, struct irq_line sci, struct machine_event power_off)
{
    *p = (struct acpi_pm){.clock = c, .sci = sci, .power_off = power_off};
    pthread_mutex_init(&p->lock, NULL);
    timer_init(&p->carry, c, &p->lock, on_carry, p);
    reset(p);
}

void acpi_pm_reset(struct acpi_pm *p)
{
    pthread_mutex_lock(&p->lock);
    reset(p);
    pthread_mutex_unlock(&p->lock);
}

void acpi_pm_destroy(struct acpi_pm *p)
{
    pthread_mutex_lock(&p->lock);
    timer_disarm(&p->carry);
    pthread_mutex_unlock(&p->lock);
    pthread_mutex_destroy(&p->lock);
}

void acpi_pm_attach(struct acpi_pm *p, struct bus *b)
{
    bus_add_pio(b, ACPI_PM_BASE, ACPI_PM_PORTS, &pm_desc, p, &p->lock);
    bus_add_pio(b, ACPI_SMI_CMD_PORT, 2, &smi_desc, p, &p->lock);
}

static bool event(struct acpi_pm *p, uint16_t bit)
{
    pthread_mutex_lock(&p->lock);
    p->sts |= bit;
    update_sci(p);
    bool told = (p->en & bit) && (p->cnt & ACPI_PM1_SCI_EN);
    pthread_mutex_unlock(&p->lock);
    return told;
}

bool acpi_pm_power_button(struct acpi_pm *p)
{
    return event(p, ACPI_PM1_PWRBTN);
}

void acpi_pm_rtc_alarm(struct acpi_pm *p)
{
    event(p, ACPI_PM1_RTC);
}
