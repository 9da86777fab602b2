/*
 * acpi_fadt.c: the FADT: the fixed hardware of power management (ACPI 6.0 section 5.2.9, table 5-34).
 */
#include "boot/acpi/acpi_table.h"

/* Offsets of the fields that are not zero; in the comment the size where it is not 4. */
enum {
    FADT_FIRMWARE_CTRL = 36,
    FADT_DSDT = 40,
    FADT_SCI_INT = 46, /* 2 */
    FADT_SMI_CMD = 48,
    FADT_ACPI_ENABLE = 52,  /* 1 */
    FADT_ACPI_DISABLE = 53, /* 1 */
    FADT_PM1A_EVT = 56,
    FADT_PM1A_CNT = 64,
    FADT_PM_TMR = 76,
    FADT_GPE0 = 80,
    FADT_PM1_EVT_LEN = 88, /* 1 */
    FADT_PM1_CNT_LEN = 89, /* 1 */
    FADT_PM_TMR_LEN = 91,  /* 1 */
    FADT_GPE0_LEN = 92,    /* 1 */
    FADT_P_LVL2_LAT = 96,  /* 2 */
    FADT_P_LVL3_LAT = 98,  /* 2 */
    FADT_CENTURY = 108,    /* 1 */
    FADT_BOOT_ARCH = 109,  /* 2 */
    FADT_FLAGS = 112,
    FADT_RESET_REG = 116,   /* 12 */
    FADT_RESET_VALUE = 128, /* 1 */
    FADT_X_DSDT = 140,      /* 8 */
    FADT_X_PM1A_EVT = 148,  /* 12 each from here */
    FADT_X_PM1A_CNT = 172,
    FADT_X_PM_TMR = 208,
    FADT_X_GPE0 = 220,
    FADT_HYPERVISOR = 268, /* 8 */
    FADT_SIZE = 276,
};

enum {
    /* Flags; the power button is fixed hardware when its flag is 0, so is the RTC's wake-up status. */
    FLAG_WBINVD = 1 << 0,
    FLAG_PROC_C1 = 1 << 2,
    FLAG_SLP_BUTTON = 1 << 5, /* there is no fixed sleep button */
    FLAG_TMR_VAL_EXT = 1 << 8,
    FLAG_RESET_REG = 1 << 10,
    /* IA-PC boot architecture */
    ARCH_LEGACY_DEVICES = 1 << 0,
    ARCH_8042 = 1 << 1,
    ARCH_NO_VGA = 1 << 2,
    /* Latencies that mean "no C2", "no C3" */
    NO_C2 = 101,
    NO_C3 = 1001,
};

/* Generic address of an I/O port (section 5.2.3.2). `access`: 1 byte, 2 word, 3 dword. */
static void put_port(uint8_t *p, uint16_t port, uint8_t bytes, uint8_t access)
{
    p[0] = 1; /* system I/O */
    p[1] = (uint8_t)(bytes * 8);
    p[3] = access;
    store_le(p + 4, port, 8);
}

/* The registers, each in its old 32-bit field and in its generic form. */
static void put_registers(uint8_t *p, const struct acpi_config *cfg)
{
    store_le(p + FADT_PM1A_EVT, cfg->pm1_event, 4);
    store_le(p + FADT_PM1A_CNT, cfg->pm1_control, 4);
    store_le(p + FADT_PM_TMR, cfg->pm_timer, 4);
    p[FADT_PM1_EVT_LEN] = 4;
    p[FADT_PM1_CNT_LEN] = 2;
    p[FADT_PM_TMR_LEN] = 4;
    put_port(p + FADT_X_PM1A_EVT, cfg->pm1_event, 4, 2);
    put_port(p + FADT_X_PM1A_CNT, cfg->pm1_control, 2, 2);
    put_port(p + FADT_X_PM_TMR, cfg->pm_timer, 4, 3);
    if (cfg->gpe0) {
        store_le(p + FADT_GPE0, cfg->gpe0, 4);
        p[FADT_GPE0_LEN] = cfg->gpe0_size;
        put_port(p + FADT_X_GPE0, cfg->gpe0, cfg->gpe0_size, 1);
    }
    put_port(p + FADT_RESET_REG, cfg->reset_port, 1, 1);
    p[FADT_RESET_VALUE] = cfg->reset_value;
}

gpa_t acpi_add_fadt(struct acpi_buf *b, const struct acpi_config *cfg, gpa_t facs, gpa_t dsdt)
{
    size_t table = acpi_begin(b, "FACP", 6, FADT_SIZE);
    if (b->full)
        return 0;
    uint8_t *p = b->buf + table;

    /* Both lie below 4 GiB. X_FIRMWARE_CTRL is to be 0 when FIRMWARE_CTRL is not. */
    store_le(p + FADT_FIRMWARE_CTRL, facs, 4);
    store_le(p + FADT_DSDT, dsdt, 4);
    store_le(p + FADT_X_DSDT, dsdt, 8);
    store_le(p + FADT_SCI_INT, cfg->sci, 2);
    store_le(p + FADT_SMI_CMD, cfg->smi_command, 4);
    p[FADT_ACPI_ENABLE] = cfg->acpi_enable;
    p[FADT_ACPI_DISABLE] = cfg->acpi_disable;
    put_registers(p, cfg);
    store_le(p + FADT_P_LVL2_LAT, NO_C2, 2);
    store_le(p + FADT_P_LVL3_LAT, NO_C3, 2);
    p[FADT_CENTURY] = cfg->rtc_century;
    unsigned arch = ARCH_LEGACY_DEVICES;
    arch |= cfg->keyboard || cfg->mouse ? ARCH_8042 : 0;
    arch |= cfg->vga ? 0 : ARCH_NO_VGA;
    store_le(p + FADT_BOOT_ARCH, arch, 2);
    store_le(p + FADT_FLAGS, FLAG_WBINVD | FLAG_PROC_C1 | FLAG_SLP_BUTTON | FLAG_TMR_VAL_EXT | FLAG_RESET_REG,
             4);
    memcpy(p + FADT_HYPERVISOR, "TRAPEZE", 8);
    return acpi_finish(b, table);
}
