/*
 * dev/chip/reset.h: the chip set's two ways to restart the machine: port 0x92 and the reset control register
 * 0xcf9.
 *
 * Follows the Intel I/O Controller Hub data sheets ("Port 92 Register", "Reset Control Register"). Both act
 * on the change of a bit from 0 to 1. A "soft" reset (INIT) restarts the whole machine too: there is no
 * firmware to take a CPU out of INIT. Address line 20 is always enabled, and port 0x92 says so whatever is
 * written.
 *
 * Port 0xcf9 lies inside the ports of PCI's CONFIG_ADDRESS, so the PCI host bridge registers it and passes
 * accesses of one byte on.
 */
#ifndef DEV_CHIP_RESET_H
#define DEV_CHIP_RESET_H

#include "bus/bus.h"
#include "dev/machine_event.h"

#define RESET_PORT92   0x92
#define RESET_CF9_PORT 0xcf9

enum { RESET_PORT92_INIT = 1, RESET_PORT92_A20 = 2 };
enum { RESET_CF9_SYS_RST = 2, RESET_CF9_RST_CPU = 4, RESET_CF9_FULL_RST = 8 };

struct reset_ctl {
    pthread_mutex_t lock; /* guards port 0x92 */
    struct machine_event reset;
    uint8_t port92;
    uint8_t cf9;
};

void reset_ctl_init(struct reset_ctl *r, struct machine_event reset);
/* Power-on state. While no vCPU runs. */
void reset_ctl_reset(struct reset_ctl *r);
void reset_ctl_destroy(struct reset_ctl *r);
/* Registers port 0x92. */
void reset_ctl_attach(struct reset_ctl *r, struct bus *b);

/*
 * The reset control register, a byte; `reset_ctl` is a struct reset_ctl. They take no lock: whoever registers
 * the port calls them with its own held, and no other code touches the register.
 */
uint8_t reset_cf9_read(void *reset_ctl);
void reset_cf9_write(void *reset_ctl, uint8_t value);

#endif
