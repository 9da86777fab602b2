/*
 * machine/pc_impl.h: what a PC is made of; for the files of this folder.
 */
#ifndef MACHINE_PC_IMPL_H
#define MACHINE_PC_IMPL_H

#include "boot/acpi/acpi.h"
#include "boot/e820.h"
#include "boot/firmware.h"
#include "boot/kernel.h"
#include "dev/chip/acpi_pm.h"
#include "dev/chip/debug_exit.h"
#include "dev/chip/debugcon.h"
#include "dev/chip/ferr.h"
#include "dev/chip/ioapic.h"
#include "dev/chip/pic.h"
#include "dev/chip/pit.h"
#include "dev/chip/reset.h"
#include "dev/chip/rtc.h"
#include "dev/chip/testdev.h"
#include "dev/fwcfg/fwcfg.h"
#include "dev/pci/pci_host.h"
#include "dev/ps2/i8042.h"
#include "dev/serial/serial_console.h"
#include "machine/pc.h"

/* What the machine is started with, kept for the next power-on. */
struct pc_boot {
    struct host_file firmware_file, kernel_file;
    struct kernel kernel;
    char *module_text; /* --initrd, cut into words */
    struct host_file module_file[BOOT_MODULES_MAX];
    struct boot_module module[BOOT_MODULES_MAX];
    struct kernel_start start;
    struct kernel_plan plan;
    struct acpi_config acpi;
    struct e820_map firmware_map; /* what fw_cfg shows */
};

struct pc {
    struct pc_config cfg;
    struct layout layout;
    struct cpuid_model cpuid;
    struct pc_boot boot;

    struct clock *clock;
    struct mem *mem;
    struct bus *bus;
    struct engine *engine;
    struct vcpu *vcpu[PC_MAX_CPUS];

    struct pic pic;
    struct ferr ferr;
    struct ioapic ioapic;
    struct pit pit;
    struct rtc rtc;
    struct acpi_pm pm;
    struct reset_ctl reset;
    struct i8042 i8042;
    struct debug_exit debug_exit;
    struct pci_host pci;
    struct serial_console com1;
    struct fwcfg fwcfg;
    struct testdev testdev; /* used where cfg.testdev */
    struct debugcon debugcon;
    bool devices; /* initialised */

    pthread_mutex_t timer_lock; /* see pc_timer.c */
    uint64_t resident_peak;

    pthread_mutex_t event_lock; /* a leaf */
    struct pc_event event;
    unsigned event_vcpu; /* whose */
    bool event_taken;
};

/* pc_boot.c: before memory exists, all that can be wrong with the configuration; then, at each power-on,
 * load. */
bool pc_boot_open(struct pc *pc, struct err *e);
void pc_boot_close(struct pc *pc);
bool pc_boot_load(struct pc *pc, struct err *e);

/* pc.c: an ISA interrupt's wires, for whoever is its source. */
#define PC_ISA_LINES 16
struct irq_line pc_isa_line(struct pc *pc, unsigned n);

/* pc_fwcfg.c: what the machine was started with, as items of fw_cfg. */
void pc_fwcfg_fill(struct pc *pc);

/* pc_extra.c: the devices that are there only where they were asked for. */
void pc_extra_init(struct pc *pc);
/* ERR_CONFIG: the debug console's port is another device's. Attached last, so that it is known. */
bool pc_extra_attach(struct pc *pc, struct err *e);
void pc_extra_connect(struct pc *pc);
void pc_extra_reset(struct pc *pc);
void pc_extra_destroy(struct pc *pc);

/* pc_timer.c: the clock's timers on the event loop. */
void pc_timers_attach(struct pc *pc);
void pc_timers_detach(struct pc *pc);

/* pc_run.c: called by devices and vCPUs, any thread, under any device's lock. */
void pc_event(struct pc *pc, enum pc_event_kind kind, uint32_t debug_exit);
void pc_vcpu_stopped(void *opaque, unsigned id, enum engine_exit why, const struct engine_exit_info *info);

#endif
